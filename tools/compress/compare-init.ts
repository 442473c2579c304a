/** `mote compress --compare-init`: k-means from three starts, side by side. */
import { compareInitialisations } from "../../host/compress/compare-init.js";
import { loadMnist } from "../../host/node/data/mnist.js";
import { readCheckpoint } from "../../host/node/train/checkpoint.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Output } from "../output.js";

export interface CompareFlags {
  readonly bits: number;
  readonly seed?: number;
  readonly json?: true;
}

export async function compareInit(path: string, { bits, seed = 1, json }: CompareFlags): Promise<void> {
  const output = new Output({ json });
  const { net } = readCheckpoint(path);
  const results = await compareInitialisations(nodeRuntime, net, bits, seed, loadMnist().validation);
  output.lines([
    `${path}, ${bits} bits a weight: mean squared error of each layer, validation error before fine-tuning`,
  ]);
  const names = results[0].layers.map((layer) => layer.layer);
  output.table([
    ["init", ...names, "validation"],
    ...results.map((result) => [
      result.init,
      ...result.layers.map((layer) => layer.meanSquaredError.toExponential(2)),
      `${result.validationErrorPercent.toFixed(2)} %`,
    ]),
  ]);
  output.json(() => ({ file: path, bits, results }));
}
