/**
 * Units in the order that codes best. Which unit of a hidden layer is the first does not matter to what a net does, but the arithmetic coder learns
 * as it goes: rows that are alike next to each other, full ones before empty ones, are cheaper. Outputs stay what they are to the bit, integers being
 * summed in any order.
 */
import { modelBits } from "../codecs/weight-prices.js";
import { inputOf } from "../model/edges.js";
import type { Axes, Net, QLayer, QModel } from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";
import { floatWeights, groupCount, isWeighted, kernelOf, rowCount } from "../ops/index.js";
import { Random } from "../rng.js";
import { expectToGoOn, Slices } from "../turn.js";
import { likelyIntegers } from "./grid.js";
import { weightedLayers } from "./integer-stages.js";
import { netOf, unitsOf, unitsOfModel, type Units } from "./units.js";

/** Weights that are coded in all, at most: about a minute. A large net is tried less often than its recipe says. */
const MOST_WORK = 1.5e8;

/** Tensors that have the same channels, which may stand in any order. */
interface Group<Tensor> {
  readonly tensors: readonly Tensor[];
  readonly count: number;
}

/** Of hidden tensors whose channels are each a unit, none of them twice; where some of a tensor's are another's as well, all are the same in the same order. */
export function orderableGroups<Tensor>({ of, fixed }: Units<Tensor>): Group<Tensor>[] {
  const groups = new Map<string, { tensors: Tensor[]; units: Int32Array }>();
  const mixed = new Set<number>();
  for (const [tensor, units] of of) {
    const key = units.join();
    const group = groups.get(key);
    if (group !== undefined) group.tensors.push(tensor);
    else groups.set(key, { tensors: [tensor], units });
  }
  const seen = new Set<number>();
  for (const { units } of groups.values())
    for (const unit of units) {
      if (seen.has(unit)) mixed.add(unit);
      seen.add(unit);
    }
  return [...groups.values()].flatMap(({ tensors, units }) =>
    units.length < 2 || units.some((unit) => fixed[unit] === 1 || mixed.has(unit))
      ? []
      : [{ tensors, count: units.length }],
  );
}

/** The channels of tensors in the order that they are to have; of others the order is as it was. */
type Order<Tensor> = ReadonlyMap<Tensor, readonly number[]>;

/** A layer's integers, whose rows and columns change places with the units that they make and read. */
interface Matrix<Tensor> {
  readonly made: Tensor;
  /** Undefined where a filter in a group has no choice of what it reads. */
  readonly read: Tensor | undefined;
  readonly rows: number;
  readonly kernel: Axes;
  readonly integers: Int8Array;
}

const touches = <Tensor>({ made, read }: Matrix<Tensor>, tensors: readonly Tensor[]): boolean =>
  tensors.includes(made) || (read !== undefined && tensors.includes(read));

function ordered<Tensor>({ made, read, rows, kernel, integers }: Matrix<Tensor>, order: Order<Tensor>): Int8Array {
  const columns = integers.length / rows;
  const span = kernel[0] * kernel[1];
  const from = order.get(made);
  const channels = read === undefined ? undefined : order.get(read);
  const result = new Int8Array(integers.length);
  for (let row = 0, at = 0; row < rows; row++) {
    const start = (from?.[row] ?? row) * columns;
    for (let channel = 0; channel < columns / span; channel++) {
      const first = start + (channels?.[channel] ?? channel) * span;
      for (let i = 0; i < span; i++) result[at++] = integers[first + i];
    }
  }
  return result;
}

