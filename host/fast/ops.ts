/** How a fast module runs each op: which kernel, with which stream. */
import * as layout from "../../assembly/fast/layout.js";
import { NO_POOL, type Window } from "../ops/op.js";
import type { Axes, QAppend, QAvgPool, QCrop, QLayer, QMaxPool, QModel, QResize } from "../model/model.js";
import { ELEMENT_INSTRUCTIONS } from "./cost.js";
import { inputOf } from "../model/edges.js";
import { extentOf, valuesOf } from "../model/geometry.js";
import type { PlannedModel } from "./planned.js";
import type { LayerStream, LayerStreams } from "./rows.js";
import { addStream, lutStream, mulStream } from "./elementwise.js";
import { avgPoolStream, convStreams, denseStreams, maxPoolStream } from "./stream.js";

interface FastOp<Q extends QLayer> {
  streams(model: PlannedModel, layer: Q, where: string): LayerStreams;
  window(layer: Q): FastWindow;
}

/** Of a kernel: how far it moves over its input, how far outside it begins, and the pool that takes its sums or elements together. */
export interface FastWindow {
  readonly pad: Axes;
  readonly stride: Axes;
  readonly pool: Window;
}

const EVERY_PLACE: Axes = [1, 1];
const ONE_PLACE: FastWindow = { pad: [0, 0], stride: EVERY_PLACE, pool: NO_POOL };

const noStream = (kind: number, instructions: number): LayerStream => {
  return { kind, bytes: new Uint8Array(0), isWide: false, windowBytes: 0, scratchBytes: 0, instructions };
};

const FAST_OPS: { readonly [Op in QLayer["op"]]: FastOp<Extract<QLayer, { op: Op }>> } = {
  conv2d: { streams: convStreams, window: (layer) => layer },
  dense: { streams: denseStreams, window: () => ONE_PLACE },
  maxpool: { streams: only(maxPoolStream), window: poolWindow },
  avgpool: { streams: only(avgPoolStream), window: poolWindow },
  add: { streams: only(addStream), window: () => ONE_PLACE },
  mul: { streams: only(mulStream), window: () => ONE_PLACE },
  concat: { streams: () => [noStream(layout.KIND_CONCAT, 0)], window: () => ONE_PLACE },
  lut: { streams: only(lutStream), window: () => ONE_PLACE },
  resize: { streams: only(resizeStream), window: () => ONE_PLACE },
  crop: { streams: only(copyStream), window: () => ONE_PLACE },
  append: { streams: only(copyStream), window: () => ONE_PLACE },
};

/** There is one kernel. */
function only<Q extends QLayer>(stream: (model: QModel, layer: Q, where: string) => LayerStream): FastOp<Q>["streams"] {
  return (model, layer, where) => [stream(model, layer, where)];
}

function resizeStream(model: QModel, { output }: QResize): LayerStream {
  return noStream(layout.KIND_RESIZE, ELEMENT_INSTRUCTIONS * valuesOf(model.tensors[output].shape));
}

/** What is copied stands in entries of its own, in front of the layer's. */
function copyStream(model: QModel, { output }: QCrop | QAppend): LayerStream {
  return noStream(layout.KIND_CONCAT, ELEMENT_INSTRUCTIONS * valuesOf(model.tensors[output].shape));
}

function poolWindow({ kernel, stride, pad }: QMaxPool | QAvgPool): FastWindow {
  return { pad, stride: EVERY_PLACE, pool: { size: kernel, stride } };
}

const fastOp = (layer: QLayer): FastOp<QLayer> => FAST_OPS[layer.op];

export const layerWindow = (layer: QLayer): FastWindow => fastOp(layer).window(layer);

/** How far a layer's windows reach beyond its input. */
export function reach(model: QModel, layer: QLayer): number {
  if (layer.op === "resize" || layer.op === "crop" || layer.op === "append") return 0;
  const { pad, stride, pool } = layerWindow(layer);
  const kernel = layer.op === "conv2d" ? layer.kernel : [1, 1];
  return [0, 1].reduce((most, axis) => {
    const places = extentOf(model.tensors[layer.output].shape[axis + 1], pool.size[axis], pool.stride[axis]);
    const beyond =
      extentOf(places, kernel[axis], stride[axis]) - pad[axis] - model.tensors[inputOf(layer)].shape[axis + 1];
    return Math.max(most, pad[axis], beyond);
  }, 0);
}

/**
 * A layer's stream by each of the kernels that can run it, first by one that takes a weight at a time.
 * @param index the layer's, for errors
 * @throws MoteError UNSUPPORTED naming layer and row: an accumulator that may pass int32 (engines wrap it, a fast module would not), an
 *   output that passes int64 before the shift or int32 behind it, a filter of 65,536 weights or more for a convolution place by place
 */
export function layerStreams(model: PlannedModel, layer: QLayer, index: number): LayerStreams {
  return fastOp(layer).streams(model, layer, `layer ${index} (${layer.op})`);
}
