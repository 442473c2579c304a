/** Reads a `.mote` container. Strict: every MUST of SPEC.md is checked, before the value in question is used. */
import {
  CRC_START,
  FORM_CODEC_MASK,
  FORM_PER_CHANNEL,
  MAGIC,
  MAX_BORDER,
  MAX_BYTES,
  MAX_DIMENSION,
  MAX_LAYERS,
  MAX_TENSORS,
  MIN_WINDOW_BYTES,
  PLAN_UNIT,
  VERSION,
} from "../../assembly/format.js";
import { BitReader } from "../codecs/bit-reader.js";
import type { DecodedWeights } from "../codecs/codec.js";
import { codecOf, CODECS } from "../codecs/index.js";
import { MoteError } from "../errors.js";
import { inputOf, inputsOf } from "../model/edges.js";
import type { QLayer, QModel, QTensor } from "../model/model.js";
import type { Fail } from "../ops/fields.js";
import { columnCount, isWeighted, OP_NUMBERS, opOfNumber, rowCount, type QWeightedLayer } from "../ops/index.js";
import { checkEdges, checkGeometry, checkRequantize, checkTensor } from "./check.js";
import { crc32 } from "./crc32.js";
import { FieldReader } from "./field-reader.js";
import { outputElements, readMetadata } from "./metadata.js";
import { planTotal, REGIONS, requirement, tensorLives, type Plan } from "./plan.js";
import { tensorBytes } from "../model/geometry.js";

/** What the file says of a layer beside what the model needs. Offsets and sizes in bytes unless they say bits. */
export interface LayerInfo {
  readonly offset: number;
  /** Of the whole layer, section included. */
  readonly bytes: number;
  readonly section?: SectionInfo;
}

export interface SectionInfo extends Omit<DecodedWeights, "weights"> {
  readonly offset: number;
  readonly bytes: number;
  readonly codec: number;
  readonly perChannel: boolean;
  readonly biasBits: number;
  readonly biasShift: number;
  /** Bits of multipliers and shifts, of biases, and of the zeros at the end. */
  readonly requantizeBits: number;
  readonly biasBitsTotal: number;
  readonly paddingBits: number;
}

export interface Container {
  readonly model: QModel;
  readonly plan: Plan;
  readonly layers: readonly LayerInfo[];
  readonly fileBytes: number;
  /** Header, memory plan and tensors: everything before the first layer. */
  readonly headBytes: number;
  /** Offsets of tensorCount, which is the first thing behind the file's length, and of what follows the last layer. */
  readonly countsOffset: number;
  readonly metadataOffset: number;
}

export interface ReadOptions {
  /** Weights of all layers together that may be unpacked, one byte each. A small file can ask for much. Default 2^28. */
  readonly maxWeights?: number;
}

/**
 * @throws MoteError FORMAT or UNSUPPORTED naming the field, what was found and expected, and the byte; MEMORY above `maxWeights`
 */
export function readContainer(bytes: Uint8Array, options: ReadOptions = {}): Container {
  const fields = new FieldReader(bytes);
  readHeader(fields);
  const countsOffset = fields.offset;
  const tensorCount = fields.ranged("tensorCount", 1, MAX_TENSORS);
  const layerCount = fields.ranged("layerCount", 1, MAX_LAYERS);
  const regions = readRegions(fields, tensorCount);
  const tensors: QTensor[] = [];
  const offsets: number[] = [];
  for (let index = 0; index < tensorCount; index++) {
    const { tensor, offset } = readTensor(fields, index, regions.arena);
    tensors.push(tensor);
    offsets.push(offset);
  }
  const plan: Plan = { ...regions, offsets };
  const headBytes = fields.offset;

  const layers: QLayer[] = [];
  const infos: LayerInfo[] = [];
  const written = new Set([0]);
  let weightsLeft = options.maxWeights ?? 2 ** 28;
  for (let index = 0; index < layerCount; index++) {
    const where = `layer ${index}`;
    const offset = fields.offset;
    const fail: Fail = (at, problem) => {
      throw new MoteError("FORMAT", `container: ${at}: ${problem} (byte ${offset})`);
    };
    const bare = readBareLayer(fields, where, tensorCount, written, fail);
    const partial: QModel = { tensors, layers: [bare] };
    checkGeometry(partial, bare, where, fail);
    checkOverlap(plan, partial, bare, where, fail);
    if (isWeighted(bare)) {
      const weights = rowCount(partial, bare) * columnCount(partial, bare);
      if (weights > weightsLeft) {
        throw new MoteError(
          "MEMORY",
          `container: ${where} has ${weights} weights, room is left for ${weightsLeft} (byte ${offset})`,
        );
      }
      weightsLeft -= weights;
      const { layer, section } = readWeighted(fields, partial, bare, plan, where);
      layers.push(layer);
      infos.push({ offset, bytes: fields.offset - offset, section });
    } else {
      layers.push(bare);
      infos.push({ offset, bytes: fields.offset - offset });
    }
    written.add(bare.output);
  }
  const metadataOffset = fields.offset;
  const model: QModel = { tensors, layers, ...readMetadata(fields, outputElements({ tensors, layers })) };
  checkLives(model, plan);
  return { model, plan, layers: infos, fileBytes: bytes.length, headBytes, countsOffset, metadataOffset };
}