export interface ReorderOptions {
  /** For each group of units. */
  readonly tries: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Hill climbing: a unit is taken out and put in elsewhere, where it stays if the layers that make and read it take fewer bits. */
async function bestOrder<Tensor>(
  units: Units<Tensor>,
  matrices: readonly Matrix<Tensor>[],
  { tries, seed, signal, onProgress }: ReorderOptions,
): Promise<Order<Tensor>> {
  let order: Order<Tensor> = new Map();
  const bitsOf = (matrix: Matrix<Tensor>, by: Order<Tensor>): number =>
    modelBits(ordered(matrix, by), matrix.rows, matrix.kernel);
  const taken = new Map(matrices.map((matrix) => [matrix, bitsOf(matrix, order)]));
  const climbers = orderableGroups(units).map((group) => {
    const touched = matrices.filter((matrix) => touches(matrix, group.tensors));
    return { ...group, touched, size: touched.reduce((sum, { integers }) => sum + integers.length, 0) };
  });
  const perTurn = climbers.reduce((sum, { size }) => sum + size, 0);
  const random = new Random(seed);
  const turns = Math.min(tries, Math.floor(MOST_WORK / perTurn));
  const slices = new Slices();
  for (let turn = 0; turn < turns; turn++) {
    if (slices.isOver()) {
      onProgress?.(turn, turns);
      await slices.next();
      expectToGoOn(signal);
    }
    for (const { tensors, count, touched } of climbers) {
      const now = order.get(tensors[0]) ?? range(count);
      const [from, to] = [random.integer(count), random.integer(count)];
      if (from === to) continue;
      const next = now.toSpliced(from, 1).toSpliced(to, 0, now[from]);
      const changed = new Map([...order, ...tensors.map((tensor) => [tensor, next] as const)]);
      const bits = touched.map((matrix) => bitsOf(matrix, changed));
      const saved = touched.reduce((sum, matrix, i) => sum + taken.get(matrix)! - bits[i], 0);
      if (saved <= 0) continue;
      order = changed;
      touched.forEach((matrix, i) => taken.set(matrix, bits[i]));
    }
  }
  return order;
}

/**
 * @returns the same net with its units in another order
 * @throws MoteError INTERRUPTED
 */
export async function reorder(net: Net, options: ReorderOptions): Promise<Net> {
  const shapes = tensorShapes(net.graph);
  const matrices = weightedLayers(net.graph).map((layer): Matrix<string> => {
    const { data, integers } = net.tensors.get(`${layer.name}.weight`)!;
    const { rows, kernel, groups } = floatWeights(layer);
    return {
      made: layer.output,
      read: groups(layer) > 1 ? undefined : inputOf(layer),
      rows: rows(layer),
      kernel: kernel(layer, shapes.get(inputOf(layer))!),
      integers: integers ?? likelyIntegers(data),
    };
  });
  const order = await bestOrder(unitsOf(net.graph), matrices, options);
  return netOf(net, (tensor) => order.get(tensor) ?? range(shapes.get(tensor)![0]));
}

/**
 * @returns the same model with its units in another order: its outputs are the same
 * @throws MoteError INTERRUPTED
 */
export async function reorderModel(model: QModel, options: ReorderOptions): Promise<QModel> {
  const matrices = new Map(
    model.layers.filter(isWeighted).map((layer): [QLayer, Matrix<number>] => {
      const read = groupCount(model, layer) > 1 ? undefined : inputOf(layer);
      const form = { rows: rowCount(model, layer), kernel: kernelOf(model, layer), integers: layer.weights };
      return [layer, { made: layer.output, read, ...form }];
    }),
  );
  const order = await bestOrder(unitsOfModel(model), [...matrices.values()], options);
  const layers = model.layers.map((layer): QLayer => {
    const matrix = matrices.get(layer);
    if (matrix === undefined || !isWeighted(layer)) return layer;
    const rows = order.get(layer.output) ?? range(matrix.rows);
    const each = (length: number): readonly number[] => (length > 1 ? rows : [0]);
    const { bias, multiplier, shift } = layer;
    return {
      ...layer,
      weights: ordered(matrix, order),
      bias: Int32Array.from(rows, (row) => bias[row]),
      multiplier: Int32Array.from(each(multiplier.length), (row) => multiplier[row]),
      shift: Uint8Array.from(each(shift.length), (row) => shift[row]),
    };
  });
  return { ...model, layers };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
