/** From a seed to a hostile container, and to the circumstances it is loaded in. */
import { MODEL_SLACK_BYTES, PLAN_BASE, TENSOR_ENTRY_BYTES } from "../../assembly/abi.js";
import { CRC_START, PLAN_UNIT, SMALL_CRC_START } from "../../assembly/format.js";
import { REGIONS } from "../../host/container/plan.js";
import { StreamReader } from "../../host/container/stream-reader.js";
import { crc32 } from "../../host/container/crc32.js";
import { containerBits, isSmallMote } from "../../host/data/file-kind.js";
import type { ElementBits } from "../../host/model/elements.js";
import { leb128 } from "../../host/module/leb128.js";
import type { QModel } from "../../host/model/model.js";
import type { Random } from "../../host/rng.js";
import { editBits, smallContainer, type CodedBit } from "./streams.js";
import { mapFields, readVarint, type Field, type FieldMap } from "./fields.js";

/** What the core is given. */
export interface FuzzCase {
  readonly bytes: Uint8Array;
  /** Of the elements that the core is made for: mostly, not always, those that the bytes say they are of. */
  readonly bits: ElementBits;
  /** What `open` is told; nothing beyond may be touched. At most one page. */
  readonly memoryBytes: number;
  /** Where the model is put in linear memory; 0: behind the window. */
  readonly modelPtr: number;
  /** The window callback fails from this call on; -1: never. */
  readonly failAt: number;
  /** From this call on the window shows `swapped` instead of `bytes`, and as many; -1: never. */
  readonly swapAt: number;
  readonly swapped: Uint8Array;
  readonly budget: number;
  /** The mutations, for people. */
  readonly how: string;
}

/** A container to start from. */
export interface Seed {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Of a small container there is none: its fields are no bytes. */
  readonly map: FieldMap | undefined;
  /** What there is instead. */
  readonly bits?: readonly CodedBit[];
}

const PAGE_BYTES = 65536;
/** Units of 8 bytes: decoding tables for codes of up to 13 bits, one more than allowed, and columns, rows and records beside. */
const ROOMY_SCRATCH = 4096 + 256 + 64 + 64;
const NOTHING = new Uint8Array(0);
const INTERESTING = [
  0, 1, 2, 3, 7, 8, 9, 15, 16, 31, 32, 33, 62, 63, 64, 127, 128, 129, 254, 255, 256, 257, 1024, 1025, 4096, 8191, 32767,
  32768, 65535, 65536, 0xffffff, 0x1000000, 0x8000000, 0x1ffffff, 0x2000000, 0xfffffff, 0x10000000, 0x10000001,
  0x3fffffff, 0x40000000, 0x7ffffffe, 0x7fffffff, 0x80000000, 0xffffffff, 0x7ffffffff,
];

export function makeSeed(name: string, bytes: Uint8Array): Seed {
  return { name, bytes, map: isSmallMote(bytes) ? undefined : mapFields(bytes) };
}

/** The same of a small container. */
export function makeSmallSeed(name: string, model: QModel): Seed {
  return { name: `small ${name}`, map: undefined, ...smallContainer(model) };
}

/**
 * The same container with a scratch region larger than it needs, so that what is wrong with a code or a count is not always caught by
 * the plan first. Undefined where that does not fit into a page.
 */
export function makeRoomy({ name, bytes, map }: Seed): Seed | undefined {
  if (map === undefined) return undefined;
  const { offset, length } = fieldNamed(map, "plan scratch");
  const units = readVarint(bytes, offset).value + ROOMY_SCRATCH;
  const roomy = concat(bytes.subarray(0, offset), Uint8Array.from(leb128(units)), bytes.subarray(offset + length));
  fixCrc(roomy);
  return statedPlan(roomy, true) + roomy.length <= PAGE_BYTES - 1024 ? makeSeed(`roomy ${name}`, roomy) : undefined;
}

/** @param others seeds to splice from */
export function makeCase(seed: Seed, others: readonly Seed[], random: Random): FuzzCase {
  const { bytes, how } = mutate(seed, others, random);
  return { bytes, ...circumstances(bytes, random), how: `${seed.name}: ${how.join(", ")}` };
}

