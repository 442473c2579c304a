/** Reads a `.mote` container. Strict: every MUST of SPEC.md is checked, before the value in question is used. */
import {
  BIAS_BITS_WIDTH,
  BIAS_SHIFT_WIDTH,
  CRC_START,
  FLAGS_BORDER_MASK,
  FLAG_END,
  FLAG_NOMINAL,
  FLAG_SIZE,
  FLAG_STATE,
  MAGIC,
  MAX_BYTES,
  MAX_DIMENSION,
  MAX_LAYERS,
  MAX_SMALL_WEIGHTS,
  MAX_TENSORS,
  MIN_WINDOW_BYTES,
  OP_LUT,
  PLAN_UNIT,
  SMALL_CRC_START,
  SMALL_TAG,
  SMALL_TAG_WIDE,
  VERSION,
  VERSION_WIDE,
} from "../../assembly/format.js";
import { BitReader } from "../codecs/bit-reader.js";
import type { DecodedWeights } from "../codecs/codec.js";
import { CODEC_NUMBERS, codecOf } from "../codecs/index.js";
import { MoteError } from "../errors.js";
import { givenTensors, inputOf, inputsOf } from "../model/edges.js";
import { tensorBytes } from "../model/geometry.js";
import { elementBytes, wide } from "../model/elements.js";
import type { QLayer, QModel, QTensor, Shape } from "../model/model.js";
import type { Fail } from "../ops/fields.js";
import {
  columnCount,
  integerOp,
  isWeighted,
  kernelOf,
  OP_NUMBERS,
  opOfNumber,
  rowCount,
  type QWeightedLayer,
} from "../ops/index.js";
import { checkEnds, checkGeometry, checkInputs, checkRequantize, checkTensor } from "./check.js";
import { crc32 } from "./crc32.js";
import { FieldReader } from "./field-reader.js";
import { NO_WEIGHT_FORM, readForm, type WeightForm } from "./form.js";
import { endShapes, readMetadata } from "./metadata.js";
import { StreamReader, type StreamPlace } from "./stream-reader.js";
import { planTotal, REGIONS, requirement, scratchBytes, tensorLives, type Plan } from "./plan.js";

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
  /** Offset of the first tensor. */
  readonly tensorsOffset: number;
  /** Head and tensors: everything before the first layer. */
  readonly headBytes: number;
  /** Offset of what follows the last layer. */
  readonly metadataOffset: number;
  /** Of a small container. */
  readonly stream?: {
    /** Where it could be entered for its tensors. */
    readonly tensors: StreamPlace;
    /** Where it ends, if nothing follows: it can be beyond the file's end, where there are zeros. */
    readonly end: number;
  };
}

export interface ReadOptions {
  /** Weights of all layers together that may be unpacked, one byte each. A small file can ask for much. Default 2^28. */
  readonly maxWeights?: number;
  /**
   * Pass over the sections: all else is read and checked, and layers are without weights, biases and scales. For who leaves the sections to a core,
   * which checks them itself. A small container has none to pass over.
   */
  readonly outline?: boolean;
}

/**
 * @throws MoteError FORMAT or UNSUPPORTED naming the field, what was found and expected, and the byte; MEMORY above `maxWeights`
 */
