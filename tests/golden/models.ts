/**
 * The golden containers: which synthetic models they hold, under which file names. After a change of the format or the encoder:
 *   node dist/tests/golden/models.js && python3 tests/golden/decode.py
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeContainer } from "../../host/container/write.js";
import { packageRoot } from "../../host/paths.js";
import { writeFileAtomic } from "../../host/write-file.js";
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { path, model } of goldenModels()) writeFileAtomic(`${path}.mote`, writeContainer(model));
}
