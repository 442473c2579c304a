/**
 * SVDF (Nakkiran et al. 2015): a layer over the latest steps of a stream whose weights are of a low rank. A filter is a number of each step, by its feature
 * weights, and a sum of its latest ones, by its time weights; a unit is the sum of `rank` filters. So it is a dense layer, an append to the window that is
 * kept, and a convolution with a group for each unit.
 */
import { MAX_KERNEL } from "../../assembly/format.js";
import type { Axes, Shape } from "../model/model.js";
import { quantizeWeights } from "./calibrate.js";
import { CannotLower } from "./cannot-lower.js";
import { widthOf } from "./element-widths.js";
import { number, type GraphNode } from "./graph.js";
import { isAbsent, isConstant } from "./judges.js";
import type { Lowering } from "./lowering.js";
import { NO_CLAMP, NO_PADS, type Clamp, type NetWeights, type TensorScale } from "./net.js";
import { isWhole, shapeText, type Dims } from "./node-view.js";
import { not, RUNS, type Judge } from "./verdict.js";
import { denseLayer } from "./weighted-layers.js";
import { biasOf, weightsOf } from "./weights.js";

/** Its inputs beside the step. */
const [FEATURE, TIME, BIAS, STATE] = [1, 2, 3, 4];

/** The int8 of a state are so much coarser than its int16: what these reach, those reach. */
const INT16_STEPS = 256;

/** Feature weights [filters, in], time weights [filters, memory], a bias of [units] and a state of [1, filters × memory]. */
export const svdf: Judge = (node, around) => {
  const rank = node.number("rank", 0);
  if (widthOf(node.required(0)) === 16) return not("steps of int16; expected int8 or real numbers");
  if (!(rank >= 1)) return not(`a rank of ${rank}; expected 1 at least`);
  if (!isConstant(node, FEATURE) || !isConstant(node, TIME))
    return not("its weights are made while the net runs; expected constants");
  if (!isAbsent(node, BIAS) && !isConstant(node, BIAS)) return not("its bias is made while the net runs");
  if (node.input(STATE)?.isVariable !== true || isConstant(node, STATE))
    return not("its state is no variable that begins with zeros");
  if (!around.isReadOnce(node.node.inputs[STATE]))
    return not("its state is read by others too; expected one of its own");
  const [feature, time] = [node.shape(FEATURE), node.shape(TIME)];
  if (!isWhole(feature) || !isWhole(time)) return RUNS;
  const [filters, memory] = time;
  const units = filters / rank;
  if (time.length !== 2 || filters === 0 || memory === 0 || !Number.isInteger(units)) {
    const wanted = `expected [filters, steps], of filters a multiple of its rank, ${rank}`;
    return not(`time weights of ${shapeText(time)}; ${wanted}`);
  }
  const parts: readonly (readonly [what: string, shape: Dims | undefined, expected: Dims])[] = [
    ["feature weights", feature, [filters, feature[1] ?? "in"]],
    ["a step", node.shape(0), [1, feature[1]]],
    ["a bias", node.shape(BIAS), [units]],
    ["a state", node.shape(STATE), [1, filters * memory]],
    ["an output", node.output(0)?.shape, [1, units]],
  ];
  const odd = parts.find(([, shape, expected]) => isWhole(shape) && shape.join() !== expected.join());
  if (odd !== undefined) return not(`${odd[0]} of ${shapeText(odd[1])}; expected ${shapeText(odd[2])}`);
  return memory <= MAX_KERNEL ? RUNS : not(`keeps ${memory} steps; at most ${MAX_KERNEL} run`);
};

/** @throws CannotLower for weights and states of types that do not go with the input */
export function lowerSvdf(node: GraphNode, lowering: Lowering, clamp: Clamp): void {
  const { inputs } = node;
  const [filters, memory] = lowering.dimsOf(inputs[TIME]);
  const units = filters / number(node.attributes, "rank", 1);
  const isQuantized = lowering.tensors[lowering.view(node).tensor].quantization !== undefined;
  const scale = isQuantized ? stateScale(node, lowering) : undefined;

  const features = weightsOf({ ...node, inputs: [inputs[0], inputs[FEATURE]] }, lowering, {
    rows: filters,
    columns: lowering.dimsOf(inputs[FEATURE])[1],
    axis: 0,
    order: "rows",
  });
  const latest = lowering.emitBetween(node, denseLayer(node, lowering, features, NO_CLAMP), [filters, 1, 1], scale);

  const shape: Shape = [filters, 1, memory];
  const state = lowering.newState(node, shape, scale);
  const window = lowering.emitBetween(node, { op: "append", inputs: [state, latest] }, shape, scale);
  lowering.keepIn(state, window);

  const [kernel, stride]: Axes[] = [
    [1, memory],
    [1, 1],
  ];
  const weights = timeWeights(node, lowering, units, (filters / units) * memory, scale);
  const conv = { op: "conv2d", kernel, stride, pads: NO_PADS, groups: units, weights, clamp } as const;
  lowering.emit(node, { ...conv, inputs: [window] }, [units, 1, 1]);
}

/** Of the int8 that the state is kept as. */
function stateScale(node: GraphNode, lowering: Lowering): TensorScale {
  const { type, quantization } = lowering.tensor(node.inputs[STATE])!;
  const time = lowering.tensor(node.inputs[TIME])!.type;
  if ((type !== "int8" && type !== "int16") || time !== type || quantization?.scales.length !== 1)
    throw new CannotLower(
      `its state is ${type} and its time weights are ${time}, expected both int8 or both int16, of one scale`,
    );
  const [scale, zeroPoint] = [quantization.scales[0], quantization.zeroPoints[0]];
  if (type === "int8") return { scale, zeroPoint };
  if (zeroPoint !== 0) throw new CannotLower(`its state is int16 with zero point ${zeroPoint}, expected 0`);
  lowering.notes.push(
    `${node.name}: its state and time weights of 16 bits are kept at 8, and outputs differ from TFLite's`,
  );
  return { scale: Math.fround(scale * INT16_STEPS), zeroPoint };
}

/** A row for each unit, of the steps of all its filters: as they stand in the file. @param state its scale, of a quantized net */
function timeWeights(
  node: GraphNode,
  lowering: Lowering,
  units: number,
  columns: number,
  state: TensorScale | undefined,
): NetWeights {
  const own = { ...node, inputs: [node.inputs[0], node.inputs[TIME], node.inputs[BIAS]] };
  const { type, quantization } = lowering.tensor(node.inputs[TIME])!;
  if (state === undefined || type === "int8")
    return weightsOf(own, lowering, { rows: units, columns, axis: 0, order: "rows" });
  if (quantization?.scales.length !== 1 || quantization.zeroPoints[0] !== 0)
    throw new CannotLower("its time weights are int16, expected one scale and zero point 0");
  const [scale] = quantization.scales;
  const values = Float32Array.from(lowering.constant(node, TIME, "list of time weights"), (q) => q * scale);
  const biasScale = (state.scale / INT16_STEPS) * scale;
  const bias = Float32Array.from(biasOf(own, lowering, units, true), (q) => q * biasScale);
  return quantizeWeights({ rows: units, columns, values, bias }, state.scale, undefined);
}