function readHeader(fields: FieldReader): void {
  const { bytes } = fields;
  if (bytes.length === 0) throw new MoteError("FORMAT", "container: is empty");
  const magic = fields.u32("magic");
  if (magic !== MAGIC) fields.fail("magic", `${hex(magic)}, expected ${hex(MAGIC)}: not a .mote file`);
  const version = fields.u8("version");
  if (version !== VERSION) fields.fail("version", `${version}; this build reads version ${VERSION}`, "UNSUPPORTED");
  const crc = fields.u32("crc");
  const fileBytes = fields.ranged("fileBytes", CRC_START + 1, MAX_BYTES);
  if (fileBytes !== bytes.length) fields.fail("fileBytes", `${fileBytes}, but the file has ${bytes.length} bytes`);
  const computed = crc32(bytes.subarray(CRC_START));
  if (computed !== crc) {
    throw new MoteError(
      "FORMAT",
      `container: crc is ${hex(crc)}, the bytes give ${hex(computed)}: the file is damaged (byte 5)`,
    );
  }
}

function readRegions(fields: FieldReader, tensorCount: number): Omit<Plan, "offsets"> {
  const regions = { window: 0, tables: 0, columns: 0, channels: 0, records: 0, arena: 0 };
  for (const name of REGIONS) regions[name] = fields.ranged(name, 0, MAX_BYTES / PLAN_UNIT) * PLAN_UNIT;
  const total = planTotal({ ...regions, offsets: Array.from({ length: tensorCount }, () => 0) });
  if (total >= MAX_BYTES) fields.fail("the memory plan's total", `${total} bytes, expected fewer than ${MAX_BYTES}`);
  if (regions.window < MIN_WINDOW_BYTES)
    fields.fail("window", `${regions.window} bytes, expected at least ${MIN_WINDOW_BYTES}`);
  if (regions.records < PLAN_UNIT) fields.fail("records", `${regions.records} bytes, expected at least ${PLAN_UNIT}`);
  return regions;
}

function readTensor(fields: FieldReader, index: number, arena: number): { tensor: QTensor; offset: number } {
  const where = `tensor ${index}`;
  const start = fields.offset;
  const fail: Fail = (at, problem) => {
    throw new MoteError("FORMAT", `container: ${at}: ${problem} (byte ${start})`);
  };
  const channels = fields.ranged(`${where} channels`, 1, MAX_DIMENSION);
  const height = fields.ranged(`${where} height`, 1, MAX_DIMENSION);
  const width = fields.ranged(`${where} width`, 1, MAX_DIMENSION);
  const nominalChannels = fields.ranged(`${where} nominalChannels`, channels, MAX_DIMENSION);
  const border = fields.u8(`${where} border`);
  if (border > MAX_BORDER) fields.fail(`${where} border`, `${border}, expected 0 … ${MAX_BORDER}`);
  const scale = fields.f32(`${where} scale`);
  const zeroPoint = fields.i8(`${where} zeroPoint`);
  const tensor: QTensor = { shape: [channels, height, width], nominalChannels, border, scale, zeroPoint };
  checkTensor(tensor, where, fail);
  const offset = fields.ranged(`${where} offset`, 0, MAX_BYTES / PLAN_UNIT) * PLAN_UNIT;
  if (offset + tensorBytes(tensor) > arena) {
    fields.fail(`${where} offset`, `${offset}: its ${tensorBytes(tensor)} bytes end beyond the arena's ${arena}`);
  }
  return { tensor, offset };
}

/** A layer without its weights. */
function readBareLayer(
  fields: FieldReader,
  where: string,
  tensors: number,
  written: ReadonlySet<number>,
  fail: Fail,
): QLayer {
  const number = fields.u8(`${where} op`);
  const op = opOfNumber(number);
  if (op === undefined) {
    return fields.fail(`${where} op`, `${number}; this build has ops ${OP_NUMBERS}`, "UNSUPPORTED");
  }
  const edges = { input: fields.varint(`${where} input`), output: fields.varint(`${where} output`) };
  checkEdges(edges, tensors, written, where, fail);
  return op.layer(edges, fields.values(where, op.fields));
}

