/** The golden containers: which models they hold, under which file names. */
import { join } from "node:path";
import { writeContainer } from "../../host/container/write.js";
import { packageRoot } from "../../host/node/paths.js";
import { buildModel, syntheticModels, type NamedModel } from "../support/models.js";
import { handmadeModels } from "./handmade.js";

const GOLDEN = [
  "tiny",
  "padded",
  "strided",
  "groups",
  "overlapping pool",
  "max-pool alone",
  "average pool",
  "per channel",
  "dense codec",
  "codebook",
  "dead columns",
  "no weights",
  "branches",
  "labels",
];

export interface GoldenModel extends NamedModel {
  /** Without extension. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export function goldenModels(): GoldenModel[] {
  const synthetic = syntheticModels().filter(({ name }) => GOLDEN.includes(name));
  const written = [...synthetic, unwrittenTensors()].map(({ name, model }) => {
    return { name, model, bytes: writeContainer(model) };
  });
  return [...written, ...handmadeModels()].map((golden) => {
    return { ...golden, path: join(packageRoot, "tests/golden", golden.name.replaceAll(" ", "-")) };
  });
}

/** Tensors that no layer writes, with a border and without, and one that is written and not read; the output is not the last of all. */
function unwrittenTensors(): NamedModel {
  const conv = { op: "conv2d", kernel: [3, 3], weights: "grid", density: 0.4, pad: 1, out: 2 } as const;
  const dense = { op: "dense", weights: "grid", density: 0.5, out: 3 } as const;
  const { tensors, layers } = buildModel(3, [1, 5, 5], [conv, { ...conv, from: 0 }, { ...dense, from: 1 }]);
  const [first, unread, last] = layers;
  const nobody = { ...tensors[1], border: 3 };
  return {
    name: "unwritten tensors",
    model: {
      // The input, the first layer's output, nobody's, the model's output, what nobody reads, nobody's.
      tensors: [tensors[0], tensors[1], nobody, tensors[3], tensors[2], { ...nobody, border: 0 }],
      layers: [first, { ...unread, output: 4 }, { ...last, output: 3 }],
    },
  };
}
