/** How wide the elements of a quantized TFLite net are: int8, or int16 beside weights of int8, which TFLite calls 16x8. */
import type { ElementBits } from "../model/elements.js";
import type { GraphTensor, ImportedGraph } from "./graph.js";
import { WORKLESS } from "./verdict.js";

const WIDTHS: Partial<Record<GraphTensor["type"], ElementBits>> = { int8: 8, uint8: 8, int16: 16 };

/** Of a tensor of integers with a scale; undefined for others. */
export const widthOf = ({ type, quantization }: GraphTensor): ElementBits | undefined =>
  quantization === undefined ? undefined : WIDTHS[type];

/**
 * The first node, or input, that gives elements of each width to somebody. Samples that QUANTIZE takes are not the net's elements: whoever feeds it has them
 * as real numbers. Nor is what a softmax gives, which is left to the host with all behind it.
 */
export function giversOf({ tensors, nodes, inputs, outputs }: ImportedGraph): ReadonlyMap<ElementBits, string> {
  const readers = new Set(nodes.filter(({ op }) => op !== "QUANTIZE").flatMap((node) => node.inputs));
  for (const output of outputs) readers.add(output);
  const read = new Set([...nodes.flatMap((node) => node.inputs), ...outputs]);
  const givers = new Map<ElementBits, string>();
  const see = (tensor: number, giver: string): void => {
    if (tensor < 0 || tensors[tensor].constant !== undefined) return;
    const width = widthOf(tensors[tensor]);
    if (width !== undefined && !givers.has(width)) givers.set(width, giver);
  };
  for (const input of inputs) if (readers.has(input)) see(input, `input ${tensors[input].name}`);
  const left = new Set<number>();
  for (const { op, name, inputs: from, outputs: made } of nodes) {
    const isLeft = op === "SOFTMAX" || (WORKLESS.has(op) && left.has(from[0]));
    for (const output of made) {
      if (isLeft) left.add(output);
      else if (read.has(output)) see(output, name);
    }
  }
  return givers;
}

/** Of a net's elements; 8 of real numbers. */
export function elementBitsOf(graph: ImportedGraph): ElementBits {
  const givers = giversOf(graph);
  return givers.has(16) && !givers.has(8) ? 16 : 8;
}
