/** Writes the `.mote` container: SPEC.md from its first byte to its last. */
import {
  BIAS_BITS_WIDTH,
  BIAS_SHIFT_WIDTH,
  CRC_START,
  FLAG_END,
  FLAG_NOMINAL,
  FLAG_SIZE,
  FLAG_STATE,
  MAGIC,
  MAX_BYTES,
  MAX_SMALL_WEIGHTS,
  PLAN_UNIT,
  SMALL_CRC_START,
  SMALL_TAG,
  SMALL_TAG_WIDE,
  VERSION,
  VERSION_WIDE,
} from "../../assembly/format.js";
import { BitWriter } from "../codecs/bit-writer.js";
import type { Coding } from "../codecs/codec.js";
import { CODEC_CHOICES, codingsOf, price, smallestCoding, type CodecChoice } from "../codecs/index.js";
import { concatBytes } from "../bytes.js";
import { MoteError } from "../errors.js";
import { inputOf, inputsOf } from "../model/edges.js";
import { tensorBytes } from "../model/geometry.js";
import { activationBits, type ElementBits } from "../model/elements.js";
import type { QLayer, QModel, QTensor, QWeights, Shape } from "../model/model.js";
import { checkModel } from "./check.js";
import { crc32 } from "./crc32.js";
import { FieldWriter } from "./field-writer.js";
import { NO_WEIGHT_FORM, writeForm } from "./form.js";
import { writeMetadata } from "./metadata.js";
import { columnCount, integerOp, isWeighted, kernelOf, rowCount } from "../ops/index.js";
import { planMemory, planTotal, REGIONS, requirement, toArenaEnds, type Plan } from "./plan.js";
import type { Container } from "./read.js";
import { StreamWriter } from "./stream-writer.js";

export interface WriteOptions {
  /** Bytes of the window, at least 128; default 256. */
  readonly windowBytes?: number;
  /** Bytes the decoding tables may take. Default: the smallest that costs less than 0.3 % of the weights' bytes. */
  readonly tableBytes?: number;
  /** small: version 3, all of it one range-coded stream, which is smaller and takes longer to load and to run. Default plain. */
  readonly container?: ContainerKind;
  /** What may code the weights, with dense where that is smaller; default huffman. */
  readonly codec?: CodecChoice;
  /** Bytes that 1,000 instructions of the core count as, which decoding a layer in a run takes: of the codecs that may be the cheapest is chosen. Default 0. */
  readonly decodeCost?: number;
}

export const CONTAINER_KINDS = ["plain", "small"] as const;
export type ContainerKind = (typeof CONTAINER_KINDS)[number];

/** Share of the weights' bits that smaller decoding tables may cost when their size is not given. */
const TABLE_TOLERANCE = 0.003;

/**
 * @returns the bytes of the container, the same for the same model and options
 * @throws MoteError FORMAT for a model that the format cannot hold, naming what and where; MEMORY for one above its size limits
 */
export function writeContainer(model: QModel, options: WriteOptions = {}): Uint8Array {
  checkModel(model);
  if (options.container === "small") checkSmall(model, options);
  const codings = chooseCodings(model, options);
  const plan = planFor(model, codings, options.windowBytes);
  if (planTotal(plan) >= MAX_BYTES) {
    throw new MoteError(
      "MEMORY",
      `the memory plan takes ${planTotal(plan)} bytes, fewer than ${MAX_BYTES} are allowed`,
    );
  }

  if (options.container === "small") return writeSmall(model, codings, plan);
  const fields = new FieldWriter(activationBits(model));
  writeHead(fields, model, codings, plan);
  const parts: Uint8Array[] = [];
  model.layers.forEach((layer, index) => {
    const coding = codings[index];
    writeLayer(fields, model, layer, coding);
    if (coding === null) return;
    const section = writeSection(layer as QLayer & QWeights, coding);
    fields.varint(section.length);
    parts.push(fields.take(), section);
  });
  parts.push(fields.take(), writeMetadata(model));
  return assemble(parts, activationBits(model));
}

/** A stream is read once, forwards: nothing in it goes back to a byte of the file. */
function checkSmall(model: QModel, { codec }: WriteOptions): void {
  const lut = model.layers.findIndex(({ op }) => op === "lut");
  if (lut >= 0) throw new MoteError("UNSUPPORTED", `layer ${lut} (lut): a small container has no tables`);
  const weights = model.layers.reduce((sum, layer) => sum + (isWeighted(layer) ? layer.weights.length : 0), 0);
  if (weights > MAX_SMALL_WEIGHTS) {
    const problem = `${weights} weights, zeros included, expected at most ${MAX_SMALL_WEIGHTS} in a small container`;
    throw new MoteError("MEMORY", `the model has ${problem}`);
  }
  if (codec === undefined || CODEC_CHOICES[codec].every(({ readStream }) => readStream !== undefined)) return;
  throw new MoteError("MISMATCH", `a small container has no codec ${codec}, expected arithmetic or dense`);
}

