/** What becomes of a node of a graph when a model is made of it. */
import type { GraphNode, ImportedGraph } from "./graph.js";
import type { NodeView } from "./node-view.js";

/** A node runs as a layer or in one; or dissolves, since others take its work over; or stands in the way, and `why` says what would do. */
export type Verdict =
  | { readonly kind: "runs" }
  | { readonly kind: "dissolves"; readonly into: string }
  | { readonly kind: "not"; readonly why: string };

export const RUNS: Verdict = { kind: "runs" };
export const dissolves = (into: string): Verdict => ({ kind: "dissolves", into });
export const not = (why: string): Verdict => ({ kind: "not", why });

/** A node with its neighbours. */
export class Surroundings {
  private readonly made = new Set<number>();

  constructor(
    private readonly graph: ImportedGraph,
    private readonly readers: ReadonlyMap<number, readonly GraphNode[]>,
  ) {
    // Nodes stand in the order in which they run.
    for (const { op, inputs, outputs } of graph.nodes) {
      const isView = WORKLESS.has(op) && !this.made.has(inputs[0]) && this.isOneScale(inputs[0], outputs[0]);
      if (!isView && op !== "READ_VARIABLE") for (const output of outputs) this.made.add(output);
    }
  }

  /** Whether nothing but a change of shape or scale lies between a tensor and the graph's output. */
  isAtEnd(tensor: number): boolean {
    const seen = new Set<number>();
    for (let at = tensor; !seen.has(at);) {
      seen.add(at);
      const readers = this.readers.get(at) ?? [];
      if (this.graph.outputs.includes(at)) return readers.length === 0;
      if (readers.length !== 1 || !WORKLESS.has(readers[0].op)) return false;
      at = readers[0].outputs[0];
    }
    return false;
  }

  isOutput(tensor: number): boolean {
    return this.graph.outputs.includes(tensor);
  }

  /** Whether a layer makes a tensor, and it is no view of an input or of a state. */
  isMade(tensor: number): boolean {
    return this.made.has(tensor);
  }

  isReadOnce(tensor: number): boolean {
    return this.readers.get(tensor)?.length === 1 && !this.isOutput(tensor);
  }

  isRead(tensor: number | undefined): boolean {
    if (tensor === undefined || tensor < 0) return false;
    return this.readers.has(tensor) || this.isOutput(tensor);
  }

  private isOneScale(a: number, b: number): boolean {
    const [from, to] = [a, b].map((tensor) => this.graph.tensors[tensor]?.quantization);
    if (from === undefined || to === undefined) return true;
    return from.scales[0] === to.scales[0] && from.zeroPoints[0] === to.zeroPoints[0];
  }
}

/** @param node of which some input is not constant, and all shapes are known */
export type Judge = (node: NodeView, around: Surroundings) => Verdict;

/** Ops that keep elements as they are. */
export const WORKLESS: ReadonlySet<string> = new Set([
  "Reshape",
  "Flatten",
  "Squeeze",
  "Unsqueeze",
  "Identity",
  "QuantizeLinear",
  "DequantizeLinear",
  "RESHAPE",
  "SQUEEZE",
  "EXPAND_DIMS",
  "QUANTIZE",
  "DEQUANTIZE",
]);
