/** `mote compress --compare-init`: k-means from three starts, side by side. */
import { compareInitialisations } from "../../host/compress/compare-init.js";
import { printable } from "../../host/errors.js";
import { readCheckpoint } from "../../host/node/train/checkpoint.js";
import { withData } from "../../host/node/train/open-net.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { CLASSES } from "../../host/train/losses.js";
import { Output } from "../output.js";
import { dataSpecOf, type TrainingDataFlags } from "../training-flags.js";

export interface CompareFlags extends TrainingDataFlags {
  readonly bits: number;
  readonly seed?: number;
  readonly json?: true;
}

/** By the errors of classes on the validation samples, of MNIST unless `--data` says otherwise. */
export async function compareInit(path: string, flags: CompareFlags): Promise<void> {
  const { bits, seed = 1, json } = flags;
  const output = new Output({ json });
  const { net, data: trainedOn = [] } = readCheckpoint(path);
  const { data, warnings } = withData(path, { net, trainedOn }, dataSpecOf(flags, "mnist"), CLASSES);
  for (const warning of warnings) process.stderr.write(`mote: warning: ${printable(warning)}\n`);
  const results = await compareInitialisations(nodeRuntime, net, bits, seed, data.validation);
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
