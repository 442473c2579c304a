/** What crop and append copy, for whoever copies it as rectangles. */
import type { Axes, QLayer, Shape } from "../model/model.js";
import { isBelow, passedOver } from "./append.js";

/** So many rows and columns of all channels of the output, from one place of an input to one of the output. */
export interface Part {
  /** Which of the layer's inputs. */
  readonly input: number;
  /** The first of its channels. */
  readonly channel: number;
  readonly from: Axes;
  readonly to: Axes;
  readonly size: Axes;
}

/** @param inputs shapes of the layer's inputs @returns one part or two; none of a layer that is neither crop nor append */
export function copiedParts(layer: QLayer, inputs: readonly Shape[], output: Shape): readonly Part[] {
  const size: Axes = [output[1], output[2]];
  if (layer.op === "crop") return [{ input: 0, channel: layer.channel, from: layer.first, to: [0, 0], size }];
  return layer.op === "append" ? appendedParts(inputs, output) : [];
}

/** Of both inputs what an append takes, or of the second alone. */
export function appendedParts(inputs: readonly Shape[], output: Shape): readonly Part[] {
  const size: Axes = [output[1], output[2]];
  const axis = isBelow(inputs, output) ? 0 : 1;
  const at = (place: number): Axes => (axis === 0 ? [place, 0] : [0, place]);
  const sized = (count: number): Axes => (axis === 0 ? [count, size[1]] : [size[0], count]);
  const passed = passedOver(inputs, output)[axis];
  const extent = inputs[0][axis + 1];
  const kept = Math.max(0, extent - passed);
  const parts: readonly Part[] = [
    { input: 0, channel: 0, from: at(passed), to: at(0), size: sized(kept) },
    { input: 1, channel: 0, from: at(Math.max(0, passed - extent)), to: at(kept), size: sized(size[axis] - kept) },
  ];
  return parts.filter((part) => part.size[axis] > 0);
}
