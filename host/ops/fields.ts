/** Fields of a layer in the file: what reader, writer, range checks, the fuzzer's map and SPEC.md's table are derived from. */

export type FieldKind = "varint" | "u8" | "i8" | "u32";

export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  /** Inclusive. A name: the value of that field, which stands before this one. */
  readonly least: number | string;
  readonly most: number;
}

/** Throws for the first rule that does not hold. `where` is "tensor 3" or "layer 2". */
export type Fail = (where: string, problem: string) => never;

export const varint = (name: string, least: number, most: number): Field => ({ name, kind: "varint", least, most });

/** Inclusive int8 range of the output. */
export const CLAMP_FIELDS: readonly Field[] = [
  { name: "clampMin", kind: "i8", least: -128, most: 127 },
  { name: "clampMax", kind: "i8", least: "clampMin", most: 127 },
];

export const REQUANTIZE_FIELDS: readonly Field[] = [
  { name: "multiplier", kind: "u32", least: 2 ** 30, most: 2 ** 31 - 1 },
  { name: "shift", kind: "u8", least: 1, most: 62 },
];

/** The least that `fields[index]` may be. @param values of the fields before it at least */
export function leastOf(fields: readonly Field[], values: readonly number[], index: number): number {
  const { least } = fields[index];
  return typeof least === "number" ? least : values[fields.findIndex(({ name }) => name === least)];
}

/** @param values one a field */
export function checkValues(fields: readonly Field[], values: readonly number[], where: string, fail: Fail): void {
  fields.forEach(({ name, most }, i) => range(fail, where, name, values[i], leastOf(fields, values, i), most));
}

export function range(fail: Fail, where: string, field: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    fail(where, `${field} is ${value}, expected ${least} … ${most}`);
  }
}
