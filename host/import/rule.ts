/** What a rule on an op says of its outputs. */
import type { ElementType } from "./graph.js";
import type { Dims, NodeView } from "./node-view.js";

/** Of one output; the type is the first input's where none is said. */
export interface Result {
  readonly shape: Dims | undefined;
  readonly type?: ElementType;
}

/** @throws MoteError FORMAT where inputs and attributes contradict each other */
export type Rule = (node: NodeView) => readonly Result[];

export const UNKNOWN: readonly Result[] = [];
export const one = (shape: Dims | undefined, type?: ElementType): readonly Result[] => [
  { shape, ...(type && { type }) },
];
