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
  constructor(
    private readonly graph: ImportedGraph,
    private readonly readers: ReadonlyMap<number, readonly GraphNode[]>,
  ) {}

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

  isRead(tensor: number | undefined): boolean {
    if (tensor === undefined || tensor < 0) return false;
    return this.readers.has(tensor) || this.graph.outputs.includes(tensor);
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
  "QUANTIZE",
  "DEQUANTIZE",
]);
