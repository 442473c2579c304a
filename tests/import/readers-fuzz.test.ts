/** What the readers of Caffe's nets, of graphs in JSON and of Deep Compression's file make of damaged ones: a graph, or an error that says what is wrong. */
import { expect, it } from "vitest";
import { MoteError } from "../../host/errors.js";
import { readCaffe } from "../../host/import/caffe.js";
import { readDeepCompression } from "../../host/import/deep-compression.js";
import { readGraphJson } from "../../host/import/graph-json.js";
import type { ImportedGraph, NamedSource } from "../../host/import/graph.js";
import { lowerGraph } from "../../host/import/import.js";
import { inferShapes } from "../../host/import/shapes.js";
import { Random } from "../../host/rng.js";
import { boundedSource } from "../fuzz/files.js";
import { mutateBytes, mutateHeader, mutateText } from "../fuzz/mutate-bytes.js";
import { mutateMessage } from "../fuzz/protobuf-mutator.js";
import { goldenBytes } from "../support/onnx.js";

/** Of each format. `MOTE_MUTATIONS=30000 npx vitest run tests/import/readers-fuzz.test.ts` tries more. */
const MUTATIONS = Number(process.env["MOTE_MUTATIONS"] ?? 600);

const beside = (bytes: Uint8Array): NamedSource => ({ source: boundedSource(bytes), path: "beside" });

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
    read: ([model, text]) => readCaffe(boundedSource(model), beside(text)),
  })),
  ...["caffe-blocks", "caffe-v1", "caffe-alone"].map((name): Format => ({
    name: `${name} by itself`,
    files: [[`${name}.caffemodel`, mutateModel]],
    read: ([model]) => readCaffe(boundedSource(model)),
  })),
  {
    name: "deep-compression",
    files: [
      ["deep-compression.net", mutateBytes],
      ["deep-compression.prototxt", mutateText],
    ],
    read: ([net, text]) => readDeepCompression(boundedSource(net), beside(text)),
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
