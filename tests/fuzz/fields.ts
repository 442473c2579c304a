/** Where the fields of a well-formed container stand, so that a mutation can hit one instead of its neighbours. */
import { readLeb128, type FoundLeb128 } from "../../host/module/leb128.js";
import type { FieldKind as LayerFieldKind } from "../../host/ops/fields.js";
import { opOfNumber } from "../../host/ops/index.js";

export type FieldKind = "varint" | "u8" | "u32" | "section";

export interface Field {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  readonly kind: FieldKind;
}

export interface FieldMap {
  readonly fields: readonly Field[];
  /** First byte of each layer, and where the file ends. */
  readonly layerOffsets: readonly number[];
}

/** @param bytes a container whose head and layers are sound; what is in its sections is not looked at. SPEC.md, "File" */
export function mapFields(bytes: Uint8Array): FieldMap {
  const fields: Field[] = [];
  let offset = 0;
  const add = (name: string, kind: FieldKind, length: number): number => {
    fields.push({ name, kind, offset, length });
    offset += length;
    return offset - length;
  };
  const u8 = (name: string): number => bytes[add(name, "u8", 1)];
  const varint = (name: string): number => {
    const { value, bytes: length } = readVarint(bytes, offset);
    add(name, "varint", length);
    return value;
  };

  const ofKind: Readonly<Record<LayerFieldKind, (name: string) => number>> = {
    varint,
    u8,
    i8: u8,
    u32: (name) => add(name, "u32", 4),
  };

  add("magic", "u32", 4);
  u8("version");
  add("crc", "u32", 4);
  varint("fileBytes");
  const tensorCount = varint("tensorCount");
  const layerCount = varint("layerCount");
  for (const region of ["window", "tables", "columns", "channels", "records", "arena"]) varint(`plan ${region}`);
  for (let i = 0; i < tensorCount; i++) {
    ["channels", "height", "width", "nominalChannels"].forEach(varint);
    u8("border");
    add("scale", "u32", 4);
    u8("zeroPoint");
    varint("offset");
  }
  const layerOffsets: number[] = [];
  for (let i = 0; i < layerCount; i++) {
    layerOffsets.push(offset);
    const op = opOfNumber(u8("op"))!;
    ["input", "output"].forEach(varint);
    for (const { name, kind } of op.fields) ofKind[kind](name);
    if (op.weights === null) continue;
    u8("form");
    u8("biasBits");
    u8("biasShift");
    const sectionBytes = varint("sectionBytes");
    add("section", "section", sectionBytes);
  }
  layerOffsets.push(offset);
  return { fields, layerOffsets };
}

/** A varint of at most 5 bytes, whatever its value; beyond the end of the bytes zeros are read. */
export function readVarint(bytes: Uint8Array, offset: number): FoundLeb128 {
  return readLeb128(() => bytes[offset++] ?? 0);
}
