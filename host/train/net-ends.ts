/** What a net that is to be trained wants of its data. */
import type { NetEnds } from "../data/training-set.js";
import { resultsOf } from "../model/edges.js";
import { valuesOf } from "../model/geometry.js";
import type { Graph } from "../model/model.js";
import { sampleShape, tensorShapes } from "../model/shapes.js";
import { lossValues, type Task } from "./losses.js";

export function netEnds(graph: Graph, task: Task): NetEnds {
  const shapes = tensorShapes(graph);
  const results = resultsOf(graph).map((name) => valuesOf(shapes.get(name)!));
  const all = results.reduce((a, b) => a + b, 0);
  return {
    shape: sampleShape(graph),
    outputs: lossValues(task, results[0], all),
    takes: task.loss === "softmax" ? "labels" : "targets",
    usual: graph.ends?.preprocessing,
  };
}
