/** What the readers of Caffe's nets, of graphs in JSON and of Deep Compression's file make of damaged ones: a graph, or an error that says what is wrong. */
import { expect, it } from "vitest";
import { MoteError } from "../../host/errors.js";
import { readCaffe } from "../../host/import/caffe.js";
import { readDeepCompression } from "../../host/import/deep-compression.js";
import { readGraphJson } from "../../host/import/graph-json.js";
import type { ByteSource, ImportedGraph, NamedSource } from "../../host/import/graph.js";
import { lowerGraph } from "../../host/import/import.js";
import { inferShapes } from "../../host/import/shapes.js";
import { Random } from "../../host/rng.js";
import { mutateMessage } from "../fuzz/protobuf-mutator.js";
import { goldenBytes } from "../support/onnx.js";

/** Of each format. `MOTE_MUTATIONS=30000 npx vitest run tests/import/readers-fuzz.test.ts` tries more. */
const MUTATIONS = Number(process.env["MOTE_MUTATIONS"] ?? 600);

/** Asks for nothing beyond the end. */
function bounded(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length)) {
        throw new Error(`asked for ${length} bytes at ${offset} of ${bytes.length}`);
      }
      return bytes.subarray(offset, offset + length);
    },
  };
}

const beside = (bytes: Uint8Array): NamedSource => ({ source: bounded(bytes), path: "beside" });

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Numbers around the edges of what sizes may be, and other things that mean something somewhere. */
const WORDS =
  '0 1 -1 2 3 7 16 17 255 65536 2147483648 9007199254740991 1e300 -0.5 0x10 true [ ] { } : , " # "data" "conv1" "w" MAX AVE PROD null []'.split(
    " ",
  );

/** Words and signs of a text exchanged, left out, doubled; sometimes its bytes. */
function mutateText(seed: Uint8Array, random: Random): Uint8Array {
  if (random.integer(8) === 0) return mutateBytes(seed, random);
  const tokens = decode(seed).match(/\s+|"[^"]*"|[\w.+-]+|[^]/g)!;
  for (let changes = 1 + random.integer(3); changes > 0; changes--) {
    const at = random.integer(tokens.length);
    const other = random.integer(tokens.length);
    const kind = random.integer(5);
    if (kind === 0) tokens.splice(at, 1 + random.integer(4));
    else if (kind === 1) tokens.splice(at, 0, ...tokens.slice(other, other + 1 + random.integer(20)));
    else if (kind === 2) tokens[at] = tokens[other];
    else tokens[at] = WORDS[random.integer(WORDS.length)];
    if (tokens.length === 0) break;
  }
  return encode(tokens.join(""));
}

function mutateBytes(seed: Uint8Array, random: Random): Uint8Array {
  const bytes = seed.slice();
  const view = new DataView(bytes.buffer);
  for (let changes = 1 + random.integer(3); changes > 0; changes--) {
    const at = random.integer(bytes.length - 4);
    const kind = random.integer(4);
    if (kind === 0) bytes[at] ^= 1 << random.integer(8);
    else if (kind === 1) view.setUint32(at & ~3, random.nextU32() >>> random.integer(32), true);
    else if (kind === 2) view.setUint32(at & ~3, view.getUint32(at & ~3, true) + random.integer(17) - 8, true);
    else bytes.copyWithin(at, random.integer(bytes.length), random.integer(bytes.length));
  }
  return random.integer(8) === 0 ? bytes.subarray(0, random.integer(bytes.length)) : bytes;
}

/** Of a safetensors file what its header says, in a file as long. */
function mutateHeader(seed: Uint8Array, random: Random): Uint8Array {
  if (random.integer(4) === 0) return mutateBytes(seed, random);
  const length = Number(new DataView(seed.buffer, seed.byteOffset).getBigUint64(0, true));
  const header = mutateText(seed.subarray(8, 8 + length), random);
  const bytes = new Uint8Array(8 + header.length + seed.length - 8 - length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  bytes.set(seed.subarray(8 + length), 8 + header.length);
  return bytes;
}

const TEXTS =
  "data conv1 it Convolution InnerProduct Pooling Eltwise Concat Scale BatchNorm Flatten Reshape Split Data Input".split(
    " ",
  );
const mutateModel = (seed: Uint8Array, random: Random): Uint8Array => mutateMessage(seed, TEXTS, random);

/** One of a format's files damaged, the others as they are. */
interface Format {
  readonly name: string;
  readonly files: readonly (readonly [name: string, mutate: (seed: Uint8Array, random: Random) => Uint8Array])[];
  readonly read: (files: readonly Uint8Array[]) => ImportedGraph;
}

const FORMATS: readonly Format[] = [
  ...["caffe-blocks", "caffe-v1"].map((name): Format => ({
    name: `${name} with its prototxt`,
    files: [
      [`${name}.caffemodel`, mutateModel],
      [`${name}.prototxt`, mutateText],
    ],
    read: ([model, text]) => readCaffe(bounded(model), beside(text)),
  })),
  ...["caffe-blocks", "caffe-v1", "caffe-alone"].map((name): Format => ({
    name: `${name} by itself`,
    files: [[`${name}.caffemodel`, mutateModel]],
    read: ([model]) => readCaffe(bounded(model)),
  })),
  {
    name: "deep-compression",
    files: [
      ["deep-compression.net", mutateBytes],
      ["deep-compression.prototxt", mutateText],
    ],
    read: ([net, text]) => readDeepCompression(bounded(net), beside(text)),
  },
  {
    name: "graph",
    files: [
      ["graph.json", mutateText],
      ["graph.safetensors", mutateHeader],
    ],
    read: ([json, weights]) => readGraphJson(beside(json), () => beside(weights)),
  },
];

it.each(FORMATS)(`${MUTATIONS} mutations of $name are read or refused`, { timeout: 1_200_000 }, ({ files, read }) => {
  const seeds = files.map(([name]) => goldenBytes(name));
  const outcomes = new Map<string, number>();
  for (let index = 0; index < MUTATIONS; index++) {
    const random = new Random(13, index);
    const damaged = random.integer(files.length);
    const given = seeds.map((seed, i) => (i === damaged ? files[i][1](seed, random) : seed));
    let outcome = "runs";
    try {
      const graph = read(given);
      for (const { constant } of graph.tensors) constant?.values();
      lowerGraph(inferShapes(graph, { batch: 1 }));
    } catch (error) {
      if (!(error instanceof MoteError)) throw new Error(`mutation ${index}`, { cause: error });
      outcome = error.code;
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  for (const code of outcomes.keys()) expect(["FORMAT", "UNSUPPORTED", "MISMATCH", "runs"]).toContain(code);
  // Most of what is damaged is noticed, and some of it means nothing. One net's input is open, which is told behind all else.
  expect(outcomes.get("FORMAT")).toBeGreaterThan(MUTATIONS / 20);
  expect((outcomes.get("runs") ?? 0) + (outcomes.get("UNSUPPORTED") ?? 0)).toBeGreaterThan(MUTATIONS / 20);
});
