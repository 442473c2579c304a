/** Strict checks of JSON values, put together to the schema of a recipe: an unknown key is an error, and each error names its place. */
import { MoteError, shortened } from "../errors.js";
import { shownJson } from "../json.js";
import type { Layer } from "../model/model.js";

/** Checks one JSON value; `path` names it in errors. */
export type Check<T> = (value: unknown, path: string) => T;

export function fail(path: string, expected: string, value: unknown): never {
  throw new MoteError("RECIPE", `${path}: expected ${expected}, got ${shownJson(value)}`);
}

export const number =
  (low: number, high: number): Check<number> =>
  (value, path) =>
    typeof value === "number" && value >= low && value <= high
      ? value
      : fail(path, `a number, ${low} .. ${high}`, value);

export const integer =
  (low: number, high: number): Check<number> =>
  (value, path) =>
    Number.isInteger(value) && (value as number) >= low && (value as number) <= high
      ? (value as number)
      : fail(path, `a whole number, ${low} .. ${high}`, value);

export const text: Check<string> = (value, path) =>
  typeof value === "string" && value !== "" ? value : fail(path, "a text", value);

export const oneOf =
  <T extends string>(...words: readonly T[]): Check<T> =>
  (value, path) =>
    words.includes(value as T) ? (value as T) : fail(path, `one of ${words.join(", ")}`, value);

/** One value for all layers, or for those of the key `all`; or an object by name, pattern or op, see `byLayer`. */
export const layered =
  <T>(check: Check<T>, all: "*" | `op:${Layer["op"]}` = "*"): Check<Record<string, T>> =>
  (value, path) =>
    typeof value === "object" && value !== null ? record(check)(value, path) : { [all]: check(value, path) };

export const either =
  <A, B>(first: Check<A>, second: Check<B>, isSecond: (value: unknown) => boolean): Check<A | B> =>
  (value, path) =>
    isSecond(value) ? second(value, path) : first(value, path);

export const record =
  <T>(check: Check<T>): Check<Record<string, T>> =>
  (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      fail(path, "an object by layer name", value);
    return Object.fromEntries(Object.entries(value as object).map(([key, v]) => [key, check(v, `${path}.${key}`)]));
  };

/** A key that may be left out, with the value it then has. */
class Optional<T> {
  constructor(
    readonly check: Check<T>,
    readonly fallback: T,
  ) {}
}
/** The fallback of a key that is then not there. */
export const absent = undefined as never;
export const optional = <T>(check: Check<T>, fallback: T): Optional<T> => new Optional(check, fallback);

type Fields = Readonly<Record<string, Check<unknown> | Optional<unknown>>>;
export type Checked<F extends Fields> = {
  -readonly [K in keyof F]: F[K] extends Check<infer T> ? T : F[K] extends Optional<infer T> ? T : never;
};

/** An object with just these keys. */
export const object =
  <F extends Fields>(fields: F): Check<Checked<F>> =>
  (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      fail(path === "" ? "recipe" : path, "an object", value);
    const at = (key: string): string => (path === "" ? key : `${path}.${key}`);
    for (const key of Object.keys(value as object)) {
      if (!Object.hasOwn(fields, key))
        throw new MoteError(
          "RECIPE",
          `${at(shortened(key))}: unknown key; known are ${Object.keys(fields).join(", ")}`,
        );
    }
    const result: Record<string, unknown> = {};
    for (const [key, field] of Object.entries(fields)) {
      const given = (value as Record<string, unknown>)[key];
      if (field instanceof Optional) result[key] = given === undefined ? field.fallback : field.check(given, at(key));
      else result[key] = field(given, at(key));
    }
    return result as Checked<F>;
  };

/** Cosine from `lr` to `lrEnd` over `epochs` (of the training split's size, also on a bank of augmented copies). */
export interface Schedule {
  readonly epochs: number;
  readonly lr: number;
  /** Default: 0. */
  readonly lrEnd: number;
}

/** Keys of a schedule, with its defaults. */
export const schedule = (epochs: number, lr: number, lrEnd: number) => ({
  epochs: optional(number(0, 1000), epochs),
  lr: optional(number(0, 1), lr),
  lrEnd: optional(number(0, 1), lrEnd),
});
