/**
 * UNIDIRECTIONAL_SEQUENCE_LSTM of TFLite: which ones run, and one step of them. Its inputs are listed in lstm_shared.h of tflite/kernels; gates come in
 * the order input, forget, cell, output.
 */
import type { LowerRule } from "./format.js";
import { number } from "./graph.js";
import { isAbsent, isConstant, isZeros } from "./judges.js";
import { isWhole, shapeText, type NodeView } from "./node-view.js";
import { lowerLstm, realWeightsOf } from "./recurrent.js";
import { not, RUNS, type Judge } from "./verdict.js";
import { realWeights } from "./weights.js";

const INPUT_WEIGHTS = [1, 2, 3, 4] as const;
const RECURRENT_WEIGHTS = [5, 6, 7, 8] as const;
const PEEPHOLES = [9, 10, 11] as const;
const BIASES = [12, 13, 14, 15] as const;
const PROJECTION = [16, 17] as const;
const STATES = [18, 19] as const;
const NORMS = [20, 21, 22, 23] as const;

/** Of the gates in TFLite's order those in lowerLstm's: input, output, forget, cell. */
const GATES = [0, 3, 1, 2] as const;

/** Inputs of the input gate, which an LSTM that couples it with the forget gate does not have. */
const INPUT_GATE: readonly number[] = [INPUT_WEIGHTS[0], RECURRENT_WEIGHTS[0], BIASES[0]];

const isCoupled = (node: NodeView): boolean => INPUT_GATE.every((input) => isAbsent(node, input));

export const sequenceLstm: Judge = (node, around) => {
  const given = (inputs: readonly number[]): boolean => inputs.some((input) => !isAbsent(node, input));
  if (given(PEEPHOLES)) return not("its gates look at the cell through peepholes; expected none");
  if (given(PROJECTION)) return not("projects its output; expected a FULLY_CONNECTED behind it");
  if (given(NORMS)) return not("normalizes its gates; expected none of that");
  if (node.flag("diagonal_recurrent_tensors")) return not("its recurrent weights are diagonals; expected whole ones");
  const activation = node.text("fused_activation_function", "NONE");
  if (activation !== "TANH") return not(`${activation} is its activation; expected TANH`);
  if (node.required(0).quantization !== undefined && node.required(0).type !== "float32")
    return not(`of ${node.required(0).type}; expected real numbers, which pack makes int8 of`);
  const missing = [...INPUT_WEIGHTS, ...RECURRENT_WEIGHTS, ...BIASES].find(
    (input) => !isConstant(node, input) && !(isCoupled(node) && INPUT_GATE.includes(input)),
  );
  if (missing !== undefined)
    return not(`its input ${missing}, weights or a bias, is absent or made while the net runs`);
  const hidden = node.shape(RECURRENT_WEIGHTS[1])?.[0];
  for (const input of STATES) {
    const state = node.input(input);
    if (state === undefined || (state.isVariable !== true && !isZeros(node, input)))
      return not(`its state, input ${input}, does not begin with zeros`);
    if (state.constant === undefined && !around.isReadOnce(node.node.inputs[input]))
      return not(`its state, input ${input}, is read by others too; expected one of its own`);
    if (isWhole(state.shape) && state.shape.join() !== [1, hidden].join())
      return not(`its state, input ${input}, is ${shapeText(state.shape)}; expected [1, ${hidden}]`);
  }
  return RUNS;
};

export const lowerSequenceLstm: LowerRule = (node, lowering) => {
  const [hidden, features] = lowering.dimsOf(node.inputs[INPUT_WEIGHTS[1]]);
  const isCut = node.inputs[INPUT_WEIGHTS[0]] < 0;
  const gates = (inputs: readonly number[], columns: number): Float32Array =>
    stacked(
      ...GATES.map((gate) => {
        // 1 − σ(x) is σ(−x): the input gate of a coupled one is what the forget gate leaves.
        const isLeft = gate === 0 && isCut;
        const weights = realWeights(node, lowering, inputs[isLeft ? 1 : gate], hidden, columns);
        return isLeft ? weights.map((value) => -value) : weights;
      }),
    );
  const bias = gates(BIASES, 1);
  const clip = number(node.attributes, "cell_clip", 0);
  lowerLstm(
    node,
    lowering,
    {
      hidden,
      input: realWeightsOf(gates(INPUT_WEIGHTS, features), bias),
      recurrent: realWeightsOf(gates(RECURRENT_WEIGHTS, hidden), new Float32Array(bias.length)),
    },
    { hidden: [0], cell: [] },
    clip > 0 ? clip : Infinity,
  );
};

/** One array behind the other. */
function stacked(...parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
