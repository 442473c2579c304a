/**
 * One step of a recurrent layer by the ops that there are: one dense layer over the step's input and what the layer has kept, a table of sigmoids and one
 * of hyperbolic tangents over parts of what that gives, products and sums. What is kept are states.
 */
import { valuesOf } from "../model/geometry.js";
import type { Shape } from "../model/model.js";
import type { GraphNode } from "./graph.js";
import type { Lowering } from "./lowering.js";
import { mapOf, NO_CLAMP, type Clamp, type NetWeights } from "./net.js";
import type { FunctionName } from "../ops/functions.js";

/** Of `count` gates of `hidden` rows each, one gate behind the other. */
export interface GateWeights {
  readonly hidden: number;
  readonly features: number;
  /** [count × hidden, features], which multiply the step's input. */
  readonly input: Float32Array;
  /** [count × hidden, hidden], which multiply the latest output. */
  readonly recurrent: Float32Array;
  /** [count × hidden] each: of GRUs the second one belongs to the recurrent weights. */
  readonly bias: Float32Array;
  readonly recurrentBias: Float32Array;
}

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

  concat(a: number, b: number): number {
    return this.layer({ op: "concat", inputs: [a, b] }, this.size(a) + this.size(b));
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
  gates: GateWeights,
  outputs: RecurrentOutputs,
  cellClip = Infinity,
): void {
  const { hidden, features } = gates;
  const step = new Step(node, lowering);
  const x = lowering.vector(node, features);
  const [h, c] = [lowering.newState(node, vector(hidden)), lowering.newState(node, vector(hidden))];
  const all = step.dense(step.concat(x, h), joined(gates));
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
  gates: GateWeights,
  outputs: RecurrentOutputs,
  resetsBehind: boolean,
): void {
  const { hidden, features } = gates;
  const step = new Step(node, lowering);
  const x = lowering.vector(node, features);
  const h = lowering.newState(node, vector(hidden));
  const both = step.concat(x, h);
  const all = step.dense(both, resetsBehind ? apart(gates) : joined(rowsOf(gates, 0, 2)));
  const open = step.map(step.part(all, 0, 2 * hidden), "sigmoid");
  const [z, r] = [0, 1].map((gate) => step.part(open, gate * hidden, hidden));
  const sum = resetsBehind
    ? step.add(step.part(all, 2 * hidden, hidden), step.mul(r, step.part(all, 3 * hidden, hidden)))
    : step.dense(step.concat(x, step.mul(r, h)), joined(rowsOf(gates, 2, 3)));
  const candidate = step.map(sum, "tanh");
  const output = step.add(candidate, step.mul(z, step.sub(h, candidate)));
  lowering.keepIn(h, output);
  for (const index of outputs.hidden) lowering.give(node, output, index);
}

/** Rows over the input and the latest output, side by side. */
function joined({ hidden, features, input, recurrent, bias, recurrentBias }: GateWeights): NetWeights {
  const columns = features + hidden;
  const rows = bias.length;
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    values.set(input.subarray(row * features, (row + 1) * features), row * columns);
    values.set(recurrent.subarray(row * hidden, (row + 1) * hidden), row * columns + features);
  }
  return { rows, columns, values, bias: bias.map((value, row) => value + recurrentBias[row]) };
}

/** z, r, W x + b and R h + b: the last two are rows whose other columns are zeros, which take no bytes. */
function apart(gates: GateWeights): NetWeights {
  const { hidden, features, input, recurrent, bias, recurrentBias } = gates;
  const nothing = (size: number): Float32Array => new Float32Array(size);
  const spread = (of: Float32Array, size: number): Float32Array =>
    stacked(of.subarray(0, 2 * hidden * size), nothing(hidden * size), of.subarray(2 * hidden * size));
  return joined({
    hidden,
    features,
    input: stacked(input, nothing(hidden * features)),
    recurrent: spread(recurrent, hidden),
    bias: stacked(bias, nothing(hidden)),
    recurrentBias: spread(recurrentBias, 1),
  });
}

/** One array behind the other. */
export function stacked(...parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Gates from one to before another. */
function rowsOf(gates: GateWeights, from: number, to: number): GateWeights {
  const { hidden, features } = gates;
  const [first, end] = [from * hidden, to * hidden];
  return {
    ...gates,
    input: gates.input.subarray(first * features, end * features),
    recurrent: gates.recurrent.subarray(first * hidden, end * hidden),
    bias: gates.bias.subarray(first, end),
    recurrentBias: gates.recurrentBias.subarray(first, end),
  };
}

/** The latest so many steps of a sequence, the oldest first: what was kept, and the new one behind it. */
export function lowerWindow(node: GraphNode, lowering: Lowering): void {
  const seen = lowering.view(node);
  const size = valuesOf(lowering.shapeOf(seen.tensor));
  const shape: Shape = [size, 1, node.window!];
  const kept = lowering.newState(node, shape);
  const layer = { op: "append", inputs: [kept, lowering.vector(node, size)] } as const;
  lowering.keepIn(kept, lowering.emitAs(node, layer, shape, "hwc"));
}