/** Bytes of linear memory that a container asks for, as far as its head can be read; NaN when it makes no sense. */
export function statedPlan(bytes: Uint8Array, resident: boolean): number {
  let offset = CRC_START;
  const stream = isSmallMote(bytes) ? new StreamReader(bytes) : undefined;
  const next = (name = ""): number => {
    if (stream !== undefined) return name === "window" ? stream.window(name, Infinity) : stream.varint(name);
    const { value, bytes: length } = readVarint(bytes, offset);
    offset += length;
    return value;
  };
  next(); // ops
  next(); // codecs
  const tensors = next();
  next(); // layers
  const regions = REGIONS.map((name) => next(name));
  if (resident) regions[REGIONS.indexOf("window")] = 0;
  return PLAN_BASE + TENSOR_ENTRY_BYTES * tensors + PLAN_UNIT * regions.reduce((sum, units) => sum + units, 0);
}

/** Mostly the memory the file asks for, to get past the first checks; else too little, or far too little, or a page. */
function circumstances(bytes: Uint8Array, random: Random): Omit<FuzzCase, "bytes" | "how"> {
  const resident = random.integer(4) === 0;
  const plan = statedPlan(bytes, resident);
  const needed = plan + (resident ? bytes.length + MODEL_SLACK_BYTES : 0);
  const fits = needed <= PAGE_BYTES;
  const choice = random.integer(16);
  let memoryBytes = fits ? needed : PAGE_BYTES;
  if (choice === 0) memoryBytes = random.integer(PAGE_BYTES + 1);
  else if (choice === 1) memoryBytes = random.integer(400);
  else if (choice === 2) memoryBytes = Math.max(0, memoryBytes - 1 - random.integer(16));
  else if (choice === 3) memoryBytes = PAGE_BYTES;
  let modelPtr = resident && fits ? plan : 0;
  if (modelPtr !== 0 && random.integer(32) === 0)
    modelPtr = PLAN_BASE + random.integer(PAGE_BYTES - PLAN_BASE - bytes.length);
  const failAt = modelPtr === 0 && random.integer(8) === 0 ? random.integer(20) : -1;
  // A file that changes under the core's eyes: what was checked at first must be checked, or harmless, later.
  const swaps = modelPtr === 0 && failAt < 0 && bytes.length > 0 && random.integer(8) === 0;
  const swapAt = swaps ? random.integer(30) : -1;
  const swapped = swaps ? swap(bytes, random) : NOTHING;
  const budget = [1, 7, 100, 5000, 1 << 16, 0x7fffffff][random.integer(6)];
  const bits = (containerBits(bytes) === 16) === (random.integer(32) !== 0) ? 16 : 8;
  return { bits, memoryBytes, modelPtr, failAt, swapAt, swapped, budget };
}

function swap(bytes: Uint8Array, random: Random): Uint8Array {
  const result = bytes.slice();
  for (let i = 1 + random.integer(8); i > 0; i--) result[random.integer(result.length)] = random.integer(256);
  return result;
}

function mutate(seed: Seed, others: readonly Seed[], random: Random): { bytes: Uint8Array; how: string[] } {
  let bytes = seed.bytes;
  const how: string[] = [];
  const rounds = random.integer(20) === 0 ? 0 : 1 + Math.floor(random.uniform() ** 3 * 4);
  let round = 0;
  if (rounds > 0 && seed.bits !== undefined && random.integer(4) !== 0) {
    bytes = editBits(seed.bits, bytes[0], random, how);
    round = 1 + random.integer(8); // mostly nothing else
  }
  for (; round < rounds; round++) {
    const mutation = pick(MUTATIONS, random);
    bytes = mutation(bytes, random, round === 0 ? seed.map : undefined, others, how);
  }
  bytes = bytes.slice(); // nothing from here on writes to the seed
  // Without this nearly every file would fall at the first fence.
  if (random.integer(20) !== 0) fixCrc(bytes);
  return { bytes, how };
}

type Mutation = (
  bytes: Uint8Array,
  random: Random,
  /** Of the unmutated container: absent once bytes may have moved. */
  map: FieldMap | undefined,
  others: readonly Seed[],
  how: string[],
) => Uint8Array;

