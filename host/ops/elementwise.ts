/** What ops on equal places of two tensors have in common. */
import { MoteError } from "../errors.js";
import type { QTensor, Shape } from "../model/model.js";
import type { Fail } from "./fields.js";

const shapeText = ({ shape }: QTensor): string => `[${shape.join(", ")}]`;

/** The shape that both inputs have. @throws MoteError UNSUPPORTED where they have two */
export function sameShape([first, second]: readonly Shape[], where: string): Shape {
  if (first.join() === second.join()) return first;
  const shapes = `[${first.join(", ")}] and [${second.join(", ")}]`;
  throw new MoteError("UNSUPPORTED", `${where}: its inputs are ${shapes}, expected equal ones`);
}

/** Whether the second has one element a channel of the first. */
export const isGate = ([first, [channels, height, width]]: readonly Shape[]): boolean =>
  channels === first[0] && height === 1 && width === 1;

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
  checkSameShapes(layer, isGate([output.shape, second.shape]) ? [first] : [first, second], output, where, fail);
}