export function readContainer(bytes: Uint8Array, options: ReadOptions = {}): Container {
  const fields = openFields(bytes);
  const head = readHead(fields);
  const { tensorCount, layerCount } = head;
  const tensorsOffset = fields.offset;
  const tensorsPlace = fields instanceof StreamReader ? fields.here : undefined;
  const given = tensorCount - layerCount;
  const tensors: QTensor[] = [];
  const offsets: number[] = [];
  for (let index = 0; index < tensorCount; index++) {
    const { tensor, offset } = readTensor(fields, index, tensors[index - 1]?.shape, head.regions.arena);
    tensors.push(tensor);
    offsets.push(offset);
  }
  const plan: Plan = { ...head.regions, offsets };
  const headBytes = fields.offset;

  const layers: QLayer[] = [];
  const infos: LayerInfo[] = [];
  const outputs = tensors.flatMap(({ scale }, index) => (index >= given && scale !== undefined ? [index] : []));
  const used = { ops: 0, codecs: 0 };
  let weightsLeft = options.maxWeights ?? 2 ** 28;
  let smallWeightsLeft = fields instanceof StreamReader ? MAX_SMALL_WEIGHTS : Infinity;
  for (let index = 0; index < layerCount; index++) {
    const where = `layer ${index}`;
    const offset = fields.offset;
    const fail: Fail = (at, problem) => {
      throw new MoteError("FORMAT", `container: ${at}: ${problem} (byte ${offset})`);
    };
    const { bare, form } = readBareLayer(fields, where, tensors, given + index, head.ops, fail);
    used.ops |= 1 << integerOp(bare).number;
    const partial: QModel = { tensors, layers: [bare], outputs };
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
      smallWeightsLeft -= weights;
      if (smallWeightsLeft < 0)
        fail(where, `makes more than ${MAX_SMALL_WEIGHTS} weights, zeros included, in a small container`);
      used.codecs |= 1 << form.codec;
      if (options.outline === true && !(fields instanceof StreamReader)) {
        layers.push(passWeights(fields, bare, where));
        infos.push({ offset, bytes: fields.offset - offset });
        continue;
      }
      const { layer, section } = readWeighted(fields, partial, bare, plan, where, form, head.codecs);
      layers.push(layer);
      infos.push({ offset, bytes: fields.offset - offset, section });
    } else {
      const { scratchBytes: needed = 0 } = integerOp(bare);
      if (needed > plan.scratch)
        fail(where, `needs ${needed} bytes of scratch, the memory plan grants ${plan.scratch}`);
      layers.push(bare);
      infos.push({ offset, bytes: fields.offset - offset });
    }
  }
  const metadataOffset = fields.offset;
  const bare: QModel = { tensors, layers, outputs };
  checkMasks(head, used);
  checkEnds(bare, (where, problem) => {
    throw new MoteError("FORMAT", `container: ${where}: ${problem}`);
  });
  checkLives(bare, plan);
  const behind = fields instanceof StreamReader ? new FieldReader(bytes, undefined, metadataOffset) : fields;
  const model: QModel = { ...bare, ...readMetadata(behind, endShapes(bare)) };
  const container = { model, plan, layers: infos, fileBytes: bytes.length, tensorsOffset, headBytes, metadataOffset };
  if (!(fields instanceof StreamReader) || tensorsPlace === undefined) return container;
  return { ...container, stream: { tensors: tensorsPlace, end: fields.end } };
}

/** What is read before the tensors. Bit n of a mask stands for the op or codec of number n. */
interface Head {
  readonly ops: number;
  readonly codecs: number;
  readonly tensorCount: number;
  readonly layerCount: number;
  readonly regions: Omit<Plan, "offsets">;
}

/** Reads what tells the two kinds of containers apart, and the CRC. @returns the fields behind it */
function openFields(bytes: Uint8Array): FieldReader {
  const fields = new FieldReader(bytes);
  if (bytes.length === 0) throw new MoteError("FORMAT", "container: is empty");
  const [first] = bytes;
  if (first === SMALL_TAG || first === SMALL_TAG_WIDE) {
    fields.u8("tag");
    const [low, high] = fields.take("crc", 2);
    checkLength(fields);
    checkCrc(bytes, SMALL_CRC_START, low | (high << 8), 0xffff, 1);
    return ofElements(new StreamReader(bytes), first === SMALL_TAG_WIDE);
  }
  const [low, middle, high] = fields.take("magic", 3);
  const magic = low | (middle << 8) | (high << 16);
  if (magic !== MAGIC) fields.fail("magic", `${hex(magic)}, expected ${hex(MAGIC)}: not a .mote file`);
  const version = fields.u8("version");
  if (version !== VERSION && version !== VERSION_WIDE) {
    fields.fail("version", `${version}; this build reads versions ${VERSION} and ${VERSION_WIDE}`, "UNSUPPORTED");
  }
  checkLength(fields);
  checkCrc(bytes, CRC_START, fields.u32("crc"), 0xffffffff, CRC_START - 4);
  return ofElements(fields, version === VERSION_WIDE);
}

function ofElements(fields: FieldReader, isWide: boolean): FieldReader {
  fields.bits = isWide ? 16 : 8;
  return fields;
}

function checkLength(fields: FieldReader): void {
  const { length } = fields.bytes;
  if (length > MAX_BYTES) fields.fail("the file", `${length} bytes long, expected at most ${MAX_BYTES}`);
}

