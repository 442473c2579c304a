/** How a fast module runs each op: which kernel, with which stream. */
import * as layout from "../../assembly/fast/layout.js";
import { NO_POOL, type Window } from "../ops/op.js";
import type { Axes, QAvgPool, QLayer, QMaxPool, QModel } from "../model/model.js";
import { addStream, lutStream, mulStream } from "./elementwise.js";
import { avgPoolStream, convKind, convStream, denseStream, maxPoolStream, type LayerStream } from "./stream.js";

interface FastOp<Q extends QLayer> {
  kind(model: QModel, layer: Q): number;
  stream(model: QModel, layer: Q, where: string): LayerStream;
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

const NO_STREAM: LayerStream = { bytes: new Uint8Array(0), isWide: false, windowBytes: 0 };

const FAST_OPS: { readonly [Op in QLayer["op"]]: FastOp<Extract<QLayer, { op: Op }>> } = {
  conv2d: { kind: convKind, stream: convStream, window: (layer) => layer },
  dense: { kind: () => layout.KIND_DENSE, stream: denseStream, window: () => ONE_PLACE },
  maxpool: { kind: () => layout.KIND_MAXPOOL, stream: maxPoolStream, window: poolWindow },
  avgpool: { kind: () => layout.KIND_AVGPOOL, stream: avgPoolStream, window: poolWindow },
  add: { kind: () => layout.KIND_ADD, stream: addStream, window: () => ONE_PLACE },
  mul: { kind: () => layout.KIND_MUL, stream: mulStream, window: () => ONE_PLACE },
  concat: { kind: () => layout.KIND_CONCAT, stream: () => NO_STREAM, window: () => ONE_PLACE },
  lut: { kind: () => layout.KIND_LUT, stream: (_model, layer) => lutStream(layer), window: () => ONE_PLACE },
  resize: { kind: () => layout.KIND_RESIZE, stream: () => NO_STREAM, window: () => ONE_PLACE },
};

function poolWindow({ kernel, stride, pad }: QMaxPool | QAvgPool): FastWindow {
  return { pad, stride: EVERY_PLACE, pool: { size: kernel, stride } };
}

const fastOp = (layer: QLayer): FastOp<QLayer> => FAST_OPS[layer.op];

/** Which kernel runs a layer. */
export const layerKind = (model: QModel, layer: QLayer): number => fastOp(layer).kind(model, layer);

export const layerWindow = (layer: QLayer): FastWindow => fastOp(layer).window(layer);

/**
 * @param index the layer's, for errors
 * @throws MoteError UNSUPPORTED naming layer and row: an accumulator that may pass int32 (engines wrap it, a fast module would not), an
 *   output that passes int64 before the shift or int32 behind it, a filter of 65,536 weights or more for a convolution place by place
 */
export function layerStream(model: QModel, layer: QLayer, index: number): LayerStream {
  return fastOp(layer).stream(model, layer, `layer ${index} (${layer.op})`);
}
