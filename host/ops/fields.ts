/** Fields of a layer in the file: what reader, writer, range checks, the fuzzer's map and SPEC's table of ops are derived from. */
import { rangeOfBits, type ElementBits } from "../model/elements.js";
import type { Axes } from "../model/model.js";

/** A pair is a number for each axis, y then x. A form says how weights are coded, and the inclusive range of the
 * output's elements. */
export type FieldKind = "varint" | "u8" | "i32" | "u32" | "pair" | "form" | "bytes";

export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  /** Inclusive. */
  readonly least: number;
  readonly most: number;
  /** The same in a model of int16 elements, where it is another. */
  readonly wide?: Axes;
  /** Of bytes: how many int8 values there are. */
  readonly count?: number;
}

/** Throws for the first rule that does not hold. `where` is "tensor 3" or "layer 2". */
export type Fail = (where: string, problem: string) => never;

export const varint = (name: string, least: number, most: number): Field => ({ name, kind: "varint", least, most });
export const pair = (name: string, least: number, most: number): Field => ({ name, kind: "pair", least, most });

export const u8 = (name: string, least: number, most: number): Field => ({ name, kind: "u8", least, most });
/** From -most to most. @param wide the most in a model of int16 elements */
export const signed = (name: string, most: number, wide: number): Field => ({
  name,
  kind: "i32",
  least: -most,
  most,
  wide: [-wide, wide],
});
export const bytes = (name: string, count: number): Field => ({ name, kind: "bytes", least: -128, most: 127, count });

/** Inclusive, of a field in a model of elements of so many bits. */
export const rangeOf = ({ least, most, wide = [least, most] }: Field, bits: ElementBits): Axes =>
  bits === 16 ? wide : [least, most];

/** Its values are clampMin and clampMax. */
export const FORM: Field = { name: "form", kind: "form", least: -128, most: 127, wide: rangeOfBits(16) };

export const REQUANTIZE_FIELDS: readonly Field[] = [
  { name: "multiplier", kind: "u32", least: 2 ** 30, most: 2 ** 31 - 1 },
  u8("shift", 1, 62),
];

/** Names of a field's values, for errors. */
export function valueNames({ name, kind, count = 1 }: Field): readonly string[] {
  switch (kind) {
    case "pair":
      return [`${name} y`, `${name} x`];
    case "form":
      return ["clampMin", "clampMax"];
    case "bytes":
      return Array.from({ length: count }, (_, i) => `${name} ${i}`);
    default:
      return [name];
  }
}

/** @param values of the fields @param bits of the model's elements */
export function checkValues(
  fields: readonly Field[],
  values: readonly number[],
  where: string,
  fail: Fail,
  bits: ElementBits = 8,
): void {
  let at = 0;
  for (const field of fields) {
    const first = at;
    for (const name of valueNames(field)) {
      const [lowest, most] = rangeOf(field, bits);
      const least = name === "clampMax" ? values[first] : lowest;
      range(fail, where, name, values[at++], least, most);
    }
  }
}

export function range(fail: Fail, where: string, field: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    fail(where, `${field} is ${value}, expected ${least} … ${most}`);
  }
}
