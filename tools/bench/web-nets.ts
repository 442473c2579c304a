/** The nets that are run in a browser: the models of ours, and the nets of papers that they are of. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { writeContainer } from "../../host/container/write.js";
import { calibrate } from "../../host/import/calibrate.js";
import { importedModel } from "../../host/import/import.js";
import { valuesOf } from "../../host/model/geometry.js";
import { synthesize } from "../../host/synth/synthesize.js";
import { shippedModel } from "./models.js";
import { SQUEEZENET } from "./squeezenet.js";
import { lowered } from "./zoo-nets.js";

export interface WebNet {
  /** Of a net that `mote synth` makes; in the figures' ids. */
  readonly id: string;
  readonly title: string;
  /** How many times as long as ours the rival is to take. */
  readonly least: number;
  /** @returns the container */
  readonly model: () => Uint8Array;
}

/** @param folder of nets of others, where there is one */
export function webNets(folder: string | undefined): readonly WebNet[] {
  const squeezenet = folder === undefined ? undefined : join(folder, SQUEEZENET);
  const isReal = squeezenet !== undefined && existsSync(squeezenet);
  const synthetic = (id: string, title: string): WebNet => ({
    id,
    title: `${title}, synthetic`,
    least: 3,
    model: () => writeContainer(synthesize(id)),
  });
  return [
    { id: "lenet5", title: "lenet5.mote", least: 10, model: () => shippedModel("lenet5") },
    isReal
      ? { id: "squeezenet", title: "SqueezeNet of Deep Compression", least: 3, model: () => real(squeezenet) }
      : synthetic("squeezenet", "SqueezeNet"),
    synthetic("alexnet", "AlexNet"),
    synthetic("vgg16", "VGG-16"),
  ];
}

/** A net of photos, less their mean. */
function real(path: string): Uint8Array {
  const net = lowered(path);
  const { shape } = net.tensors[net.inputs[0].tensor];
  // Smooth colours: ranges as a photo has them.
  const photo = Float32Array.from(
    { length: valuesOf(shape) },
    (_, i) => 60 * Math.sin(i / 97) + 40 * Math.cos(i / 7001),
  );
  return writeContainer(importedModel(calibrate(net, [[photo]], { range: "all" })));
}
