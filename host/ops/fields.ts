/** Fields of a layer in the file: what reader, writer, range checks, the fuzzer's map and SPEC's table of ops are derived from. */

/** A pair is a number for each axis, y then x. A form says how weights are coded, and the inclusive int8 range of the output. */
export type FieldKind = "varint" | "u8" | "u32" | "pair" | "form";

export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  /** Inclusive. */
  readonly least: number;
  readonly most: number;
}

/** Throws for the first rule that does not hold. `where` is "tensor 3" or "layer 2". */
export type Fail = (where: string, problem: string) => never;

export const varint = (name: string, least: number, most: number): Field => ({ name, kind: "varint", least, most });
export const pair = (name: string, least: number, most: number): Field => ({ name, kind: "pair", least, most });

/** Its values are clampMin and clampMax. */
export const FORM: Field = { name: "form", kind: "form", least: -128, most: 127 };

export const REQUANTIZE_FIELDS: readonly Field[] = [
  { name: "multiplier", kind: "u32", least: 2 ** 30, most: 2 ** 31 - 1 },
  { name: "shift", kind: "u8", least: 1, most: 62 },
];

/** Names of a field's values, for errors. */
export function valueNames({ name, kind }: Field): readonly string[] {
  switch (kind) {
    case "pair":
      return [`${name} y`, `${name} x`];
    case "form":
      return ["clampMin", "clampMax"];
    default:
      return [name];
  }
}

/** @param values of the fields */
export function checkValues(fields: readonly Field[], values: readonly number[], where: string, fail: Fail): void {
  let at = 0;
  for (const field of fields) {
    const first = at;
    for (const name of valueNames(field)) {
      const least = name === "clampMax" ? values[first] : field.least;
      range(fail, where, name, values[at++], least, field.most);
    }
  }
}

export function range(fail: Fail, where: string, field: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    fail(where, `${field} is ${value}, expected ${least} … ${most}`);
  }
}
