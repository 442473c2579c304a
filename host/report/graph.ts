/** What a net of another format holds and which of its nodes would run: the figures behind `mote inspect model.onnx`. */
import type { ElementType, ImportedGraph } from "../import/graph.js";
import { NodeView, type Dims } from "../import/node-view.js";
import { inSteps } from "../import/steps.js";
import { supportOf } from "../import/support.js";
import type { Verdict } from "../import/verdict.js";
import { macsOf, parametersOf } from "../import/work.js";

export interface EdgeReport {
  readonly name: string;
  readonly shape: Dims | null;
  readonly type: ElementType;
}

export interface NodeReport {
  readonly name: string;
  readonly op: string;
  /** Shape of the first output. */
  readonly output: Dims | null;
  /** Multiplications of weights that an inference does; null where they depend on an open shape. */
  readonly macs: number | null;
  readonly parameters: number;
  readonly verdict: Verdict["kind"];
  /** What takes the work over of a node that dissolves. */
  readonly into?: string;
  /** Why a node does not run, and what would. */
  readonly why?: string;
}

export interface GraphReport {
  readonly inputs: readonly EdgeReport[];
  readonly outputs: readonly EdgeReport[];
  readonly nodes: readonly NodeReport[];
  readonly macs: number | null;
  readonly parameters: number;
  /** What stands in the way beside nodes. */
  readonly problems: readonly string[];
  readonly runs: boolean;
}

/** @param graph with its shapes worked out @throws MoteError FORMAT as `supportOf` */
export function reportGraph(graph: ImportedGraph): GraphReport {
  const { graph: stepped, places } = inSteps(graph);
  const { verdicts, problems } = supportOf(stepped);
  const nodes = graph.nodes.map((node, i): NodeReport => {
    const view = new NodeView(node, graph.tensors);
    const { kind, ...reason } = verdicts[places[i]];
    // What is constant counts where it is read.
    const isConstant = view.output(0)?.constant !== undefined;
    return {
      name: node.name,
      op: node.op,
      output: view.output(0)?.shape ?? null,
      macs: isConstant ? 0 : (macsOf(view) ?? null),
      parameters: isConstant ? 0 : parametersOf(view),
      verdict: kind,
      ...reason,
    };
  });
  const edges = (indices: readonly number[]): EdgeReport[] =>
    indices.map((index) => {
      const { name, shape, type } = graph.tensors[index];
      return { name, shape: shape ?? null, type };
    });
  return {
    inputs: edges(graph.inputs),
    outputs: edges(graph.outputs),
    nodes,
    macs: nodes.reduce<number | null>((sum, { macs }) => (sum === null || macs === null ? null : sum + macs), 0),
    parameters: nodes.reduce((sum, { parameters }) => sum + parameters, 0),
    problems,
    runs: problems.length === 0 && verdicts.every(({ kind }) => kind !== "not"),
  };
}

/** Different ops of one step. */
const MAX_OPS = 4;

/** Nodes that are one line of a table: a node with weights or more than one input, and those behind it that only change what it makes. */
export interface Step {
  readonly first: NodeReport;
  /** One behind the other, with how many times in a row. */
  readonly ops: readonly { readonly op: string; readonly times: number }[];
  readonly output: Dims | null;
  readonly macs: number | null;
  readonly parameters: number;
}

/** The nodes that are left when constants are worked out, in the order of the file. @param folds several nodes a step */
export function stepsOf(graph: ImportedGraph, { nodes }: GraphReport, folds: boolean): Step[] {
  const isConstant = (index: number): boolean => index < 0 || graph.tensors[index].constant !== undefined;
  const readers = new Map<number, number>();
  for (const { inputs, outputs } of graph.nodes) {
    if (outputs.length > 0 && outputs.every(isConstant)) continue;
    for (const index of inputs) readers.set(index, (readers.get(index) ?? 0) + 1);
  }
  const steps: Step[] = [];
  /** By tensor that a step ends with. */
  const ends = new Map<number, number>();
  graph.nodes.forEach((node, i) => {
    const report = nodes[i];
    if (node.outputs.length > 0 && node.outputs.every(isConstant)) return;
    const read = node.inputs.filter((index) => !isConstant(index));
    const before = read.length === 1 && readers.get(read[0]) === 1 ? ends.get(read[0]) : undefined;
    const folded = before === undefined ? undefined : chained(steps[before].ops, node.op);
    if (folds && folded !== undefined && report.macs === 0 && report.verdict !== "not") {
      const step = steps[before!];
      steps[before!] = {
        ...step,
        ops: folded,
        output: report.output,
        parameters: step.parameters + report.parameters,
      };
      ends.set(node.outputs[0], before!);
      return;
    }
    const { op, output, macs, parameters, verdict } = report;
    steps.push({ first: report, ops: [{ op, times: 1 }], output, macs, parameters });
    if (verdict !== "not") ends.set(node.outputs[0], steps.length - 1);
  });
  return steps;
}

/** @returns undefined where the line is long enough already */
function chained(ops: Step["ops"], op: string): Step["ops"] | undefined {
  const last = ops[ops.length - 1];
  if (last.op === op) return [...ops.slice(0, -1), { op, times: last.times + 1 }];
  return ops.length < MAX_OPS ? [...ops, { op, times: 1 }] : undefined;
}

/** Nodes that would not run, those with the same op and reason together. */
export function refusals({ nodes }: GraphReport): { op: string; why: string; names: readonly string[] }[] {
  const all = new Map<string, { op: string; why: string; names: string[] }>();
  for (const { name, op, why } of nodes) {
    if (why === undefined) continue;
    const key = `${op}\n${why}`;
    const known = all.get(key);
    if (known === undefined) all.set(key, { op, why, names: [name] });
    else known.names.push(name);
  }
  return [...all.values()];
}

/** "1 × 3 × H × W", "scalar" */
export function dimsText(shape: Dims | null): string {
  if (shape === null) return "unknown";
  return shape.length === 0 ? "scalar" : shape.join(" × ");
}
