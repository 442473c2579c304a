/** Forward and backward pass of each op: which kernels, in which order. */
import type { FloatOpTable } from "../ops/index.js";
import { VALUE_BYTES } from "./arena.js";
import type { Kernels } from "./kernels.js";
import type { Plan } from "./plan.js";
import type {
  PlannedAdd,
  PlannedAppend,
  PlannedClamp,
  PlannedConcat,
  PlannedCrop,
  PlannedLayer,
  PlannedMap,
  PlannedMul,
  PlannedNorm,
  PlannedPool,
  PlannedRelu,
  PlannedResize,
} from "./plan-layers.js";
import { weightedPasses } from "./weighted-passes.js";

/** Addresses of a layer's inputs and output and of their gradients. */
export interface Addresses {
  readonly x: readonly number[];
  readonly y: number;
  /** null where none is needed. */
  readonly dx: readonly (number | null)[];
  readonly dy: number;
  /** Of each input, whether its gradient is to be added to what other layers left there. Else what is there is of no use. */
  readonly adds: readonly boolean[];
  /** Whether gradients of its parameters are to be added to what the layer left there in a later step. */
  readonly addsParameters: boolean;
}

/** An op's kernels. */
export interface Passes<L extends PlannedLayer> {
  /** @param shard whose statistics a normalization takes, and leaves; null: those that are kept for use */
  forward(layer: L, x: readonly number[], y: number, blocks: number, shard: number | null): void;
  /** Writes or adds the gradients of the shard's parameters and those of the inputs. */
  backward(layer: L, at: Addresses, shard: number): void;
}

