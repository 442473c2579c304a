/** What each weight of a row reads, as columns of a matrix (im2col): a dense layer reads all of its input at once, a filter a patch at each position. */
import type { Graph, Shape } from "../model/model.js";
import { inputOf } from "../model/edges.js";
import { tensorShapes } from "../model/shapes.js";
import { convolutionOf, type Convolution } from "../train/plan-convolution.js";
import { weightedLayers } from "./integer-stages.js";

export interface Patches {
  readonly rows: number;
  /** Weights of a row. */
  readonly columns: number;
  readonly positions: number;
  /** Parts of the input, each of which an equal share of the rows reads. */
  readonly groups: number;
  /** Whether each row reads all of the input at once, in its order. */
  readonly isDense: boolean;
  /**
   * @param x a layer's input, [C_IN × H × W, n], sample innermost
   * @param to [columns, positions]
   */
  readonly unfold: (x: Float32Array, n: number, sample: number, group: number, to: Float32Array) => void;
}

/** Of each layer with weights, by its name. */
export function patchesOf(graph: Graph): Map<string, Patches> {
  const shapes = tensorShapes(graph);
  return new Map(
    weightedLayers(graph).map((layer) => [
      layer.name,
      of(convolutionOf(layer, shapes.get(inputOf(layer))!), shapes.get(layer.output)!),
    ]),
  );
}

function of({ isDense, input, kernel, stride, pad, groups }: Convolution, [rows, outHeight, outWidth]: Shape): Patches {
  const [channels, height, width] = input;
  const [kernelHeight, kernelWidth] = kernel;
  const [strideY, strideX] = stride;
  const [top, left] = pad;
  const each = channels / groups;
  const unfold: Patches["unfold"] = (x, n, sample, group, to) => {
    let at = 0;
    for (let channel = group * each; channel < (group + 1) * each; channel++) {
      for (let ky = 0; ky < kernelHeight; ky++) {
        for (let kx = 0; kx < kernelWidth; kx++) {
          for (let oy = 0; oy < outHeight; oy++) {
            const y = oy * strideY + ky - top;
            for (let ox = 0; ox < outWidth; ox++) {
              const column = ox * strideX + kx - left;
              const isInside = y >= 0 && y < height && column >= 0 && column < width;
              to[at++] = isInside ? x[((channel * height + y) * width + column) * n + sample] : 0;
            }
          }
        }
      }
    }
  };
  return { rows, columns: each * kernelHeight * kernelWidth, positions: outHeight * outWidth, groups, isDense, unfold };
}