/** @param start of the bytes that the CRC covers @param mask of its bits that are stated @param at its offset */
function checkCrc(bytes: Uint8Array, start: number, crc: number, mask: number, at: number): void {
  const computed = (crc32(bytes.subarray(start)) & mask) >>> 0;
  if (computed === crc) return;
  throw new MoteError(
    "FORMAT",
    `container: crc is ${hex(crc)}, the bytes give ${hex(computed)}: the file is damaged (byte ${at})`,
  );
}

function readHead(fields: FieldReader): Head {
  const isSmall = fields instanceof StreamReader;
  const ops = readMask(
    fields,
    "op",
    OP_NUMBERS,
    (number) => opOfNumber(number) !== undefined && !((isSmall || fields.bits === 16) && number === OP_LUT),
  );
  const codecs = readMask(
    fields,
    "codec",
    CODEC_NUMBERS,
    (number) => codecOf(number) !== undefined && !(isSmall && codecOf(number)!.readStream === undefined),
  );
  const tensorCount = fields.ranged("tensorCount", 2, MAX_TENSORS);
  const layerCount = fields.ranged("layerCount", 1, Math.min(MAX_LAYERS, tensorCount - 1));
  return { ops, codecs, tensorCount, layerCount, regions: readRegions(fields, tensorCount) };
}

/** @param known for people: the numbers that there are */
function readMask(fields: FieldReader, what: string, known: string, isKnown: (number: number) => boolean): number {
  const mask = what === "codec" ? fields.codecs("codecs") : fields.varint("ops");
  for (let number = 0; number < 31; number++) {
    if ((mask & (1 << number)) === 0 || isKnown(number)) continue;
    const why =
      fields instanceof StreamReader
        ? "which a small container cannot have"
        : fields.bits === 16
          ? "which a model of 16-bit activations cannot have"
          : `this build has ${known}`;
    fields.fail(`${what}s`, `${hex(mask)}: the model needs ${what} ${number}; ${why}`, "UNSUPPORTED");
  }
  return mask;
}

/** A mask says what occurs, and nothing else. */
function checkMasks(head: Head, used: { readonly ops: number; readonly codecs: number }): void {
  for (const what of ["ops", "codecs"] as const) {
    if (head[what] === used[what]) continue;
    throw new MoteError("FORMAT", `container: ${what} is ${hex(head[what])}, but the layers have ${hex(used[what])}`);
  }
}

function readRegions(fields: FieldReader, tensorCount: number): Omit<Plan, "offsets"> {
  const regions = { window: 0, scratch: 0, arena: 0 };
  const most = MAX_BYTES / PLAN_UNIT;
  for (const name of REGIONS) {
    regions[name] = (name === "window" ? fields.window(name, most) : fields.ranged(name, 0, most)) * PLAN_UNIT;
  }
  const total = planTotal({ ...regions, offsets: Array.from({ length: tensorCount }, () => 0) });
  if (total >= MAX_BYTES) fields.fail("the memory plan's total", `${total} bytes, expected fewer than ${MAX_BYTES}`);
  if (regions.window < MIN_WINDOW_BYTES)
    fields.fail("window", `${regions.window} bytes, expected at least ${MIN_WINDOW_BYTES}`);
  return regions;
}

/** @param near the shape of the tensor in front of it, if there is one @param arena its bytes */
function readTensor(
  fields: FieldReader,
  index: number,
  near: Shape = [0, 0, 0],
  arena: number,
): { tensor: QTensor; offset: number } {
  const where = `tensor ${index}`;
  const start = fields.offset;
  const fail: Fail = (at, problem) => {
    throw new MoteError("FORMAT", `container: ${at}: ${problem} (byte ${start})`);
  };
  const channels = fields.channels(`${where} channels`, near[0]);
  const flags = fields.flags(`${where} flags`);
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const height = has(FLAG_SIZE) ? fields.dimension(`${where} height`, near[1]) : 1;
  const width = has(FLAG_SIZE) ? fields.dimension(`${where} width`, height) : 1;
  if (has(FLAG_SIZE) && height === 1 && width === 1) fail(where, "states a size of 1 × 1, which goes without saying");
  const nominalChannels = has(FLAG_NOMINAL)
    ? fields.ranged(`${where} nominalChannels`, channels + 1, MAX_DIMENSION)
    : channels;
  const scale = has(FLAG_END) ? { scale: fields.scale(`${where} scale`) } : {};
  const zeroPoint = fields.i8(`${where} zeroPoint`);
  const placeOf = fields.place(`${where} offset`, MAX_BYTES);
  const source = has(FLAG_STATE) ? { source: fields.varint(`${where} source`) } : {};
  const shape: Shape = [channels, height, width];
  const border = flags & FLAGS_BORDER_MASK;
  const tensor: QTensor = { shape, ...wide(fields.bits), nominalChannels, border, ...scale, zeroPoint, ...source };
  checkTensor(tensor, where, fail);
  const place = placeOf(tensorBytes(tensor), arena);
  if (place % elementBytes(tensor) !== 0) fail(where, `offset is ${place}, expected an even one`);
  if (place + tensorBytes(tensor) > arena) {
    fail(where, `offset is ${place}: its ${tensorBytes(tensor)} bytes end beyond the arena's ${arena}`);
  }
  return { tensor, offset: place };
}

