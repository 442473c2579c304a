/** Variants of a recipe: a grid over places in its JSON, each variant read as strictly as a recipe of its own. */
import { parseRecipe, type Recipe } from "../compress/recipe.js";
import { MoteError, printable, shortened } from "../errors.js";
import { isRecord, shownJson } from "../json.js";

/** One axis of the grid. */
export interface Variation {
  /** As it was given: "stages[2].keep". */
  readonly path: string;
  readonly keys: readonly (string | number)[];
  /** At least one, no two the same. */
  readonly values: readonly unknown[];
}

export interface Variant {
  /** What is set, by path, in the order of the variations. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly recipe: Recipe;
}

/** A slip such as seed=1..1000000 ends here. */
const MAX_VARIANTS = 10_000;

/** A recipe nests some five. */
const MAX_DEPTH = 50;

const invalid = (text: string, what: string): MoteError =>
  new MoteError("ARGUMENT", printable(`--vary ${shortened(text)}: ${what}`));

/**
 * Reads "PATH=VALUES": keys joined by dots, `[2]` for an item of a list, `["a.b"]` for a key with dots in it; values are JSON or bare
 * words, separated by commas, or `FROM..TO`, whole numbers.
 * @throws MoteError ARGUMENT
 */
export function parseVariation(text: string): Variation {
  const match = /^((?:[^=[\]"]|\[\d+\]|\["[^"]*"\])+)=(.+)$/s.exec(text);
  if (match === null) throw invalid(text, "expected PATH=VALUES, such as seed=1..8 or stages[2].keep=2000,3000");
  const [, path, list] = match;
  const keys = (path.match(/\[\d+\]|\["[^"]*"\]|[^.[\]]+/g) ?? []).map((part) => keyOf(text, part));
  if (keys.length === 0 || /^\.|\.\.|\.$|\.\[/.test(path.replaceAll(/"[^"]*"/g, "")))
    throw invalid(text, "expected keys joined by dots before the =");
  const values = valuesOf(text, list);
  const again = values.findIndex((value, i) => values.slice(0, i).some((other) => isSame(value, other)));
  if (again >= 0) throw invalid(text, `${shownJson(values[again])} is there twice`);
  return { path, keys, values };
}

/** `[2]` and `["a.b"]` are JSON between brackets. */
function keyOf(text: string, part: string): string | number {
  if (!part.startsWith("[")) return part;
  try {
    return JSON.parse(part.slice(1, -1)) as string | number;
  } catch {
    throw invalid(text, `${shortened(part)} is not JSON between brackets, such as [2] or ["a.b"]`);
  }
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function valuesOf(text: string, list: string): unknown[] {
  const range = /^(-?\d+)\.\.(-?\d+)$/.exec(list);
  if (range === null) return splitAtCommas(text, list).map((item) => valueOf(text, item));
  const [from, to] = [Number(range[1]), Number(range[2])];
  if (to < from) throw invalid(text, `expected a range that goes up, got ${list}`);
  if (to - from >= MAX_VARIANTS) throw invalid(text, `expected at most ${MAX_VARIANTS} values`);
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

function valueOf(text: string, item: string): unknown {
  if (item === "") throw invalid(text, "a value is empty");
  try {
    return JSON.parse(item);
  } catch {
    if (/^[[{"]/.test(item)) throw invalid(text, `${shortened(item)} is not JSON`);
    return item;
  }
}

/** At those outside of brackets and strings. @throws MoteError ARGUMENT for brackets deeper than any recipe has them */
function splitAtCommas(text: string, list: string): string[] {
  const items = [""];
  let depth = 0;
  for (const [piece] of list.matchAll(/"(?:[^"\\]|\\.)*"|[^]/g)) {
    if (piece === "[" || piece === "{") depth++;
    if (depth > MAX_DEPTH) throw invalid(text, `expected at most ${MAX_DEPTH} brackets in one another`);
    if (piece === "]" || piece === "}") depth--;
    if (piece === "," && depth <= 0) items.push("");
    else items[items.length - 1] += piece;
  }
  return items.map((item) => item.trim());
}

/**
 * Every combination of the variations' values, the last variation's changing fastest. All of them are read before the first is run.
 * @param text the recipe's file
 * @param name of the file, for errors
 * @throws MoteError ARGUMENT for a place that the recipe does not have; RECIPE naming the variant and the place
 */
export function variantsOf(text: string, name: string, variations: readonly Variation[]): Variant[] {
  // The recipe itself says best what is wrong with it.
  parseRecipe(text, name);
  const base: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
  const place = ({ keys }: Variation): string => `${JSON.stringify(keys).slice(0, -1)},`;
  for (const [i, variation] of variations.entries()) {
    holderOf(base, variation, name);
    const other = variations
      .slice(0, i)
      .find((o) => place(variation).startsWith(place(o)) || place(o).startsWith(place(variation)));
    if (other !== undefined) throw invalid(variation.path, `${other.path} varies the same place`);
  }
  const count = variations.reduce((product, { values }) => product * values.length, 1);
  if (count > MAX_VARIANTS)
    throw new MoteError("ARGUMENT", `--vary: ${count.toLocaleString("en")} variants, expected at most ${MAX_VARIANTS}`);
  return Array.from({ length: count }, (_, index) => {
    const recipe = structuredClone(base);
    const chosen: [string, unknown][] = [];
    let rest = index;
    for (const variation of variations.toReversed()) {
      const { path, keys, values } = variation;
      const value = values[rest % values.length];
      rest = Math.floor(rest / values.length);
      holderOf(recipe, variation, name)[keys.at(-1)!] = value;
      chosen.unshift([path, value]);
    }
    const said = chosen.map(([path, value]) => `${path}=${JSON.stringify(value)}`).join(" ");
    return {
      values: Object.fromEntries(chosen),
      recipe: parseRecipe(JSON.stringify(recipe), said === "" ? name : `${name} with ${said}`),
    };
  });
}

/** The object or list that has the place. @throws MoteError ARGUMENT naming the first key that is not there, and those that are */
function holderOf(recipe: unknown, { path, keys }: Variation, name: string): Record<string | number, unknown> {
  let value = recipe;
  let holder: Record<string | number, unknown> | undefined;
  for (const [i, key] of keys.entries()) {
    const isThere = Array.isArray(value)
      ? typeof key === "number" && key < value.length
      : isRecord(value) && typeof key === "string" && Object.hasOwn(value, key);
    if (!isThere) {
      const where = i === 0 ? name : pathOf(keys.slice(0, i));
      throw invalid(path, `${where} has no ${pathOf([key])}; ${contents(value)}`);
    }
    holder = value as Record<string | number, unknown>;
    value = holder[key];
  }
  return holder!;
}

const pathOf = (keys: readonly (string | number)[]): string =>
  keys.map((key, i) => (typeof key === "number" ? `[${key}]` : `${i === 0 ? "" : "."}${key}`)).join("");

function contents(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "it is empty" : `there are [0] to [${value.length - 1}]`;
  return isRecord(value) ? `there are ${Object.keys(value).join(", ")}` : "it is a single value";
}