/** The same fields in one stream. */
function writeSmall(model: QModel, codings: readonly (Coding | null)[], plan: Plan): Uint8Array {
  const fields = new StreamWriter(activationBits(model));
  writeHead(fields, model, codings, { ...plan, offsets: toArenaEnds(model, plan) });
  model.layers.forEach((layer, index) => {
    const coding = codings[index];
    writeLayer(fields, model, layer, coding);
    if (coding === null) return;
    const { bias, multiplier, shift } = layer as QLayer & QWeights;
    const { biasBits, biasShift } = biasForm(bias);
    const bits = fields.multiplierBits(multiplier);
    fields.biasForm(biasBits, biasShift);
    multiplier.forEach((factor, i) => {
      fields.write(factor >>> (30 - bits), bits);
      fields.write(shift[i], 6);
    });
    for (const value of bias) fields.write(value >> biasShift, biasBits);
    coding.writeStream!(fields);
  });
  const metadata = writeMetadata(model);
  return assembleSmall(fields.finish(metadata.length > 0), metadata, activationBits(model));
}

/** Up to the first layer. */
function writeHead(fields: FieldWriter, model: QModel, codings: readonly (Coding | null)[], plan: Plan): void {
  fields.varint(maskOf(model.layers.map((layer) => integerOp(layer).number)));
  fields.codecs(maskOf(codings.flatMap((coding) => coding?.codec ?? [])));
  fields.varint(model.tensors.length);
  fields.varint(model.layers.length);
  for (const region of REGIONS) {
    const units = plan[region] / PLAN_UNIT;
    if (region === "window") fields.window(units);
    else fields.varint(units);
  }
  model.tensors.forEach((tensor, index) => {
    writeTensor(fields, tensor, model.tensors[index - 1]?.shape, plan.offsets[index], plan.arena);
  });
}

/** A container that has been read, with other metadata. @param metadata as `writeMetadata` gives it */
export function withMetadata(
  bytes: Uint8Array,
  { model, metadataOffset, stream }: Container,
  metadata: Uint8Array,
): Uint8Array {
  if (stream !== undefined) {
    const whole = new Uint8Array(stream.end - SMALL_CRC_START);
    whole.set(bytes.subarray(SMALL_CRC_START, metadataOffset));
    const end = metadata.length > 0 ? whole.length : whole.findLastIndex((byte) => byte !== 0) + 1;
    return assembleSmall(whole.subarray(0, end), metadata, activationBits(model));
  }
  return assemble([bytes.subarray(CRC_START, metadataOffset), metadata], activationBits(model));
}

/** Bit n for each number n. */
const maskOf = (numbers: readonly number[]): number => numbers.reduce((mask, number) => mask | (1 << number), 0);

/** Puts the tag and half of a checksum before a stream. */
function assembleSmall(stream: Uint8Array, metadata: Uint8Array, bits: ElementBits): Uint8Array {
  const file = concatBytes([new Uint8Array(SMALL_CRC_START), stream, metadata]);
  const view = new DataView(file.buffer);
  view.setUint8(0, bits === 16 ? SMALL_TAG_WIDE : SMALL_TAG);
  view.setUint16(1, crc32(file.subarray(SMALL_CRC_START)) & 0xffff, true);
  return file;
}

/** Puts magic, version and checksum before the parts. */
function assemble(parts: readonly Uint8Array[], bits: ElementBits): Uint8Array {
  const total = parts.reduce((sum, part) => sum + part.length, CRC_START);
  if (total > MAX_BYTES)
    throw new MoteError("MEMORY", `the container takes ${total} bytes, at most ${MAX_BYTES} are allowed`);
  const file = concatBytes([new Uint8Array(CRC_START), ...parts]);
  const view = new DataView(file.buffer);
  view.setUint32(0, MAGIC | ((bits === 16 ? VERSION_WIDE : VERSION) << 24), true);
  view.setUint32(CRC_START - 4, crc32(file.subarray(CRC_START)), true);
  return file;
}

