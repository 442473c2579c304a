/**
 * What a file says to hosts beside what the core leaves in linear memory: scales of a container's ends, and the metadata. Small, since a core has
 * checked the container before; spec/container.md has all fields. Behind the end it reads zeros.
 */
import {
  CRC_START,
  FLAG_END,
  FLAG_NOMINAL,
  FLAG_SIZE,
  FLAG_STATE,
  METADATA_LABELS,
  METADATA_NAMES,
  METADATA_PREPROCESSING,
} from "../assembly/format.js";
import { MoteError } from "../host/errors.js";
import { COLOURS, LAYOUTS } from "../host/model/model.js";
import type { ModelTensor } from "./types.js";

/** Varints in front of the tensors: ops, codecs, tensors, layers, and the regions of the memory plan: window, scratch and arena. */
const HEAD_FIELDS = 7;
const WINDOW = 4;

/** Fields of a container, in order. */
export interface Fields {
  /** More than 0 where there may be another tensor. */
  left(): number;
  /** @param areFlags of a tensor */
  byte(areFlags?: boolean): number;
  /** @param mayLack whether a small container may leave it out */
  varint(mayLack?: boolean): number;
  /** A scale. */
  float(): number;
}

/** The fields of a small container, undefined for a plain one: see small-header.ts. */
export type SmallFields = (container: Uint8Array) => Fields | undefined;

/**
 * @param small absent where there are no small ones
 * @returns the scales of the first `count` inputs and outputs; fewer where the container ends before them
 */
export function scalesIn(container: Uint8Array, count: number, small?: SmallFields): number[] {
  const { left, byte, varint, float } = (small?.(container) ?? fieldsOf(container, CRC_START)) as Fields;
  for (let i = 0; i < HEAD_FIELDS; i++) varint(i === WINDOW);
  const scales: number[] = [];
  while (scales.length < count && left() > 0) {
    varint(true); // channels
    const flags = byte(true);
    if (flags & FLAG_SIZE) {
      varint(); // height
      varint(); // width
    }
    if (flags & FLAG_NOMINAL) varint();
    if (flags & FLAG_END) scales.push(float());
    byte(); // zeroPoint
    varint(true); // offset
    if (flags & FLAG_STATE) varint(); // source
  }
  return scales;
}

/** @returns `count` float32s, one behind the other */
export function floatsIn(bytes: Uint8Array, count: number): number[] {
  return Array.from({ length: count }, fieldsOf(bytes).float);
}

/** What may be shown: no control character nor half of a surrogate pair, and an end. */
const TEXT = /^[^\p{Cc}\p{Cs}]{1,255}$/u;

/** What may stand in the metadata. */
export interface Metadata extends Pick<ModelTensor, "labels" | "preprocessing"> {
  readonly names?: readonly string[] | undefined;
}

/**
 * @param ends how many inputs and outputs have names
 * @param channels of the first input
 * @param elements of the first output, each of which has a label
 * @throws MoteError FORMAT for another number of them, texts that are not to be shown, or a preprocessing out of its ranges
 */
export function readMetadata(metadata: Uint8Array, ends: number, channels: number, elements: number): Metadata {
  const entries: (Uint8Array | undefined)[] = [];
  const { left, varint, take } = fieldsOf(metadata);
  while (left() > 0) entries[varint()] = take(varint());

  const texts = (kind: number, count: number, what: string): readonly string[] | undefined => {
    const entry = entries[kind];
    if (entry === undefined) return;
    const list = new TextDecoder().decode(entry).split("\n");
    if (list.length === count && list.every((text) => TEXT.test(text))) return list;
    throw malformed(`${count} ${what} of plain text, got ${list.length}`);
  };
  return {
    labels: texts(METADATA_LABELS, elements, "labels"),
    names: texts(METADATA_NAMES, ends, "names"),
    preprocessing: preprocessingIn(entries[METADATA_PREPROCESSING], channels),
  };
}

function preprocessingIn(entry: Uint8Array | undefined, channels: number): ModelTensor["preprocessing"] {
  if (!entry) return;
  const { byte, float } = fieldsOf(entry);
  const layout = LAYOUTS[byte()];
  const colours = COLOURS[byte()];
  const mean: number[] = [];
  const std: number[] = [];
  for (let c = 0; c < channels; c++) {
    mean.push(float());
    std.push(float());
  }
  const isSound =
    entry.length === 2 + 8 * channels &&
    layout &&
    colours &&
    (channels === 3 || colours === "none") &&
    mean.every(Number.isFinite) &&
    std.every((value) => value > 0 && value < Infinity);
  if (isSound) return { layout, colours, mean, std };
  throw malformed(`a preprocessing of ${channels} channels`);
}

const malformed = (expected: string): MoteError => new MoteError("FORMAT", `metadata: expected ${expected}`);

/** Reads bytes from front to back. */
export function fieldsOf(bytes: Uint8Array, start = 0) {
  let at = start;
  const byte = (): number => bytes[at++] ?? 0;
  return {
    left: () => bytes.length - at,
    byte,
    varint: () => {
      let value = 0;
      for (let weight = 1; ; weight *= 128) {
        const part = byte();
        value += (part & 127) * weight;
        if (part < 128) return value;
      }
    },
    float: () => new DataView(Uint8Array.of(byte(), byte(), byte(), byte()).buffer).getFloat32(0, true),
    /** The next bytes, or fewer. */
    take: (length: number) => bytes.subarray(at, (at += length)),
  };
}
