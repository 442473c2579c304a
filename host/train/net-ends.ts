/** What a net that is to be trained wants of its data. */
import type { NetEnds } from "../data/training-set.js";
import { MoteError } from "../errors.js";
import { resultsOf } from "../model/edges.js";
import { valuesOf } from "../model/geometry.js";
import type { Graph, Preprocessing } from "../model/model.js";
import { sampleShape, tensorShapes } from "../model/shapes.js";
import { lossValues, type Task } from "./losses.js";

export function netEnds(graph: Graph, task: Task): NetEnds {
  const shapes = tensorShapes(graph);
  const results = resultsOf(graph).map((name) => valuesOf(shapes.get(name)!));
  const all = results.reduce((a, b) => a + b, 0);
  return {
    shape: sampleShape(graph),
    steps: graph.steps,
    outputs: lossValues(task, results[0], all),
    takes: task.loss === "softmax" ? "labels" : "targets",
    usual: usualOf(graph),
  };
}

/** A sample of several steps has one channel, whose steps have as many numbers as the model's input channels, all of them the same. */
function usualOf({ name, ends, steps }: Graph): Preprocessing | undefined {
  const preprocessing = ends?.preprocessing;
  if (preprocessing === undefined || steps === undefined) return preprocessing;
  const one = (key: "mean" | "std"): number[] => {
    const [first, ...others] = preprocessing[key];
    const other = others.find((value) => value !== first);
    if (other === undefined) return [first];
    throw new MoteError("UNSUPPORTED", `${name}: ${key} ${first} and ${other}, expected one for all values of a step`);
  };
  return { ...preprocessing, mean: one("mean"), std: one("std") };
}
