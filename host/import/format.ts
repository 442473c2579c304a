/** What lowering asks of a format: its ops, how a node of each becomes layers, and what a node reads. */
import type { GraphNode } from "./graph.js";
import type { Lowering } from "./lowering.js";
import type { Layout } from "./view.js";

/** How a node becomes layers: it asks for its inputs' views and sets its outputs'. @throws CannotLower */
export type LowerRule = (node: GraphNode, lowering: Lowering) => void;

export interface Format {
  readonly layout: Layout;
  /** Those that have a rule. */
  readonly ops: readonly string[];
  rule(op: string): LowerRule | undefined;
  /** Inputs of a node that are data, not shapes or axes. */
  dataInputs(node: GraphNode): readonly number[];
  /** What a node does with a variable, its first input: to assign it leaves something to the next run. */
  variableUse(node: GraphNode): "read" | "assign" | undefined;
}
