/** `mote evaluate --float`: the net of real numbers that a model was made of, on the same samples. */
import { argmax, type Classification } from "../host/engines/classify.js";
import type { Engine } from "../host/engines/engine.js";
import { hasTop5, rankOf } from "../host/engines/evaluate.js";
import { MoteError } from "../host/errors.js";
import type { Labels, SampleSet } from "../host/data/data-set.js";
import { beginsStream } from "../host/data/sequences.js";
import { freshFloatStates, runFloat } from "../host/import/float-run.js";
import { valuesOf } from "../host/model/geometry.js";
import { nodeConvolve } from "../host/node/import/convolve.js";
import { namingFile } from "./model-file.js";
import { comparedSamples, samplesFor } from "../host/import/net-samples.js";
import { loadNet } from "./net-samples.js";
import type { Shapes } from "./inspect-graph.js";

/** What the net came to beside the model. */
export interface FloatEvaluation {
  readonly net: string;
  readonly samples: number;
  readonly errors: number;
  /** As of the model; undefined for less than ten classes. */
  readonly inTop5: number | undefined;
  /** Samples to which both give the same class. */
  readonly agreeing: number;
  /** Samples that the net alone has right, and that the model alone has. */
  readonly netAlone: number;
  readonly modelAlone: number;
}

/** @param steps as of `streamsOf` @throws MoteError FILE, FORMAT, UNSUPPORTED; MISMATCH for a quantized net, or one of other inputs or classes than the model's */
export function floatEvaluator(
  path: string,
  shapes: Shapes | undefined,
  engine: Engine,
  set: SampleSet & { readonly labels: Labels },
  steps: number,
): { readonly add: (index: number, result: Classification) => void; readonly result: () => FloatEvaluation } {
  const net = namingFile(path, () => loadNet(path, undefined, shapes));
  const fail = (why: string): never => {
    throw new MoteError("MISMATCH", `${path}: ${why}`);
  };
  if (net.isQuantized) fail("the net is quantized; expected one of real numbers");
  const sizes = (ends: readonly { readonly tensor: number }[]): string =>
    ends.map(({ tensor }) => net.tensors[tensor].shape.join(" × ")).join(" and ");
  if (sizes(net.inputs) !== engine.input.shape.join(" × ")) {
    fail(`the net's input is ${sizes(net.inputs)}, the model's ${engine.input.shape.join(" × ")}`);
  }
  const classes = valuesOf(net.tensors[net.outputs[0].tensor].shape);
  if (classes !== valuesOf(engine.output.shape)) {
    fail(`the net has ${classes} classes, the model ${valuesOf(engine.output.shape)}`);
  }
  const convolve = nodeConvolve();
  const runs = samplesFor(net, [set], steps);
  const sample = comparedSamples(runs, net, engine);
  const { perSample } = runs;
  let [samples, errors, inTop5, agreeing, netAlone, modelAlone] = [0, 0, 0, 0, 0, 0];
  let states = freshFloatStates(net);
  return {
    add(index, result) {
      let logits: Float32Array = new Float32Array(classes);
      for (let run = index * perSample; run < (index + 1) * perSample; run++) {
        if (beginsStream(run, runs)) states = freshFloatStates(net);
        [logits] = runFloat(net, sample(run).reals, undefined, convolve, states);
      }
      const label = set.labels[index];
      const winner = argmax(logits);
      samples++;
      if (winner !== label) errors++;
      if (rankOf(logits, label) < 5) inTop5++;
      if (winner === result.class) agreeing++;
      else if (winner === label) netAlone++;
      else if (result.class === label) modelAlone++;
    },
    result: () => ({
      net: path,
      samples,
      errors,
      inTop5: hasTop5(classes) ? inTop5 : undefined,
      agreeing,
      netAlone,
      modelAlone,
    }),
  };
}
