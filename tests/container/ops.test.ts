/** The table of ops: the specification's table of their fields is the code's, and a name or number that is no op's is refused. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Layer, QLayer } from "../../host/model/model.js";
import { packageRoot } from "../../host/node/paths.js";
import { valueNames, type Field } from "../../host/ops/fields.js";
import { FLOAT_OPS, floatOp, INTEGER_OPS, integerOp, opOfNumber } from "../../host/ops/index.js";

const number = (value: number): string =>
  Math.abs(value) === 2 ** 21
    ? `${value < 0 ? "-" : ""}2^21`
    : value === 2 ** 30
      ? "2^30"
      : value === 2 ** 31 - 1
        ? "2^31 − 1"
        : value.toLocaleString("en-US");

/** As the document writes them: neighbours of one kind and range together. A form has a table of its own. */
function describeFields(fields: readonly Field[]): string[] {
  const groups: { names: string[]; range: string | null }[] = [];
  for (const { name, kind, least, most, count } of fields) {
    const range =
      kind === "form" ? null : kind === "bytes" ? `${count} × i8` : `${kind}, ${number(least)} … ${number(most)}`;
    const last = groups.at(-1);
    if (range !== null && last?.range === range) last.names.push(name);
    else groups.push({ names: [name], range });
  }
  return groups.map(({ names, range }) => names.join(", ") + (range === null ? "" : ` (${range})`));
}

test("the specification's table of ops is the code's", () => {
  const document = readFileSync(join(packageRoot, "spec/container.md"), "utf8");
  const table = document.slice(document.indexOf("| op | | further fields |"));
  const rows = table.slice(0, table.indexOf("\n\n")).split("\n").slice(2);
  const expected = Object.entries(INTEGER_OPS)
    .toSorted(([, a], [, b]) => a.number - b.number)
    .map(([name, op]) => {
      const fields = [...describeFields(op.fields), ...(op.weights ? ["then *weights*"] : [])];
      return `| ${op.number} | ${name} |${fields.length > 0 ? ` ${fields.join(", ")}` : ""} |`;
    });
  expect(rows).toEqual(expected);
});

describe("look-ups", () => {
  const names = ["softmax", "constructor", "__proto__"];
  test.each(names)("refuse %s", (op) => {
    expect(() => floatOp({ op, name: "last" } as unknown as Layer)).toThrow(`last: op "${op}"`);
    expect(() => integerOp({ op } as unknown as QLayer)).toThrow(`op "${op}"`);
  });

  test("find each op by its name and its number, and no other", () => {
    for (const [op, known] of Object.entries(INTEGER_OPS)) {
      expect(integerOp({ op } as QLayer)).toBe(known);
      expect(opOfNumber(known.number)).toBe(known);
    }
    for (const [op, known] of Object.entries(FLOAT_OPS)) expect(floatOp({ op, name: op } as Layer)).toBe(known);
    const numbers = Object.values(INTEGER_OPS).map((op) => op.number);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(Array.from({ length: 256 }, (_, i) => opOfNumber(i)).filter((op) => op !== undefined)).toHaveLength(
      numbers.length,
    );
  });

  test("layers have the values of their fields, and fields the layer that they are read into", () => {
    for (const { fields, ...op } of Object.values(INTEGER_OPS) as unknown as ReturnType<typeof integerOp>[]) {
      const values = fields.flatMap(valueNames).map((_, i) => i + 1);
      expect(op.values(op.layer({ inputs: [0], output: 1 }, values))).toEqual(
        values.map((value) => (value << 24) >> 24),
      );
    }
  });
});
