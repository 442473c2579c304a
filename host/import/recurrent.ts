/**
 * One step of a recurrent layer by the ops that there are: a dense layer over the step's input and one over the latest output, each with a range of its
 * own, their sum, tables of sigmoids and hyperbolic tangents over parts of that, products and sums. What is kept are states.
 */
import { valuesOf } from "../model/geometry.js";
import type { Shape } from "../model/model.js";
import type { GraphNode } from "./graph.js";
import type { Lowering } from "./lowering.js";
import { mapOf, NO_CLAMP, type Clamp, type NetWeights } from "./net.js";
import type { FunctionName } from "../ops/functions.js";

/** Of gates of as many rows each, one gate behind the other. */
export interface GateWeights {
  readonly hidden: number;
  /** Over the step's input. */
  readonly input: RealWeights;
  /** Over the latest output. */
  readonly recurrent: RealWeights;
}

type RealWeights = NetWeights & { readonly values: Float32Array; readonly bias: Float32Array };

/** @param values row after row, @param bias one a row */
export const realWeightsOf = (values: Float32Array, bias: Float32Array): RealWeights => ({
  rows: bias.length,
  columns: values.length / bias.length,
  values,
  bias,
});

/** Which of the node's outputs are what. */
export interface RecurrentOutputs {
  readonly hidden: readonly number[];
  readonly cell: readonly number[];
}

/** A node on its way: layers that are all of vectors. */
class Step {
  constructor(
    readonly node: GraphNode,
    readonly lowering: Lowering,
  ) {}

  layer(layer: Parameters<Lowering["emitBetween"]>[1], size: number): number {
    return this.lowering.emitBetween(this.node, layer, vector(size), undefined);
  }

  dense(input: number, weights: NetWeights): number {
    return this.layer({ op: "dense", inputs: [input], weights, clamp: NO_CLAMP }, weights.rows);
  }

  part(of: number, first: number, size: number): number {
    return this.layer({ op: "crop", inputs: [of], first: [first, 0, 0] }, size);
  }

  map(of: number, called: FunctionName): number {
    return this.layer({ ...mapOf(called), inputs: [of] }, this.size(of));
  }

  mul(a: number, b: number): number {
    return this.layer({ op: "mul", inputs: [a, b], clamp: NO_CLAMP }, this.size(a));
  }

  add(a: number, b: number, clamp: Clamp = NO_CLAMP): number {
    return this.layer({ op: "add", sign: 1, inputs: [a, b], clamp }, this.size(a));
  }

  sub(a: number, b: number): number {
    return this.layer({ op: "add", sign: -1, inputs: [a, b], clamp: NO_CLAMP }, this.size(a));
  }

  private size(tensor: number): number {
    return valuesOf(this.lowering.shapeOf(tensor));
  }
}

const vector = (size: number): Shape => [size, 1, 1];

/**
 * c' = f ⊙ c + i ⊙ g, h' = o ⊙ tanh c' (Hochreiter and Schmidhuber 1997; the forget gate of Gers et al. 2000).
 * @param gates i, o, f and g
 * @param cellClip what |c'| is cut to, Infinity for nothing
 */
export function lowerLstm(
  node: GraphNode,
  lowering: Lowering,
  { hidden, input, recurrent }: GateWeights,
  outputs: RecurrentOutputs,
  cellClip = Infinity,
): void {
  const step = new Step(node, lowering);
  const x = lowering.vector(node, input.columns);
  const [h, c] = [lowering.newState(node, vector(hidden)), lowering.newState(node, vector(hidden))];
  const all = step.add(step.dense(x, input), step.dense(h, recurrent));
  const open = step.map(step.part(all, 0, 3 * hidden), "sigmoid");
  const candidate = step.map(step.part(all, 3 * hidden, hidden), "tanh");
  const [i, o, f] = [0, 1, 2].map((gate) => step.part(open, gate * hidden, hidden));
  const cell = step.add(step.mul(f, c), step.mul(i, candidate), { low: -cellClip, high: cellClip });
  const output = step.mul(o, step.map(cell, "tanh"));
  lowering.keepIn(h, output);
  lowering.keepIn(c, cell);
  for (const index of outputs.hidden) lowering.give(node, output, index);
  for (const index of outputs.cell) lowering.give(node, cell, index);
}

/**
 * h' = n + z ⊙ (h − n) (Cho et al. 2014), where the candidate n is tanh(W x + r ⊙ (R h + b)) where the reset gate comes behind the recurrent weights, as
 * cuDNN has it, else tanh(W x + R (r ⊙ h) + b).
 * @param gates z, r and n
 */
export function lowerGru(
  node: GraphNode,
  lowering: Lowering,
  { hidden, input, recurrent }: GateWeights,
  outputs: RecurrentOutputs,
  resetsBehind: boolean,
): void {
  const step = new Step(node, lowering);
  const x = lowering.vector(node, input.columns);
  const h = lowering.newState(node, vector(hidden));
  const end = 2 * hidden;
  const fromInput = step.dense(x, input);
  const fromLatest = step.dense(h, resetsBehind ? recurrent : rowsOf(recurrent, 0, end));
  const open = step.map(step.add(step.part(fromInput, 0, end), step.part(fromLatest, 0, end)), "sigmoid");
  const [z, r] = [0, 1].map((gate) => step.part(open, gate * hidden, hidden));
  const reset = resetsBehind
    ? step.mul(r, step.part(fromLatest, end, hidden))
    : step.dense(step.mul(r, h), rowsOf(recurrent, end, end + hidden));
  const candidate = step.map(step.add(step.part(fromInput, end, hidden), reset), "tanh");
  const output = step.add(candidate, step.mul(z, step.sub(h, candidate)));
  lowering.keepIn(h, output);
  for (const index of outputs.hidden) lowering.give(node, output, index);
}

/** From a row to before another. */
function rowsOf({ columns, values, bias }: RealWeights, from: number, to: number): RealWeights {
  return realWeightsOf(values.subarray(from * columns, to * columns), bias.subarray(from, to));
}

/** The latest so many steps of a sequence, the oldest first: what was kept, and the new one behind it. */
export function lowerWindow(node: GraphNode, lowering: Lowering): void {
  const seen = lowering.view(node);
  const size = valuesOf(lowering.shapeOf(seen.tensor));
  const { steps, isFirst } = node.window!;
  const shape: Shape = [size, 1, steps];
  const kept = lowering.newState(node, shape);
  const layer = { op: "append", inputs: [kept, lowering.vector(node, size)] } as const;
  lowering.keepIn(kept, lowering.emitAs(node, layer, shape, isFirst ? "hwc" : "chw"));
}
