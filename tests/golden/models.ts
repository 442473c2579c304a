/** The golden containers: which models they hold, under which file names. */
import { join } from "node:path";
import { writeContainer } from "../../host/container/write.js";
import { packageRoot } from "../../host/node/paths.js";
import { syntheticModels, type NamedModel } from "../support/models.js";
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
  "strides and pads of their own",
  "rectangular pools that pad",
  "streaming",
  "residual",
  "gates",
  "concatenations",
  "resized",
  "labels",
];

export interface GoldenModel extends NamedModel {
  /** Without extension. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export function goldenModels(): GoldenModel[] {
  const synthetic = syntheticModels().filter(({ name }) => GOLDEN.includes(name));
  const written = synthetic.map(({ name, model }) => {
    return { name, model, bytes: writeContainer(model) };
  });
  return [...written, ...handmadeModels()].map((golden) => {
    return { ...golden, path: join(packageRoot, "tests/golden", golden.name.replaceAll(" ", "-")) };
  });
}
