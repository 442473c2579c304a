/** The descriptors as the host writes them and as the kernels read them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { packageRoot } from "../../host/node/paths.js";
import { DESCRIPTORS, writeDescriptor } from "../../host/train/descriptors.js";
import { SharedHeap } from "../../host/train/heap.js";

const SOURCE = "assembly/train/descriptors.ts";
const WORDS = ["i32", "u32", "usize"];

test("the kernels' classes have the host's fields in the host's order, a word each", () => {
  const file = ts.createSourceFile(SOURCE, readFileSync(join(packageRoot, SOURCE), "utf8"), ts.ScriptTarget.Latest);
  const classes = file.statements.filter(ts.isClassDeclaration).map(({ name, modifiers, members }) => {
    expect(modifiers?.filter(ts.isDecorator).map(({ expression }) => expression.getText(file))).toEqual(["unmanaged"]);
    const fields = members.filter(ts.isPropertyDeclaration);
    fields.forEach(({ name: field, type }) => expect(WORDS, field.getText(file)).toContain(type!.getText(file)));
    return [name!.text, fields.map(({ name: field }) => field.getText(file))] as const;
  });
  expect(Object.fromEntries(classes)).toEqual(DESCRIPTORS);
});

test("fields are written in the table's order, not in that of the values", () => {
  const heap = new SharedHeap();
  const size = { width: 2, height: 1, outWidth: 4, outHeight: 3 };
  const window = { strideX: 8, strideY: 7, kernelWidth: 6, kernelHeight: 0xfffffff5 };
  const at = writeDescriptor(heap, "Pool", { ...window, ...size });
  expect([...heap.u32(at, 8)]).toEqual([1, 2, 3, 4, 0xfffffff5, 6, 7, 8]);
});
