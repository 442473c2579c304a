/** The golden containers: which synthetic models they hold, under which file names. */
import { join } from "node:path";
import { packageRoot } from "../../host/paths.js";
import { syntheticModels, type NamedModel } from "../support/models.js";

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
}

export function goldenModels(): GoldenModel[] {
  return syntheticModels()
    .filter(({ name }) => GOLDEN.includes(name))
    .map((named) => ({ ...named, path: join(packageRoot, "tests/golden", named.name.replaceAll(" ", "-")) }));
}
