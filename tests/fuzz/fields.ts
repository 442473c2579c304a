/** Where the fields of a well-formed container stand, so that a mutation can hit one instead of its neighbours. */
import {
  FLAG_END,
  FLAG_NOMINAL,
  FLAG_SIZE,
  FLAG_STATE,
  FORM_CLAMP,
  FORM_RELU,
  LUT_ENTRIES,
} from "../../assembly/format.js";
import { REGIONS } from "../../host/container/plan.js";
import { containerBits } from "../../host/data/file-kind.js";
import { readLeb128, type FoundLeb128 } from "../../host/module/leb128.js";
import type { FieldKind as LayerFieldKind } from "../../host/ops/fields.js";
import { opOfNumber } from "../../host/ops/index.js";

/** A magic number is three bytes, a word two or four; pairs of one number stand in one varint, those of two in two. */
export type FieldKind = "varint" | "pair" | "u8" | "word" | "bytes" | "section";

export interface Field {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  readonly kind: FieldKind;
}

export interface FieldMap {
  readonly fields: readonly Field[];
  /** First byte of each tensor, and of the first layer. */
  readonly tensorOffsets: readonly number[];
  /** First byte of each layer, and of what follows the last one. */
  readonly layerOffsets: readonly number[];
}

/** @param bytes a container whose head and layers are sound; what is in its sections is not looked at. spec/container.md, "File" */
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

  /** One or two varints. */
  const pair = (name: string): void => {
    const { value, bytes: length } = readVarint(bytes, offset);
    add(name, "pair", length + (value & 1 ? readVarint(bytes, offset + length).bytes : 0));
  };
  const element = (name: string): void => void (containerBits(bytes) === 16 ? add(name, "word", 2) : u8(name));
  /** And the bytes of the clamp that it says follow. */
  const form = (name: string): void => {
    const bits = u8(name);
    if ((bits & FORM_CLAMP) === 0) return;
    if ((bits & FORM_RELU) === 0) element("clampMin");
    element("clampMax");
  };
  const ofKind: Readonly<Record<LayerFieldKind, (name: string) => void>> = {
    varint,
    pair,
    u8,
    u32: (name) => add(name, "word", 4),
    i32: (name) => add(name, "word", 4),
    bytes: (name) => add(name, "bytes", LUT_ENTRIES),
    form,
  };

  add("magic", "bytes", 3);
  u8("version");
  add("crc", "word", 4);
  varint("ops");
  varint("codecs");
  const tensorCount = varint("tensorCount");
  const layerCount = varint("layerCount");
  for (const region of REGIONS) varint(`plan ${region}`);
  const tensorOffsets: number[] = [];
  for (let i = 0; i < tensorCount; i++) {
    tensorOffsets.push(offset);
    varint("channels");
    const flags = u8("flags");
    if (flags & FLAG_SIZE) ["height", "width"].forEach(varint);
    if (flags & FLAG_NOMINAL) varint("nominalChannels");
    if (flags & FLAG_END) add("scale", "word", 4);
    u8("zeroPoint");
    varint("offset");
    if (flags & FLAG_STATE) varint("source");
  }
  tensorOffsets.push(offset);
  const layerOffsets: number[] = [];
  for (let i = 0; i < layerCount; i++) {
    layerOffsets.push(offset);
    const op = opOfNumber(u8("op"))!;
    for (let input = 0; input < op.arity; input++) varint("input");
    for (const { name, kind } of op.fields) ofKind[kind](name);
    if (op.weights === null) continue;
    const sectionBytes = varint("sectionBytes");
    add("section", "section", sectionBytes);
  }
  layerOffsets.push(offset);
  return { fields, tensorOffsets, layerOffsets };
}

/** A varint of at most 5 bytes, whatever its value; beyond the end of the bytes zeros are read. */
export function readVarint(bytes: Uint8Array, offset: number): FoundLeb128 {
  return readLeb128(() => bytes[offset++] ?? 0);
}