/** The coding of each layer; null without weights. Their tables stand in one region of memory, so their size is one choice. */
function chooseCodings(
  model: QModel,
  {
    tableBytes: largestTables,
    container,
    codec = container === "small" ? "arithmetic" : undefined,
    decodeCost = 0,
  }: WriteOptions,
): (Coding | null)[] {
  const options = model.layers.map((layer) =>
    isWeighted(layer)
      ? codingsOf(layer.weights, rowCount(model, layer), columnCount(model, layer), {
          kernel: kernelOf(model, layer),
          ...(codec === undefined ? {} : { codec }),
        })
      : null,
  );
  const choose = (bytes: number): { codings: (Coding | null)[]; bits: number } => {
    const codings = options.map((of) => (of === null ? null : smallestCoding(of, bytes, decodeCost)));
    return {
      codings,
      bits: codings.reduce((sum, coding) => sum + (coding === null ? 0 : price(coding, decodeCost)), 0),
    };
  };
  const best = choose(largestTables ?? Infinity);
  if (largestTables !== undefined) return best.codings;
  for (let bytes = 8; ; bytes *= 2) {
    for (const size of [bytes, bytes * 1.25, bytes * 1.5]) {
      const smaller = choose(size);
      if (smaller.bits <= best.bits * (1 + TABLE_TOLERANCE)) return smaller.codings;
    }
  }
}

function planFor(model: QModel, codings: readonly (Coding | null)[], windowBytes: number | undefined): Plan {
  const requirements = model.layers.map((layer, index) => {
    const coding = codings[index];
    if (coding === null || !isWeighted(layer)) return null;
    const perChannel = layer.multiplier.length > 1;
    return requirement(model.tensors[inputOf(layer)], layer, rowCount(model, layer), coding, perChannel);
  });
  const useful = codings.map((coding) => coding?.fullestRow ?? 0);
  return planMemory(model, requirements, useful, windowBytes);
}

/** @param near the shape of the tensor in front of it, if there is one @param offset of it in the arena @param arena its bytes */
function writeTensor(
  fields: FieldWriter,
  tensor: QTensor,
  near: Shape = [0, 0, 0],
  offset: number,
  arena: number,
): void {
  const { shape, border, nominalChannels, scale, zeroPoint, source } = tensor;
  const [channels, height, width] = shape;
  const hasSize = height !== 1 || width !== 1;
  const hasNominal = nominalChannels !== channels;
  fields.channels(channels, near[0]);
  fields.flags(
    border |
      (hasSize ? FLAG_SIZE : 0) |
      (hasNominal ? FLAG_NOMINAL : 0) |
      (scale === undefined ? 0 : FLAG_END) |
      (source === undefined ? 0 : FLAG_STATE),
  );
  if (hasSize) {
    fields.dimension(height, near[1]);
    fields.dimension(width, height);
  }
  if (hasNominal) fields.varint(nominalChannels);
  if (scale !== undefined) fields.scale(scale);
  fields.i8(zeroPoint);
  fields.place(offset, tensorBytes(tensor), arena);
  if (source !== undefined) fields.varint(source);
}

/** Up to the length of its section. @param coding of its weights, null without any */
function writeLayer(fields: FieldWriter, model: QModel, layer: QLayer, coding: Coding | null): void {
  const op = integerOp(layer);
  fields.u8(op.number);
  for (const input of inputsOf(layer)) fields.varint(layer.output - input - 1);
  const form =
    coding === null || !isWeighted(layer)
      ? NO_WEIGHT_FORM
      : { codec: coding.codec, perChannel: layer.multiplier.length > 1 };
  const output = model.tensors[layer.output];
  fields.values(op.fields, op.values(layer), (clamp) => writeForm(fields, coding !== null, form, clamp, output));
}

function writeSection(layer: QLayer & QWeights, coding: Coding): Uint8Array {
  const { biasBits, biasShift } = biasForm(layer.bias);
  const writer = new BitWriter(Math.ceil(coding.bits / 8) + layer.bias.length * 9 + 18);
  writer.write(biasBits, BIAS_BITS_WIDTH);
  writer.write(biasShift, BIAS_SHIFT_WIDTH);
  layer.multiplier.forEach((multiplier, i) => {
    writer.write(multiplier, 31);
    writer.write(layer.shift[i], 6);
  });
  for (const bias of layer.bias) writer.write(bias >> biasShift, biasBits);
  const before = writer.bitLength;
  coding.write(writer);
  if (writer.bitLength - before !== coding.bits) {
    throw new Error(`writeContainer: counted ${coding.bits} bits of weights and wrote ${writer.bitLength - before}`);
  }
  return writer.finish();
}

/** The fewest bits that hold all biases exactly once their common zero bits are shifted out. */
export function biasForm(bias: Int32Array): { biasBits: number; biasShift: number } {
  const all = bias.reduce((or, b) => or | b, 0);
  if (all === 0) return { biasBits: 0, biasShift: 0 };
  const biasShift = 31 - Math.clz32(all & -all);
  // A signed number needs one bit more than its magnitude, where -2^k counts as 2^k - 1.
  const biasBits = bias.reduce((most, b) => {
    const value = b >> biasShift;
    return Math.max(most, 33 - Math.clz32(value < 0 ? ~value : value));
  }, 0);
  return { biasBits, biasShift };
}