/** A layer without its weights. @param output its tensor @param ops the mask of the head */
function readBareLayer(
  fields: FieldReader,
  where: string,
  tensors: readonly QTensor[],
  output: number,
  ops: number,
  fail: Fail,
): { bare: QLayer; form: WeightForm } {
  const number = fields.u8(`${where} op`);
  const op = opOfNumber(number);
  if (op === undefined || (ops & (1 << number)) === 0) {
    return fields.fail(`${where} op`, `${number}, expected one of those that ops names, ${hex(ops)}`);
  }
  const inputs = Array.from({ length: op.arity }, () => output - 1 - fields.ranged(`${where} input`, 0, output - 1));
  let form = NO_WEIGHT_FORM;
  const values = fields.values(where, op.fields, () => {
    const read = readForm(fields, where, op.weights !== null, tensors[output]);
    form = read.form;
    return read.clamp;
  });
  const bare = op.layer({ inputs, output }, values);
  checkInputs(bare, output, where, fail);
  return { bare, form };
}

function passWeights(fields: FieldReader, bare: QWeightedLayer, where: string): QWeightedLayer {
  fields.take(`${where} section`, fields.ranged(`${where} sectionBytes`, 0, MAX_BYTES));
  return {
    ...bare,
    weights: new Int8Array(),
    bias: new Int32Array(),
    multiplier: new Int32Array(),
    shift: new Uint8Array(),
  };
}

function readWeighted(
  fields: FieldReader,
  model: QModel,
  bare: QWeightedLayer,
  plan: Plan,
  where: string,
  form: WeightForm,
  codecs: number,
): { layer: QWeightedLayer; section: SectionInfo } {
  const { codec: number, perChannel } = form;
  const codec = codecOf(number);
  if (codec === undefined || (codecs & (1 << number)) === 0) {
    return fields.fail(`${where} codec`, `${number}, expected one of those that codecs names, ${hex(codecs)}`);
  }
  if (fields instanceof StreamReader) {
    const read = readStream(fields, model, bare, form, where);
    checkGrant(plan, model, read.layer, read.section, where);
    return read;
  }
  const sectionBytes = fields.ranged(`${where} sectionBytes`, 0, MAX_BYTES);
  const offset = fields.offset;
  fields.take(`${where} section`, sectionBytes);

  const reader = new BitReader(fields.bytes, offset, offset + sectionBytes, `container: the section of ${where}`);
  const rows = rowCount(model, bare);
  const biasBits = reader.read(BIAS_BITS_WIDTH, "biasBits");
  if (biasBits > 32) reader.fail(`has biasBits ${biasBits}, expected 0 … 32`);
  const biasShift = reader.read(BIAS_SHIFT_WIDTH, "biasShift");
  const before = reader.position;
  const { multiplier, shift } = readRequantize(reader, perChannel ? rows : 1);
  const requantizeBits = reader.position - before;
  const readSigned = (): number => reader.readSigned(biasBits, "bias");
  const bias = readBias(readSigned, rows, biasShift, (problem) => reader.fail(problem));
  const { weights, ...decoded } = codec.read(reader, rows, columnCount(model, bare), kernelOf(model, bare));
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
    biasBitsTotal: BIAS_BITS_WIDTH + BIAS_SHIFT_WIDTH + rows * biasBits,
    paddingBits,
    ...decoded,
  };
  checkGrant(plan, model, layer, section, where);
  return { layer, section };
}

