/**
 * What a sweep learns from as one file, so that it can travel by its hash: a safetensors file of the samples' arrays, in a fixed order,
 * and in its metadata how they are read and what a model is to tell of them.
 */
import type { TrainingSamples } from "../compress/digest.js";
import { LENGTH_BYTES, readSafetensors } from "../data/safetensors.js";
import type { Samples } from "../data/samples.js";
import { MoteError } from "../errors.js";
import { memorySource, type ElementType } from "../import/graph.js";
import { isRecord, parseJson } from "../json.js";
import { valuesOf } from "../model/geometry.js";
import type { Preprocessing, Shape } from "../model/model.js";
import { checkEnds } from "../train/metadata.js";

/** As TrainingData has it. */
export interface SweepData extends TrainingSamples {
  readonly classes?: readonly string[];
  readonly preprocessing?: Preprocessing;
}

const PARTS = ["train", "validation"] as const;
/** Arrays of samples, by the types that they may have. */
const ARRAYS: Readonly<Record<string, readonly string[]>> = {
  images: ["uint8", "int8", "float32"],
  labels: ["uint8", "uint16"],
  targets: ["float32"],
};

type Values = Uint8Array | Int8Array | Uint16Array | Float32Array;

const KINDS: readonly {
  readonly dtype: string;
  readonly type: ElementType;
  readonly make: new (n: SharedArrayBuffer) => Values;
}[] = [
  { dtype: "U8", type: "uint8", make: Uint8Array },
  { dtype: "I8", type: "int8", make: Int8Array },
  { dtype: "U16", type: "uint16", make: Uint16Array },
  { dtype: "F32", type: "float32", make: Float32Array },
];
const DTYPES = new Map(KINDS.map(({ dtype, type }) => [dtype, type]));

/** Little-endian, as the machines that train are. */
export function encodeSamples(data: SweepData): Uint8Array {
  const { classes: labels, preprocessing } = data;
  const header: Record<string, unknown> = {};
  const metadata: Record<string, string> = {
    model: JSON.stringify({ ...(labels && { labels }), ...(preprocessing && { preprocessing }) }),
  };
  const arrays: Values[] = [];
  let at = 0;
  for (const part of PARTS) {
    const { count, reading, ...arraysOf } = data[part];
    metadata[part] = JSON.stringify({ count, ...(reading && { reading }) });
    for (const name of Object.keys(ARRAYS)) {
      const values = (arraysOf as unknown as Record<string, Values | undefined>)[name];
      if (values === undefined) continue;
      const { dtype } = KINDS.find(({ make }) => values instanceof make)!;
      header[`${part}.${name}`] = { dtype, shape: [values.length], data_offsets: [at, at + values.byteLength] };
      arrays.push(values);
      at += values.byteLength;
    }
  }
  const json = new TextEncoder().encode(JSON.stringify({ __metadata__: metadata, ...header }));
  const file = new Uint8Array(LENGTH_BYTES + json.length + at);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, LENGTH_BYTES);
  let end = LENGTH_BYTES + json.length;
  for (const values of arrays) {
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), end);
    end += values.byteLength;
  }
  return file;
}

/**
 * Their arrays are in memory that threads can share.
 * @param path for messages
 * @param shape of the input of the net that they are for
 * @throws MoteError FORMAT, and MISMATCH for samples of another net
 */
export function decodeSamples(file: Uint8Array, path: string, shape: Shape): SweepData {
  const { metadata, tensors } = readSafetensors(memorySource(file), path, DTYPES);
  const wrong = (what: string): MoteError => new MoteError("FORMAT", `${path}: ${what}`);
  const unknown =
    Object.keys(metadata).find((name) => !DESCRIBED.has(name)) ?? tensors.find(({ name }) => !STORED.has(name))?.name;
  if (unknown !== undefined) throw wrong(`${unknown}: not an array of samples`);
  const partOf = (part: (typeof PARTS)[number]): Samples => {
    const described = parseJson(metadata[part] ?? "", path, part);
    const { count, reading, ...others } = isRecord(described) ? described : {};
    if (!isCount(count)) throw wrong(`${part}: expected a count of samples`);
    const more = Object.keys(others)[0];
    if (more !== undefined) throw wrong(`${part}.${more}: unknown key`);
    const arrays: Record<string, Values> = {};
    for (const { name, type, offset, bytes } of tensors) {
      const [of, field] = name.split(".");
      if (of !== part) continue;
      if (!ARRAYS[field].includes(type)) throw wrong(`${name}: is ${type}, expected ${ARRAYS[field].join(" or ")}`);
      const buffer = new SharedArrayBuffer(bytes);
      new Uint8Array(buffer).set(file.subarray(offset, offset + bytes));
      arrays[field] = new (KINDS.find((kind) => kind.type === type)!.make)(buffer);
      if (arrays[field].length % count !== 0)
        throw wrong(`${name}: ${arrays[field].length} values for ${count} samples`);
    }
    const { images, labels } = arrays;
    if (images === undefined) throw wrong(`${part}.images: missing`);
    if (images.length !== count * valuesOf(shape)) {
      const expected = `${valuesOf(shape)} for the net's input [${shape}]`;
      throw new MoteError(
        "MISMATCH",
        `${path}: ${part}.images: ${images.length / count} values a sample, expected ${expected}`,
      );
    }
    if (labels !== undefined && labels.length !== count) throw wrong(`${part}.labels: expected ${count}`);
    if (reading !== undefined && !isReading(reading, shape[0]))
      throw wrong(`${part}.reading: expected scale and offset, a number for each of ${shape[0]} channels`);
    return { count, ...(reading !== undefined && { reading }), ...arrays } as unknown as Samples;
  };
  const {
    labels: classes,
    preprocessing,
    names,
  } = checkEnds(parseJson(metadata.model ?? "", path, "model"), `${path}: model`);
  if (names !== undefined) throw wrong("model.names: unknown key");
  const [train, validation] = PARTS.map(partOf);
  if (train.images.constructor !== validation.images.constructor)
    throw wrong("validation.images: of another type than train.images");
  return { train, validation, ...(classes && { classes }), ...(preprocessing && { preprocessing }) };
}

/** Keys of the metadata. */
const DESCRIBED = new Set<string>(["model", ...PARTS]);
/** Names of tensors. */
const STORED = new Set(PARTS.flatMap((part) => Object.keys(ARRAYS).map((name) => `${part}.${name}`)));

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 1;

/** How the net sees the values: scale and offset of each channel. */
const isReading = (value: unknown, channels: number): boolean =>
  isRecord(value) &&
  Object.keys(value).toSorted().join() === "offset,scale" &&
  Object.values(value).every(
    (numbers) => Array.isArray(numbers) && numbers.length === channels && numbers.every(Number.isFinite),
  );