/** A line an op. @param arena address of the thread's own memory */
export function makePasses(kernels: Kernels, plan: Plan, arena: number): FloatOpTable<Passes<PlannedLayer>> {
  const { parameters, tensors } = plan;
  const bytesOf = (tensor: number, blocks = plan.blocks): number => blocks * tensors[tensor].values * VALUE_BYTES;
  const planesOf = (tensor: number, blocks = plan.blocks): number => blocks * tensors[tensor].shape[0];
  const clear = (layer: PlannedLayer, dx: number, adds: boolean, input = 0): void => {
    if (!adds) kernels.clear(dx, bytesOf(layer.inputs[input]));
  };

  const weighted = weightedPasses(kernels, plan, arena);

  /** The input with its border. */
  const wideInput = ({ border, inputs }: PlannedPool, x: number, blocks: number): number => {
    if (border === null) return x;
    kernels.addBorder(border.descriptor, arena + border.activation, x, planesOf(inputs[0], blocks));
    return arena + border.activation;
  };
  /** `pool` adds to a gradient of the input with its border. */
  const poolBackward = (layer: PlannedPool, at: Addresses, pool: (dx: number, x: number, planes: number) => void) => {
    const [dx] = at.dx;
    if (dx === null) return;
    const { border, inputs } = layer;
    const planes = planesOf(inputs[0]);
    if (border === null) {
      clear(layer, dx, at.adds[0]);
      pool(dx, at.x[0], planes);
      return;
    }
    const wide = arena + plan.scratch.wide;
    kernels.clear(wide, border.bytes);
    pool(wide, arena + border.activation, planes);
    kernels.dropBorder(border.descriptor, dx, wide, planes, at.adds[0]);
  };
  const maxpool: Passes<PlannedPool> = {
    forward: (layer, [x], y, blocks) =>
      kernels.maxPool(layer.descriptor, y, wideInput(layer, x, blocks), planesOf(layer.output, blocks)),
    backward: (layer, at) =>
      poolBackward(layer, at, (dx, x, planes) => kernels.maxPoolGradient(layer.descriptor, dx, at.dy, x, at.y, planes)),
  };
  const avgpool: Passes<PlannedPool> = {
    forward: (layer, [x], y, blocks) =>
      kernels.avgPool(layer.descriptor, y, wideInput(layer, x, blocks), planesOf(layer.output, blocks)),
    backward: (layer, at) =>
      poolBackward(layer, at, (dx, _x, planes) => kernels.avgPoolGradient(layer.descriptor, dx, at.dy, planes)),
  };

  const relu: Passes<PlannedRelu> = {
    forward: ({ output }, [x], y, blocks) => kernels.relu(y, x, bytesOf(output, blocks)),
    backward: ({ output }, { y, dx: [dx], dy, adds: [adds] }) => {
      if (dx !== null) kernels.reluGradient(dx, dy, y, bytesOf(output), adds);
    },
  };
  const clamp: Passes<PlannedClamp> = {
    forward: ({ output, low, high }, [x], y, blocks) => kernels.clamp(y, x, bytesOf(output, blocks), low, high),
    backward: ({ output, low, high }, { x: [x], dx: [dx], dy, adds: [adds] }) => {
      if (dx !== null) kernels.clampGradient(dx, dy, x, bytesOf(output), low, high, adds);
    },
  };
  const add: Passes<PlannedAdd> = {
    forward: ({ output, sign }, [a, b], y, blocks) => kernels.add(y, a, b, bytesOf(output, blocks), sign),
    backward: ({ output, sign }, { dx: [da, db], dy, adds }) => {
      if (da !== null) kernels.sumInto(da, dy, bytesOf(output), 1, adds[0]);
      if (db !== null) kernels.sumInto(db, dy, bytesOf(output), sign, adds[1]);
    },
  };
  const mul: Passes<PlannedMul> = {
    forward: ({ inputs, positions }, [a, b], y, blocks) =>
      kernels.multiply(y, a, b, blocks * tensors[inputs[1]].values, positions, false),
    backward: ({ inputs, positions }, { x: [a, b], dx: [da, db], dy, adds }) => {
      const planes = plan.blocks * tensors[inputs[1]].values;
      if (da !== null) kernels.multiply(da, dy, b, planes, positions, adds[0]);
      if (db !== null) kernels.multiplySum(db, dy, a, planes, positions, adds[1]);
    },
  };
  /** Calls back for each input with bytes of its block, and of one of the output from which its channels begin. */
  const eachPart = (layer: PlannedConcat, visit: (input: number, bytes: number, offset: number) => void): number => {
    let offset = 0;
    layer.inputs.forEach((tensor, input) => {
      const bytes = tensors[tensor].values * VALUE_BYTES;
      visit(input, bytes, offset);
      offset += bytes;
    });
    return offset;
  };
  const concat: Passes<PlannedConcat> = {
    forward: (layer, x, y, blocks) => {
      const block = tensors[layer.output].values * VALUE_BYTES;
      eachPart(layer, (i, bytes, offset) => kernels.sumBlocks(y + offset, block, x[i], bytes, bytes, blocks, 1, false));
    },
    backward: (layer, { dx, dy, adds }) => {
      const block = tensors[layer.output].values * VALUE_BYTES;
      eachPart(layer, (i, bytes, offset) => {
        const to = dx[i];
        if (to !== null) kernels.sumBlocks(to, bytes, dy + offset, block, bytes, plan.blocks, 1, adds[i]);
      });
    },
  };
  const crop: Passes<PlannedCrop> = {
    forward: ({ inputs, output, first }, [x], y, blocks) => {
      const [from, to] = [bytesOf(inputs[0], 1), bytesOf(output, 1)];
      kernels.sumBlocks(y, to, x + first * VALUE_BYTES, from, to, blocks, 1, false);
    },
    backward: (layer, { dx: [dx], dy, adds: [adds] }) => {
      if (dx === null) return;
      clear(layer, dx, adds);
      const [from, to] = [bytesOf(layer.inputs[0], 1), bytesOf(layer.output, 1)];
      kernels.sumBlocks(dx + layer.first * VALUE_BYTES, from, dy, to, to, plan.blocks, 1, true);
    },
  };
  const append: Passes<PlannedAppend> = {
    forward: ({ pieces, stride, pieceCount }, x, y, blocks) => {
      for (const { input, from, fromStride, to, bytes } of pieces)
        kernels.sumBlocks(y + to, stride, x[input] + from, fromStride, bytes, blocks * pieceCount, 1, false);
    },
    backward: (layer, { dx, dy, adds }) => {
      // What is passed over has no part in the output.
      dx.forEach((to, input) => to !== null && clear(layer, to, adds[input], input));
      const count = plan.blocks * layer.pieceCount;
      for (const { input, from, fromStride, to, bytes } of layer.pieces) {
        const gradient = dx[input];
        if (gradient === null) continue;
        kernels.sumBlocks(gradient + from, fromStride, dy + to, layer.stride, bytes, count, 1, true);
      }
    },
  };
  const resize: Passes<PlannedResize> = {
    forward: (layer, [x], y, blocks) => kernels.resize(layer.descriptor, y, x, planesOf(layer.output, blocks)),
    backward: (layer, { dx: [dx], dy, adds: [adds] }) => {
      if (dx === null) return;
      clear(layer, dx, adds);
      kernels.resizeGradient(layer.descriptor, dx, dy, planesOf(layer.output));
    },
  };
  const map: Passes<PlannedMap> = {
    forward: ({ table, output }, [x], y, blocks) => {
      if (table === null) kernels.step(y, x, bytesOf(output, blocks));
      else kernels.interpolate(table, y, x, bytesOf(output, blocks));
    },
    backward: ({ table, output }, { x: [x], dx: [dx], dy, adds: [adds] }) => {
      if (dx === null) return;
      // The straight-through estimator of Hubara et al. 2016, equation 4.
      if (table === null) kernels.clampGradient(dx, dy, x, bytesOf(output), -1, 1, adds);
      else kernels.interpolateGradient(table, dx, dy, x, bytesOf(output), adds);
    },
  };

  const valuesAt = (first: number): number => parameters.values + first * 4;
  const gradientsAt = (shard: number, first: number): number =>
    parameters.gradients + shard * parameters.shardBytes + first * 4;
  const batchnorm: Passes<PlannedNorm> = {
    forward: (layer, [x], y, blocks, shard) => {
      const { descriptor, epsilon } = layer;
      const statistics = (first: number): number => (shard === null ? valuesAt(first) : gradientsAt(shard, first));
      const [mean, variance] = [statistics(layer.meanAt), statistics(layer.varianceAt)];
      if (shard !== null) kernels.batchStatistics(descriptor, mean, variance, x, blocks);
      const [gamma, beta] = [valuesAt(layer.gammaAt), valuesAt(layer.betaAt)];
      kernels.normalize(descriptor, y, x, mean, variance, gamma, beta, epsilon, blocks);
    },
    backward: (layer, { x: [x], dx: [dx], dy, adds: [adds] }, shard) => {
      kernels.normalizeGradient(
        layer.descriptor,
        dx ?? 0,
        gradientsAt(shard, layer.gammaAt),
        gradientsAt(shard, layer.betaAt),
        dy,
        x,
        gradientsAt(shard, layer.meanAt),
        gradientsAt(shard, layer.varianceAt),
        valuesAt(layer.gammaAt),
        layer.epsilon,
        plan.blocks,
        adds,
      );
    },
  };
  return {
    conv2d: weighted,
    dense: weighted,
    maxpool,
    avgpool,
    relu,
    clamp,
    add,
    mul,
    concat,
    crop,
    append,
    resize,
    map,
    batchnorm,
  };
}