const flipBits: Mutation = (bytes, random, _map, _others, how) => {
  const result = bytes.slice();
  const count = 1 + random.integer(random.integer(4) === 0 ? 16 : 2);
  for (let i = 0; i < count && result.length > 0; i++) {
    const bit = random.integer(result.length * 8);
    result[bit >> 3] ^= 1 << (bit & 7);
    how.push(`flip bit ${bit}`);
  }
  return result;
};

const setByte: Mutation = (bytes, random, _map, _others, how) => {
  const result = bytes.slice();
  if (result.length === 0) return result;
  const offset = random.integer(result.length);
  result[offset] = random.integer(2) === 0 ? random.integer(256) : [0, 1, 0x7f, 0x80, 0xff][random.integer(5)];
  how.push(`byte ${offset} = ${result[offset]}`);
  return result;
};

const truncate: Mutation = (bytes, random, _map, _others, how) => {
  const length =
    random.integer(2) === 0 ? random.integer(bytes.length + 1) : Math.max(0, bytes.length - 1 - random.integer(8));
  how.push(`truncate to ${length}`);
  return bytes.subarray(0, length);
};

const extend: Mutation = (bytes, random, _map, _others, how) => {
  const extra = Uint8Array.from({ length: 1 + random.integer(40) }, () => random.integer(256));
  how.push(`append ${extra.length}`);
  return concat(bytes, extra);
};

/** Cuts out, doubles or overwrites a stretch, or brings one in from another container. */
const splice: Mutation = (bytes, random, _map, others, how) => {
  const at = random.integer(bytes.length + 1);
  const length = random.integer(Math.min(64, bytes.length - at) + 1);
  const donor = random.integer(3) === 0 ? bytes : pick(others, random).bytes;
  const from = random.integer(donor.length);
  const brought = donor.subarray(from, from + random.integer(3) * random.integer(64));
  how.push(`splice ${at}+${length} with ${brought.length} bytes`);
  return concat(bytes.subarray(0, at), brought, bytes.subarray(at + length));
};

/** One field set to a telling value, re-encoded, with the lengths around it left as they are or put right. */
const editField: Mutation = (bytes, random, map, others, how) => {
  if (map === undefined) return flipBits(bytes, random, map, others, how);
  const sections = map.fields.filter(({ kind }) => kind === "section");
  const field = pick(sections.length > 0 && random.integer(3) === 0 ? sections : map.fields, random);
  if (field.kind === "section") return editSection(bytes, field, random, how);
  const old = bytes.subarray(field.offset, field.offset + field.length);
  let edited: number[];
  if (field.kind === "varint") {
    const value = tellingValue(readVarint(bytes, field.offset).value, random);
    edited = leb128(value);
    if (random.integer(20) === 0) edited = [...edited.slice(0, -1), edited[edited.length - 1] | 0x80, 0]; // not the shortest form
    how.push(`${field.name} (byte ${field.offset}) = ${value}`);
  } else if (field.kind === "pair") {
    edited = editedPair(random);
    how.push(`${field.name} (byte ${field.offset}) = pair ${edited.join(" ")}`);
  } else if (field.kind === "bytes") {
    edited = Array.from(old, () => random.integer(256));
    how.push(`${field.name} (byte ${field.offset}) = ${edited.join(" ")}`);
  } else if (field.kind === "u8") {
    edited = [tellingValue(old[0], random) & 0xff];
    how.push(`${field.name} (byte ${field.offset}) = ${edited[0]}`);
  } else {
    const value = pick(INTERESTING, random);
    edited = Array.from(old, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);
    how.push(`${field.name} (byte ${field.offset}) = ${value}`);
  }
  return concat(bytes.subarray(0, field.offset), Uint8Array.from(edited), bytes.subarray(field.offset + field.length));
};

/** Small numbers mostly, which may fit what is around them; one for both axes, two, or the same twice. */
function editedPair(random: Random): number[] {
  const number = (): number => (random.integer(4) === 0 ? pick(INTERESTING, random) % 2 ** 30 : random.integer(8));
  const y = number();
  const choice = random.integer(8);
  if (choice <= 2) return leb128(2 * y);
  return [...leb128(2 * y + 1), ...leb128(choice === 3 ? y : number())];
}

