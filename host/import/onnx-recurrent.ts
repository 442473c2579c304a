/** LSTM and GRU of ONNX: which ones run, and one step of them. Gates come in the order i, o, f, c, of a GRU z, r, h. */
import { CannotLower } from "./cannot-lower.js";
import type { LowerRule } from "./format.js";
import { number, type GraphNode } from "./graph.js";
import { isAbsent, isConstant, isZeros } from "./judges.js";
import type { Lowering } from "./lowering.js";
import type { NodeView } from "./node-view.js";
import { lowerGru, lowerLstm, realWeightsOf, type GateWeights } from "./recurrent.js";
import { timeAxisOf } from "./steps.js";
import { not, RUNS, type Judge } from "./verdict.js";
import { realWeights } from "./weights.js";

const [WEIGHTS, RECURRENT_WEIGHTS, BIAS, LENGTHS, INITIAL_H, INITIAL_C, PEEPHOLES] = [1, 2, 3, 4, 5, 6, 7];

const isNothing = (node: NodeView, input: number): boolean => isAbsent(node, input) || isZeros(node, input);

/** @param activations by default */
const recurrent =
  (activations: readonly string[]): Judge =>
  (node) => {
    const direction = node.text("direction", "forward");
    if (direction !== "forward") return not(`direction = ${direction}; expected forward`);
    const given = node.node.attributes.activations;
    const named = Array.isArray(given) ? given.map(String) : activations;
    if (named.join().toLowerCase() !== activations.join().toLowerCase())
      return not(`activations ${named.join(", ")}; expected ${activations.join(", ")}`);
    if (node.number("clip", 0) !== 0) return not("cuts what its gates add up to (clip); expected none of that");
    if (node.number("input_forget", 0) !== 0)
      return not("couples its input and forget gates; expected input_forget = 0");
    if (!isConstant(node, WEIGHTS) || !isConstant(node, RECURRENT_WEIGHTS))
      return not("its weights are made while the net runs; expected constants");
    if (!isAbsent(node, BIAS) && !isConstant(node, BIAS)) return not("its bias is made while the net runs");
    if (!isAbsent(node, LENGTHS)) return not("takes lengths of sequences (sequence_lens); expected all steps of each");
    const odd = [INITIAL_H, INITIAL_C].find((input) => !isNothing(node, input));
    if (odd !== undefined)
      return not(`its ${odd === INITIAL_H ? "initial_h" : "initial_c"} is not constant zeros; expected none`);
    if (!isNothing(node, PEEPHOLES)) return not("its gates look at the cell through peepholes; expected none");
    // A step of a sequence is a vector.
    const shape = node.shape(0);
    const batch = shape?.length === 2 ? 1 : shape?.[1 - timeAxisOf(node.node)];
    return batch === 1 || typeof batch !== "number" ? RUNS : not(`of ${batch} sequences at once; a model runs one`);
  };

export const lstm = recurrent(["Sigmoid", "Tanh", "Tanh"]);
export const gru = recurrent(["Sigmoid", "Tanh"]);

/** W [1, count × hidden, features], R [1, count × hidden, hidden], B [1, 2 × count × hidden]. */
function gatesOf(node: GraphNode, lowering: Lowering, count: number): GateWeights {
  const dims = lowering.dimsOf(node.inputs[WEIGHTS]);
  const hidden = dims[1] / count;
  if (dims.length !== 3 || dims[0] !== 1 || !Number.isInteger(hidden) || hidden < 1)
    throw new CannotLower(`its weights are [${dims.join(", ")}], expected [1, ${count} × hidden, features]`);
  const [rows, features] = [count * hidden, dims[2]];
  const isBare = (node.inputs[BIAS] ?? -1) < 0;
  const biases = isBare ? new Float32Array(2 * rows) : realWeights(node, lowering, BIAS, 2 * rows);
  return {
    hidden,
    input: realWeightsOf(realWeights(node, lowering, WEIGHTS, rows, features), biases.subarray(0, rows)),
    recurrent: realWeightsOf(realWeights(node, lowering, RECURRENT_WEIGHTS, rows, hidden), biases.subarray(rows)),
  };
}

export const lowerOnnxLstm: LowerRule = (node, lowering) =>
  lowerLstm(node, lowering, gatesOf(node, lowering, 4), { hidden: [0, 1], cell: [2] });

export const lowerOnnxGru: LowerRule = (node, lowering) => {
  const resetsBehind = number(node.attributes, "linear_before_reset", 0) !== 0;
  lowerGru(node, lowering, gatesOf(node, lowering, 3), { hidden: [0, 1], cell: [] }, resetsBehind);
};
