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

/** Of inputs that lie one behind the other what an append takes: of the last ones, and of the first of them maybe a part. */
export function appendedParts(inputs: readonly Shape[], output: Shape): readonly Part[] {
  const axis = isBelow(inputs, output) ? 0 : 1;
  const at = (place: number): Axes => (axis === 0 ? [place, 0] : [0, place]);
  const sized = (count: number): Axes => (axis === 0 ? [count, output[2]] : [output[1], count]);
  let to = -passedOver(inputs, output)[axis];
  return inputs.flatMap((shape, input): Part[] => {
    const extent = shape[axis + 1];
    const passed = Math.min(extent, Math.max(0, -to));
    const part = { input, channel: 0, from: at(passed), to: at(to + passed), size: sized(extent - passed) };
    to += extent;
    return passed < extent ? [part] : [];
  });
}
