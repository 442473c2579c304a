/** Pieces of C: functions with parameters that are numbers of one layer, or fields of several. */
import { MoteError } from "../errors.js";

/** A number, or an expression that has no number before it runs. A name is that of a table, of `type`s. */
export type Argument = number | { readonly expression: string } | { readonly table: string; readonly type: string };

export type Arguments = Readonly<Record<string, Argument>>;

/** What stands for each argument in a function's text. */
export type Names = Readonly<Record<string, string>>;

/** What becomes of a layer: a function's body, and its arguments. */
export interface LayerCode {
  /** Layers of one key have one body but for their arguments. */
  readonly key: string;
  readonly what: string;
  readonly arguments: Arguments;
  readonly body: (names: Names) => string;
  /** Its tables. */
  readonly tables: string;
  /** Taps that it keeps of a filter; absent: none. */
  readonly taps?: number;
  /** Digits that those have without a multiplier; absent: none. */
  readonly digits?: number;
  /** Functions that it calls. */
  readonly uses: readonly string[];
}

/** Functions of the net, and the calls of the layers in order. */
export interface Functions {
  readonly text: string;
  readonly calls: readonly string[];
}

export const textOf = (argument: Argument): string =>
  typeof argument === "number"
    ? `${argument}${argument >= 2 ** 31 ? "u" : ""}`
    : "table" in argument
      ? argument.table
      : argument.expression;

/** Those that a body asks for. */
function namesIn(body: LayerCode["body"], names: Names): Set<string> {
  const used = new Set<string>();
  body(
    new Proxy(names, {
      get(target, name: string) {
        used.add(name);
        return target[name];
      },
    }),
  );
  return used;
}

const isExpression = (argument: Argument): boolean => typeof argument !== "number" && "expression" in argument;

/** A function for each layer, its numbers in it. */
export function functionsOfTheirOwn(layers: readonly LayerCode[]): Functions {
  const text = layers.map(({ what, arguments: given, body }, index) => {
    const names = Object.fromEntries(Object.entries(given).map(([name, argument]) => [name, textOf(argument)]));
    return `/* ${what} */\nstatic void layer_${index}(void) {\n${body(names)}}\n`;
  });
  return { text: text.join("\n"), calls: layers.map((_, index) => `layer_${index}();`) };
}

/** A function for all layers of a key. What they have in common is in it, what not in a table. */
export function sharedFunctions(layers: readonly LayerCode[]): Functions {
  const texts: string[] = [];
  const calls = layers.map(() => "");
  const groups = new Map<string, number[]>();
  layers.forEach(({ key }, index) => groups.set(key, [...(groups.get(key) ?? []), index]));
  let number = 0;
  for (const members of groups.values()) {
    const [first] = members.map((index) => layers[index]);
    const name = `layers_${number++}`;
    const differing = Object.keys(first.arguments).filter((field) =>
      members.some((index) => textOf(layers[index].arguments[field]) !== textOf(first.arguments[field])),
    );
    // What is known only as it runs is handed over.
    const isGiven = (field: string): boolean => members.some((index) => isExpression(layers[index].arguments[field]));
    const names = Object.fromEntries(
      Object.entries(first.arguments).map(([field, argument]) => [
        field,
        !differing.includes(field) ? textOf(argument) : isGiven(field) ? `at_${field}` : `l->${field}`,
      ]),
    );
    const used = namesIn(first.body, names);
    const fields = differing.filter((field) => used.has(field));
    const given = fields.filter(isGiven);
    const kept = fields.filter((field) => !isGiven(field));
    const what = members.map((index) => layers[index].what).join("; ");
    const body = first.body(names);
    if (fields.length === 0) {
      texts.push(`/* ${what} */\nstatic void ${name}(void) {\n${body}}\n`);
      for (const index of members) calls[index] = `${name}();`;
      continue;
    }
    // Larger fields first, so that none has a hole before it.
    const typed = kept
      .map((field) => ({ field, ...fieldType(members.map((index) => layers[index].arguments[field])) }))
      .sort((a, b) => b.bytes - a.bytes);
    const rows = members.map(
      (index) => `  {${typed.map(({ field }) => textOf(layers[index].arguments[field])).join(", ")}},\n`,
    );
    texts.push(
      `struct ${name} {\n${typed.map(({ field, type }) => `  ${type}${field};\n`).join("")}};\n` +
        `static const struct ${name} ${name}_of[${members.length}] = {\n${rows.join("")}};\n\n` +
        `/* ${what} */\nstatic void ${name}(const struct ${name} *l${given.map((field) => `, uint32_t at_${field}`).join("")}) {\n${body}}\n`,
    );
    members.forEach((index, at) => {
      const more = given.map((field) => `, ${textOf(layers[index].arguments[field])}`);
      calls[index] = `${name}(${name}_of + ${at}${more.join("")});`;
    });
  }
  return { text: texts.join("\n"), calls };
}

function fieldType(values: readonly Argument[]): { readonly type: string; readonly bytes: number } {
  const [first] = values;
  if (typeof first !== "number") return { type: `const ${(first as { readonly type: string }).type} *`, bytes: 5 };
  return integerType(values.map(Number));
}

/** The smallest type that has all values, with a space behind. */
export function integerType(values: readonly number[]): { readonly type: string; readonly bytes: number } {
  const least = values.reduce((a, b) => Math.min(a, b), 0);
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  const bytes = [1, 2, 4].find((size) =>
    least < 0 ? least >= -(2 ** (8 * size - 1)) && most < 2 ** (8 * size - 1) : most < 2 ** (8 * size),
  );
  if (bytes === undefined) {
    throw new MoteError(
      "UNSUPPORTED",
      `C of its own: a step of ${most > -least ? most : least} elements, expected 32 bits`,
    );
  }
  return { type: `${least < 0 ? "" : "u"}int${8 * bytes}_t `, bytes };
}

/** A constant table, with the smallest type or the one given. */
export function table(name: string, values: ArrayLike<number>, type = integerType(Array.from(values)).type): string {
  const list = values.length === 0 ? [0] : Array.from(values);
  const lines: string[] = [];
  for (let at = 0; at < list.length; at += 24) lines.push(`  ${list.slice(at, at + 24).join(",")},\n`);
  return `static const ${type.trim()} ${name}[${list.length}] = {\n${lines.join("")}};\n`;
}

/** Lines by the depth of their braces. */
export function indented(text: string): string {
  let depth = 0;
  return text
    .split("\n")
    .map((line) => {
      const bare = line.trim();
      if (bare.startsWith("}")) depth--;
      const margin = bare === "" || bare.startsWith("#") ? "" : "  ".repeat(depth);
      if (bare.endsWith("{")) depth++;
      return margin + bare;
    })
    .join("\n");
}
