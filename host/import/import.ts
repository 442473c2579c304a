/** From a graph of another format to an integer model: what would not run is refused with all reasons at once. */
import { MoteError } from "../errors.js";
import type { Preprocessing, QModel } from "../model/model.js";
import type { ImportedGraph } from "./graph.js";
import { integerModel } from "./integer-model.js";
import { Lowering, type Format } from "./lowering.js";
import type { ImportedNet, NetEnd } from "./net.js";
import { ONNX } from "./onnx-lowering.js";
import { supportOf } from "./support.js";
import { TFLITE } from "./tflite-lowering.js";
import { isTrivial } from "./view.js";

const FORMATS: Readonly<Record<ImportedGraph["format"], Format>> = { onnx: ONNX, tflite: TFLITE };

/**
 * @param graph with its shapes worked out
 * @throws MoteError UNSUPPORTED with every node, input and output that stands in the way, and why
 */
export function lowerGraph(graph: ImportedGraph): ImportedNet {
  const { verdicts, problems } = supportOf(graph);
  const refused = graph.nodes.flatMap(({ name, op }, index) => {
    const verdict = verdicts[index];
    return verdict.kind === "not" ? [`${name.startsWith(op) ? name : `${op} ${name}`}: ${verdict.why}`] : [];
  });
  const all = [...problems, ...refused];
  if (all.length > 0) throw new MoteError("UNSUPPORTED", `the net does not run: ${all.join("; ")}`);
  return new Lowering(graph, FORMATS[graph.format]).lower();
}

/**
 * A quantized net as the container has it, with the names of its ends, and how its input lies where that is not planar.
 * @throws MoteError as `integerModel`
 */
export function importedModel(net: ImportedNet): QModel {
  const model = integerModel(net);
  const names = [...net.inputs, ...net.outputs].map(({ name }) => name);
  const hasNames = names.length === net.inputs.length + model.outputs.length && names.every((name) => name !== "");
  const preprocessing = interleaved(net.inputs[0], net);
  return { ...model, ...(hasNames ? { names } : {}), ...(preprocessing === undefined ? {} : { preprocessing }) };
}

/** Of an input whose channels stand together. */
function interleaved({ order, tensor }: NetEnd, { tensors }: ImportedNet): Preprocessing | undefined {
  const { shape } = tensors[tensor];
  if (order !== "hwc" || isTrivial(shape)) return undefined;
  const each = (value: number): number[] => Array.from({ length: shape[0] }, () => value);
  return { layout: "interleaved", colours: "none", mean: each(0), std: each(1) };
}
