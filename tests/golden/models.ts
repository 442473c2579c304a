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
];

/** Those that there is a file with codec 2 of, too. */
const GOLDEN_BYTES = ["padded", "branches", "no weights"];

export interface GoldenModel extends NamedModel {
  readonly codec: "huffman" | "bytes";
  /** Without extension. */
  readonly path: string;
}

export function goldenModels(): GoldenModel[] {
  const file = (name: string): string => join(packageRoot, "tests/golden", name.replaceAll(" ", "-"));
  const models = syntheticModels();
  return [
    ...models
      .filter(({ name }) => GOLDEN.includes(name))
      .map((named) => ({ ...named, codec: "huffman" as const, path: file(named.name) })),
    ...models
      .filter(({ name }) => GOLDEN_BYTES.includes(name))
      .map((named) => ({ ...named, codec: "bytes" as const, path: file(`${named.name} bytes`) })),
  ];
}
