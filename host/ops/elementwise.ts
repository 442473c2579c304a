/** What ops on equal places of two tensors have in common. */
import type { QTensor } from "../model/model.js";
import type { Fail } from "./fields.js";

const shapeText = ({ shape }: QTensor): string => `[${shape.join(", ")}]`;

export function checkSameShapes(
  _layer: unknown,
  inputs: readonly QTensor[],
  output: QTensor,
  where: string,
  fail: Fail,
): void {
  inputs.forEach((input, index) => {
    if (shapeText(input) !== shapeText(output)) {
      fail(where, `input ${index} is ${shapeText(input)}, expected the output's ${shapeText(output)}`);
    }
  });
}

/** The second input may have one element a channel. */
export function checkGate(
  layer: unknown,
  [first, second]: readonly QTensor[],
  output: QTensor,
  where: string,
  fail: Fail,
): void {
  const [channels, height, width] = second.shape;
  const isGate = channels === output.shape[0] && height === 1 && width === 1;
  checkSameShapes(layer, isGate ? [first] : [first, second], output, where, fail);
}