/** What stands in a section, as a part of the stream. */
function readStream(
  fields: StreamReader,
  model: QModel,
  bare: QWeightedLayer,
  { codec: number, perChannel }: WeightForm,
  where: string,
): { layer: QWeightedLayer; section: SectionInfo } {
  const { offset } = fields;
  const rows = rowCount(model, bare);
  const begin = fields.position;
  const multiplierBits = fields.ranged(`${where} multiplierBits`, 0, 30);
  const formAt = fields.position;
  const { biasBits, biasShift } = fields.biasForm(`${where} biasBits`);
  const formBits = fields.position - formAt;
  if (biasBits > 32) fields.fail(`${where} biasBits`, `${biasBits}, expected 0 … 32`);
  const multiplier = new Int32Array(perChannel ? rows : 1);
  const shift = new Uint8Array(multiplier.length);
  for (let i = 0; i < multiplier.length; i++) {
    multiplier[i] = 2 ** 30 + fields.read(multiplierBits, "multiplier") * 2 ** (30 - multiplierBits);
    shift[i] = fields.read(6, "shift");
    checkRequantize(multiplier[i], shift[i], where, (at, problem) => fields.fail(at, problem));
  }
  const biasesAt = fields.position;
  const readSigned = (): number => fields.readSigned(biasBits, "bias");
  const bias = readBias(readSigned, rows, biasShift, (problem) => fields.fail(where, `one that ${problem}`));
  const biasesEnd = fields.position;
  const { weights, ...decoded } = codecOf(number)!.readStream!(
    fields,
    rows,
    columnCount(model, bare),
    kernelOf(model, bare),
  );
  return {
    layer: { ...bare, weights, bias, multiplier, shift },
    section: {
      offset,
      bytes: fields.offset - offset,
      codec: number,
      perChannel,
      biasBits,
      biasShift,
      requantizeBits: biasesAt - begin - formBits,
      biasBitsTotal: biasesEnd - biasesAt + formBits,
      paddingBits: 0,
      ...decoded,
    },
  };
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

function readBias(
  readSigned: () => number,
  rows: number,
  biasShift: number,
  fail: (problem: string) => never,
): Int32Array {
  const bias = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    const value = readSigned() * 2 ** biasShift;
    if (value < -(2 ** 31) || value >= 2 ** 31) fail(`has bias ${value} in row ${row}, expected an int32`);
    bias[row] = value;
  }
  return bias;
}

/** A layer that needs more than the plan grants could not run. */
function checkGrant(plan: Plan, model: QModel, layer: QWeightedLayer, section: SectionInfo, where: string): void {
  const needed = scratchBytes(
    requirement(model.tensors[inputOf(layer)], layer, rowCount(model, layer), section, section.perChannel),
  );
  if (needed <= plan.scratch) return;
  throw new MoteError(
    "FORMAT",
    `container: ${where} needs ${needed} bytes of scratch, the memory plan grants ${plan.scratch} (byte ${section.offset})`,
  );
}

/** Inputs stand apart from the output, or are its parts, in order. */
function checkOverlap(plan: Plan, model: QModel, layer: QLayer, where: string, fail: Fail): void {
  const { isInPlace } = integerOp(layer);
  let part = plan.offsets[layer.output];
  for (const input of inputsOf(layer)) {
    if (isInPlace) {
      if (plan.offsets[input] !== part) {
        fail(
          where,
          `tensor ${input} is at ${plan.offsets[input]} in the arena, expected ${part}, its part of the output`,
        );
      }
      part += tensorBytes(model.tensors[input]);
    } else if (overlaps(plan, model, input, layer.output)) {
      fail(where, `its output, tensor ${layer.output}, overlaps its input, tensor ${input}, in the arena`);
    }
  }
}

/** No tensor that is still to be read may be overwritten, and what is there before a run stands apart. */
function checkLives(model: QModel, plan: Plan): void {
  const lives = tensorLives(model);
  const given = givenTensors(model);
  for (let tensor = 0; tensor < given; tensor++) {
    for (let other = 0; other < tensor; other++) {
      if (!overlaps(plan, model, tensor, other)) continue;
      throw new MoteError(
        "FORMAT",
        `container: tensor ${tensor} overlaps tensor ${other}; both are there before a run`,
      );
    }
  }
  /** Tensors within each, by layers that work in place. */
  const parts = model.tensors.map((): number[] => []);
  model.layers.forEach((layer, step) => {
    const within = parts[layer.output];
    if (integerOp(layer).isInPlace) for (const input of inputsOf(layer)) within.push(input, ...parts[input]);
    lives.forEach(({ first, last }, tensor) => {
      if (tensor === layer.output || within.includes(tensor) || first >= step || last <= step) return;
      if (!overlaps(plan, model, tensor, layer.output)) return;
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