/** Codes and counts stand in a section's first bytes, symbols behind: either is hit, or the section's length changed. */
function editSection(bytes: Uint8Array, field: Field, random: Random, how: string[]): Uint8Array {
  const section = bytes.slice(field.offset, field.offset + field.length);
  const head = Math.min(section.length, 48);
  const choice = random.integer(6);
  if (choice <= 3 && section.length > 0) {
    const reach = choice <= 1 ? section.length : head;
    if (choice === 3) {
      const start = random.integer(reach);
      section.fill(random.integer(2) * 255, start, start + 1 + random.integer(24));
      how.push(`section ${field.offset}: fill from ${start}`);
    } else {
      for (let i = 1 + random.integer(3); i > 0; i--) section[random.integer(reach)] ^= 1 << random.integer(8);
      how.push(`section ${field.offset}: flip in the first ${reach} bytes`);
    }
    return concat(bytes.subarray(0, field.offset), section, bytes.subarray(field.offset + field.length));
  }
  const at = random.integer(section.length + 1);
  const cut = choice === 4 ? random.integer(Math.min(4, section.length - at) + 1) : 0;
  const brought = Uint8Array.from({ length: choice === 5 ? 1 + random.integer(4) : 0 }, () => random.integer(256));
  const edited = concat(section.subarray(0, at), brought, section.subarray(at + cut));
  how.push(`section ${field.offset}: ${edited.length} instead of ${section.length} bytes`);
  const lengthBytes = leb128(section.length).length;
  const before = bytes.subarray(0, field.offset - lengthBytes);
  return concat(before, Uint8Array.from(leb128(edited.length)), edited, bytes.subarray(field.offset + field.length));
}

/** Whole layers dropped, doubled or exchanged, with the tensors that they write or without, the counts put right. */
const moveLayers: Mutation = (bytes, random, map, others, how) => {
  if (map === undefined) return splice(bytes, random, map, others, how);
  const pieces = (offsets: readonly number[]): Uint8Array[] =>
    offsets.slice(0, -1).map((start, i) => bytes.subarray(start, offsets[i + 1]));
  const layers = pieces(map.layerOffsets);
  const tensors = pieces(map.tensorOffsets);
  const given = tensors.length - layers.length;
  const at = random.integer(layers.length);
  const from = random.integer(layers.length);
  const withTensors = random.integer(4) !== 0;
  const choice = random.integer(3);
  const move = (items: Uint8Array[], first: number): void => {
    if (choice === 0) items.splice(first + at, 1);
    else if (choice === 1) items.splice(first + at, 0, items[first + from]);
    else [items[first], items[first + at]] = [items[first + at], items[first]];
  };
  move(layers, 0);
  if (withTensors) move(tensors, given);
  how.push(`${["drop", "double", "exchange"][choice]} layer ${at}${withTensors ? " and its tensor" : ""}`);
  const before = fieldNamed(map, "tensorCount").offset;
  const after = fieldNamed(map, "layerCount");
  return concat(
    bytes.subarray(0, before),
    Uint8Array.from([...leb128(tensors.length), ...leb128(layers.length)]),
    bytes.subarray(after.offset + after.length, map.tensorOffsets[0]),
    ...tensors,
    ...layers,
  );
};

const MUTATIONS: readonly Mutation[] = [
  flipBits,
  setByte,
  truncate,
  extend,
  splice,
  moveLayers,
  ...Array<Mutation>(8).fill(editField),
];

const fieldNamed = ({ fields }: FieldMap, wanted: string): Field => fields.find(({ name }) => name === wanted)!;

function tellingValue(old: number, random: Random): number {
  const choice = random.integer(4);
  if (choice === 0) return Math.max(0, old + random.integer(5) - 2);
  if (choice === 1)
    return [old * 2, old >>> 1, old ^ (1 << random.integer(8)), random.integer(256)][random.integer(4)] >>> 0;
  if (choice === 2) return random.nextU32() >>> random.integer(32);
  return pick(INTERESTING, random);
}

/** Rewrites the checksum in place. */
export function fixCrc(bytes: Uint8Array): void {
  if (isSmallMote(bytes) && bytes.length >= SMALL_CRC_START) {
    new DataView(bytes.buffer, bytes.byteOffset).setUint16(1, crc32(bytes.subarray(SMALL_CRC_START)), true);
    return;
  }
  if (bytes.length < CRC_START) return;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(CRC_START - 4, crc32(bytes.subarray(CRC_START)), true);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[random.integer(items.length)];
}
