/** The golden containers: which models they hold, under which file names. */
import { join } from "node:path";
import { cabac } from "../../host/codecs/cabac.js";
import type { Codec } from "../../host/codecs/codec.js";
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

/** Some of them once more, by a codec that has to be asked for. */
const CODED: readonly (readonly [name: string, codec: Codec])[] = [
  ["padded", cabac],
  ["codebook", cabac],
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
  const coded = CODED.map(([name, codec]) => {
    const { model } = synthetic.find((one) => one.name === name)!;
    return { name: `${name} ${codec.name}`, model, bytes: writeContainer(model, { codecs: [codec] }) };
  });
  return [...written, ...coded, ...handmadeModels()].map((golden) => {
    return { ...golden, path: join(packageRoot, "tests/golden", golden.name.replaceAll(" ", "-")) };
  });
}
