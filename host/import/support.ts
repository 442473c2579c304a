/** What becomes of each node of a graph when a model is made of it, and why some nodes stand in the way. */
import { MAX_DIMENSION, MAX_TENSOR_BYTES } from "../../assembly/format.js";
import { elementsOf } from "./constants.js";
import { giversOf, widthOf } from "./element-widths.js";
import type { GraphNode, GraphTensor, ImportedGraph } from "./graph.js";
import { isWhole, NodeView, shapeText } from "./node-view.js";
import { ONNX_SUPPORT } from "./onnx-support.js";
import { TFLITE_SUPPORT } from "./tflite-support.js";
import { dissolves, not, RUNS, Surroundings, type Verdict } from "./verdict.js";

export interface Support {
  /** One for each node. */
  readonly verdicts: readonly Verdict[];
  /** What stands in the way beside nodes: inputs, outputs, shapes. */
  readonly problems: readonly string[];
}

/** @param graph with its shapes worked out @throws MoteError FORMAT where attributes are of the wrong kind */
export function supportOf(graph: ImportedGraph): Support {
  const readers = new Map<number, GraphNode[]>();
  for (const node of graph.nodes) {
    // What is worked out when importing reads nothing any more.
    if (isConstant(node, graph)) continue;
    for (const index of new Set(node.inputs)) {
      if (index < 0) continue;
      const all = readers.get(index);
      if (all === undefined) readers.set(index, [node]);
      else all.push(node);
    }
  }
  const around = new Surroundings(graph, readers);
  const verdicts = graph.nodes.map((node) => judge(new NodeView(node, graph.tensors), graph, around));
  return { verdicts, problems: problemsOf(graph) };
}

/** Of each output the elements are known. */
function isConstant({ outputs }: GraphNode, { tensors }: ImportedGraph): boolean {
  return outputs.length > 0 && outputs.every((index) => index < 0 || tensors[index].constant !== undefined);
}

function judge(node: NodeView, graph: ImportedGraph, around: Surroundings): Verdict {
  const outputs = node.node.outputs.filter((index) => index >= 0).map((index) => graph.tensors[index]);
  if (isConstant(node.node, graph)) return dissolves("a constant");
  if (outputs.length > 0 && !node.node.outputs.some((index) => around.isRead(index)))
    return dissolves("nothing, since nobody reads it");
  const table = graph.format === "onnx" ? ONNX_SUPPORT : TFLITE_SUPPORT;
  if (node.node.refused !== undefined) return not(node.node.refused);
  if (node.node.window !== undefined) return RUNS;
  const verdict = table.get(node.op)?.(node, around) ?? not(unknownOp(node.op));
  if (verdict.kind === "not") return verdict;
  if (node.node.inputs.length > 0 && node.node.inputs.every((index) => graph.tensors[index]?.constant !== undefined)) {
    return not(
      "all that it reads is constant, yet it is not worked out here; expected a simplified net, as onnxsim makes it",
    );
  }
  return openShape(node, outputs) ?? verdict;
}

function unknownOp(op: string): string {
  const custom = op.startsWith("CUSTOM:") || op.includes("::");
  return custom ? "an op of its maker's own; expected standard ones" : "no layer does it";
}

/** Of a node where an open shape begins: those behind it are no news. */
function openShape(node: NodeView, outputs: readonly GraphTensor[]): Verdict | undefined {
  const open = outputs.find(({ shape }) => !isWhole(shape));
  const isNews = node.node.inputs.every((_, i) => node.input(i) === undefined || isWhole(node.shape(i)));
  return open && isNews ? not(`its output's shape ${shapeText(open.shape)} does not follow from the file`) : undefined;
}

function problemsOf(graph: ImportedGraph): string[] {
  const { tensors, inputs } = graph;
  const problems: string[] = [];
  const givers = giversOf(graph);
  if (givers.size > 1) {
    const [narrow, wide] = [givers.get(8), givers.get(16)];
    problems.push(`some elements are int8 (${narrow}) and some int16 (${wide}); expected all int8 or all int16`);
  }
  for (const index of inputs) {
    const { name, shape } = tensors[index];
    if (!isWhole(shape)) {
      problems.push(`input ${name} has open sizes, ${shapeText(shape)}; --shape ${name}=... fixes them`);
    } else if (shape.length > 1 && shape[0] !== 1) {
      problems.push(`input ${name} is ${shapeText(shape)}: ${shape[0]} samples at once; a model runs one`);
    }
  }
  tensors.forEach((tensor, index) => {
    const { name, shape, constant } = tensor;
    if (constant !== undefined || !isWhole(shape)) return;
    const most = MAX_TENSOR_BYTES / (widthOf(tensor) === 16 ? 2 : 1);
    if (elementsOf(shape) <= most && shape.every((size) => size <= MAX_DIMENSION)) return;
    problems.push(
      `tensor ${name === "" ? index : name} is ${shapeText(shape)}; sizes are at most ${MAX_DIMENSION}, and all elements ${most}`,
    );
  });
  return problems;
}
