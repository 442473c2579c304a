/** Samples as one file, so that they can travel by their hash: a safetensors file of their arrays, in a fixed order. */
import { LENGTH_BYTES, readSafetensors } from "../data/safetensors.js";
import type { Samples } from "../data/samples.js";
import { MoteError } from "../errors.js";
import { memorySource, type ElementType } from "../import/graph.js";
import { isRecord, parseJson } from "../json.js";

export interface TrainingSamples {
  readonly train: Samples;
  readonly validation: Samples;
}

const PARTS = ["train", "validation"] as const;
const ARRAYS = ["images", "labels", "targets", "logits", "features"];

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
export function encodeSamples(samples: TrainingSamples): Uint8Array {
  const header: Record<string, unknown> = {};
  const metadata: Record<string, string> = {};
  const arrays: Values[] = [];
  let at = 0;
  for (const part of PARTS) {
    const { count, ...rest } = samples[part] as Samples & { readonly reading?: unknown };
    metadata[part] = JSON.stringify({ count, ...(rest.reading !== undefined && { reading: rest.reading }) });
    for (const name of ARRAYS) {
      const values = (rest as unknown as Record<string, Values | undefined>)[name];
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

/** Their arrays are in memory that threads can share. @param path for messages @throws MoteError FORMAT */
export function decodeSamples(file: Uint8Array, path: string): TrainingSamples {
  const { metadata, tensors } = readSafetensors(memorySource(file), path, DTYPES);
  const wrong = (what: string): MoteError => new MoteError("FORMAT", `${path}: ${what}`);
  const [train, validation] = PARTS.map((part): Samples => {
    const described = parseJson(metadata[part] ?? "", path, part);
    const count = isRecord(described) ? described.count : undefined;
    if (!Number.isSafeInteger(count) || (count as number) < 1) throw wrong(`${part}: expected a count of samples`);
    const arrays: Record<string, Values> = {};
    for (const { name, type, offset, bytes } of tensors) {
      const [of, field] = name.split(".");
      if (of !== part) continue;
      if (!ARRAYS.includes(field)) throw wrong(`${name}: not an array of samples`);
      const buffer = new SharedArrayBuffer(bytes);
      new Uint8Array(buffer).set(file.subarray(offset, offset + bytes));
      arrays[field] = new (KINDS.find((kind) => kind.type === type)!.make)(buffer);
      if (arrays[field].length % (count as number) !== 0)
        throw wrong(`${name}: ${arrays[field].length} values for ${count as number} samples`);
    }
    if (arrays.images === undefined) throw wrong(`${part}.images: missing`);
    if (arrays.labels !== undefined && arrays.labels.length !== count)
      throw wrong(`${part}.labels: expected ${count as number}`);
    const reading = isRecord(described) ? described.reading : undefined;
    if (reading !== undefined && !isReading(reading)) throw wrong(`${part}: expected a reading of numbers by channel`);
    return { count, ...(reading !== undefined && { reading }), ...arrays } as unknown as Samples;
  });
  return { train, validation };
}

/** How the net sees the values: scale and offset of each channel. */
const isReading = (value: unknown): boolean =>
  isRecord(value) && Object.keys(value).toSorted().join() === "offset,scale" && Object.values(value).every(isNumbers);

const isNumbers = (value: unknown): boolean => Array.isArray(value) && value.every(Number.isFinite);