function readWeighted(
  fields: FieldReader,
  model: QModel,
  bare: QWeightedLayer,
  plan: Plan,
  where: string,
): { layer: QWeightedLayer; section: SectionInfo } {
  const form = fields.u8(`${where} form`);
  const number = form & FORM_CODEC_MASK;
  const codec = codecOf(number);
  if (codec === undefined) {
    return fields.fail(`${where} codec`, `${number}; this build has codecs 0 … ${CODECS.length - 1}`, "UNSUPPORTED");
  }
  if ((form & ~(FORM_CODEC_MASK | FORM_PER_CHANNEL)) !== 0) {
    fields.fail(`${where} form`, `${hex(form)}, expected its bits 5 … 7 to be zero`);
  }
  const perChannel = (form & FORM_PER_CHANNEL) !== 0;
  const biasBits = fields.u8(`${where} biasBits`);
  if (biasBits > 32) fields.fail(`${where} biasBits`, `${biasBits}, expected 0 … 32`);
  const biasShift = fields.u8(`${where} biasShift`);
  if (biasShift > 31) fields.fail(`${where} biasShift`, `${biasShift}, expected 0 … 31`);
  const sectionBytes = fields.ranged(`${where} sectionBytes`, 0, MAX_BYTES);
  const offset = fields.offset;
  fields.take(`${where} section`, sectionBytes);

  const reader = new BitReader(fields.bytes, offset, offset + sectionBytes, `container: the section of ${where}`);
  const rows = rowCount(model, bare);
  const { multiplier, shift } = readRequantize(reader, perChannel ? rows : 1);
  const requantizeBits = reader.position - offset * 8;
  const bias = readBias(reader, rows, biasBits, biasShift);
  const { weights, ...decoded } = codec.read(reader, rows, columnCount(model, bare));
  const paddingBits = reader.remaining;
  reader.finish();

  const layer = { ...bare, weights, bias, multiplier, shift };
  const section: SectionInfo = {
    offset,
    bytes: sectionBytes,
    codec: number,
    perChannel,
    biasBits,
    biasShift,
    requantizeBits,
    biasBitsTotal: rows * biasBits,
    paddingBits,
    ...decoded,
  };
  checkGrant(plan, model, layer, section, where);
  return { layer, section };
}

function readRequantize(reader: BitReader, count: number): { multiplier: Int32Array; shift: Uint8Array } {
  if (count * 37 > reader.remaining)
    reader.fail(`ends within multipliers: ${count * 37} bits wanted, ${reader.remaining} are left`);
  const multiplier = new Int32Array(count);
  const shift = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    multiplier[i] = reader.read(31, "multiplier");
    shift[i] = reader.read(6, "shift");
    checkRequantize(multiplier[i], shift[i], `row ${i}`, (at, problem) => reader.fail(`has at ${at}: ${problem}`));
  }
  return { multiplier, shift };
}

function readBias(reader: BitReader, rows: number, biasBits: number, biasShift: number): Int32Array {
  const bias = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    const value = reader.readSigned(biasBits, "bias") * 2 ** biasShift;
    if (value < -(2 ** 31) || value >= 2 ** 31) reader.fail(`has bias ${value} in row ${row}, expected an int32`);
    bias[row] = value;
  }
  return bias;
}

/** A layer that needs more than the plan grants could not run. */
function checkGrant(plan: Plan, model: QModel, layer: QWeightedLayer, section: SectionInfo, where: string): void {
  const needed = requirement(model.tensors[inputOf(layer)], layer, rowCount(model, layer), section, section.perChannel);
  for (const region of ["tables", "columns", "channels", "records"] as const) {
    if (needed[region] > plan[region]) {
      throw new MoteError(
        "FORMAT",
        `container: ${where} needs ${needed[region]} bytes of ${region}, the memory plan grants ${plan[region]} (byte ${section.offset})`,
      );
    }
  }
}

function checkOverlap(plan: Plan, model: QModel, layer: QLayer, where: string, fail: Fail): void {
  for (const input of inputsOf(layer)) {
    if (!overlaps(plan, model, input, layer.output)) continue;
    fail(where, `its output, tensor ${layer.output}, overlaps its input, tensor ${input}, in the arena`);
  }
}

/** No tensor that is still to be read may be overwritten. */
function checkLives(model: QModel, plan: Plan): void {
  const lives = tensorLives(model);
  model.layers.forEach((layer, step) => {
    lives.forEach(({ first, last }, tensor) => {
      if (tensor === layer.output || first >= step || last <= step || !overlaps(plan, model, tensor, layer.output))
        return;
      throw new MoteError(
        "FORMAT",
        `container: layer ${step} writes tensor ${layer.output} over tensor ${tensor}, which is read after it`,
      );
    });
  });
}

function overlaps(plan: Plan, model: QModel, a: number, b: number): boolean {
  return (
    plan.offsets[a] < plan.offsets[b] + tensorBytes(model.tensors[b]) &&
    plan.offsets[b] < plan.offsets[a] + tensorBytes(model.tensors[a])
  );
}

function hex(value: number): string {
  return "0x" + value.toString(16);
}
