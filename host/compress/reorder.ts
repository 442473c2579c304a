/**
 * Units in the order that codes best. Which unit of a hidden layer is the first does not matter to what a net does, but the arithmetic coder learns
 * as it goes: rows that are alike next to each other, full ones before empty ones, are cheaper. Outputs stay what they are to the bit, integers being
 * summed in any order.
 */
import { modelBits } from "../codecs/weight-prices.js";
import { inputOf } from "../model/edges.js";
import type { Axes, Graph, Net, Shape, WeightedLayer } from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";
import { floatWeights } from "../ops/index.js";
import { Random } from "../rng.js";
import { expectToGoOn, Slices } from "../turn.js";
import { likelyIntegers } from "./grid.js";
import { weightedLayers } from "./integer-stages.js";
import { netOf, unitsOf } from "./units.js";

/** Weights that are coded in all, at most: about a minute. A large net is tried less often than its recipe says. */
const MOST_WORK = 1.5e8;

/** Tensors that have the same channels, which may stand in any order. */
interface Group {
  readonly tensors: readonly string[];
  readonly count: number;
}

/** Of hidden tensors whose channels are each a unit, none of them twice; where some of a tensor's are another's as well, all are the same in the same order. */
export function orderableGroups(graph: Graph): Group[] {
  const { of, fixed } = unitsOf(graph);
  const groups = new Map<string, { tensors: string[]; units: Int32Array }>();
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

/** The channels of tensors, by their names, in the order that they are to have. */
type Order = ReadonlyMap<string, readonly number[]>;

/** A layer's integers, whose rows and columns change places with the units that they make and read. */
class Matrix {
  private readonly rows: number;
  private readonly kernel: Axes;
  private readonly channels: number;
  readonly size: number;

  constructor(
    private readonly layer: WeightedLayer,
    private readonly integers: Int8Array,
    input: Shape,
  ) {
    const { rows, kernel, groups } = floatWeights(layer);
    this.rows = rows(layer);
    this.kernel = kernel(layer, input);
    this.channels = input[0] / groups(layer);
    this.size = integers.length;
  }

  touches(tensors: readonly string[]): boolean {
    return tensors.includes(this.layer.output) || tensors.includes(inputOf(this.layer));
  }

  bits(order: Order): number {
    const { layer, integers, rows, channels } = this;
    const columns = integers.length / rows;
    const span = columns / channels;
    const made = order.get(layer.output);
    // A filter in a group has no choice of what it reads.
    const read = floatWeights(layer).groups(layer) > 1 ? undefined : order.get(inputOf(layer));
    const ordered = new Int8Array(integers.length);
    for (let row = 0, at = 0; row < rows; row++) {
      const start = (made?.[row] ?? row) * columns;
      for (let channel = 0; channel < channels; channel++) {
        const from = start + (read?.[channel] ?? channel) * span;
        for (let i = 0; i < span; i++) ordered[at++] = integers[from + i];
      }
    }
    return modelBits(ordered, rows, this.kernel);
  }
}

export interface ReorderOptions {
  /** For each group of units. */
  readonly tries: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Hill climbing: a unit is taken out and put in elsewhere, where it stays if the layers that make and read it take fewer bits.
 * @returns the same net with its units in another order
 * @throws MoteError INTERRUPTED
 */
export async function reorder(net: Net, { tries, seed, signal, onProgress }: ReorderOptions): Promise<Net> {
  const shapes = tensorShapes(net.graph);
  const matrices = weightedLayers(net.graph).map((layer) => {
    const { data, integers } = net.tensors.get(`${layer.name}.weight`)!;
    return new Matrix(layer, integers ?? likelyIntegers(data), shapes.get(inputOf(layer))!);
  });
  let order: Order = new Map();
  const taken = new Map(matrices.map((matrix) => [matrix, matrix.bits(order)]));
  const climbers = orderableGroups(net.graph).map((group) => {
    const touched = matrices.filter((matrix) => matrix.touches(group.tensors));
    return { ...group, touched, size: touched.reduce((sum, { size }) => sum + size, 0) };
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
      const bits = touched.map((matrix) => matrix.bits(changed));
      const saved = touched.reduce((sum, matrix, i) => sum + taken.get(matrix)! - bits[i], 0);
      if (saved <= 0) continue;
      order = changed;
      touched.forEach((matrix, i) => taken.set(matrix, bits[i]));
    }
  }
  return netOf(net, (tensor) => order.get(tensor) ?? range(shapes.get(tensor)![0]));
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
