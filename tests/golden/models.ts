/** The golden containers: which models they hold, under which file names. */
import { join } from "node:path";
import { CONTAINER_KINDS, writeContainer } from "../../host/container/write.js";
import { packageRoot } from "../../host/node/paths.js";
import { syntheticModels, type NamedModel } from "../support/models.js";
import { wideModels } from "../support/wide.js";
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
  "crops",
  "windows",
  "labels",
];

/** Those that are written by codec 2 as well. */
const ARITHMETIC = ["padded", "groups", "codebook", "dead columns", "no weights"];
/** Those that are written by codec 3 as well. */
const CABAC = ["padded", "codebook"];

/** And by codec 4, as plain and as small containers. */
const GAUSSIAN = ["dense codec", "one dense output"];

/** Those that are written as a small container as well. */
const SMALL = ["tiny", "per channel", "average pool", "residual", "streaming", "windows", "concatenations", "dense codec", "labels"];

/** Those that are written with elements of 16 bits as well, and those of them that are small containers, too. */
const WIDE = ["padded", "average pool", "residual", "gates", "concatenations", "windows", "resized", "streaming"];
const SMALL_WIDE = ["streaming"];

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
  const arithmetic = synthetic
    .filter(({ name }) => ARITHMETIC.includes(name))
    .map(({ name, model }) => {
      return { name: `arithmetic ${name}`, model, bytes: writeContainer(model, { codec: "arithmetic" }) };
    });
  const cabac = synthetic
    .filter(({ name }) => CABAC.includes(name))
    .map(({ name, model }) => {
      return { name: `cabac ${name}`, model, bytes: writeContainer(model, { codec: "cabac" }) };
    });
  const gaussian = syntheticModels()
    .filter(({ name }) => GAUSSIAN.includes(name))
    .flatMap(({ name, model }) =>
      CONTAINER_KINDS.map((container) => {
        const bytes = writeContainer(model, { codec: "gaussian", container });
        return { name: `gaussian ${container} ${name}`, model, bytes };
      }),
    );
  const small = synthetic
    .filter(({ name }) => SMALL.includes(name))
    .map(({ name, model }) => {
      return { name: `small ${name}`, model, bytes: writeContainer(model, { container: "small" }) };
    });
  const wide = wideModels().flatMap(({ name, model }) => [
    ...(WIDE.includes(name) ? [{ name: `wide ${name}`, model, bytes: writeContainer(model) }] : []),
    ...(SMALL_WIDE.includes(name)
      ? [{ name: `small wide ${name}`, model, bytes: writeContainer(model, { container: "small" }) }]
      : []),
  ]);
  return [...written, ...arithmetic, ...cabac, ...gaussian, ...small, ...wide, ...handmadeModels()].map((golden) => {
    return { ...golden, path: join(packageRoot, "tests/golden", golden.name.replaceAll(" ", "-")) };
  });
}
