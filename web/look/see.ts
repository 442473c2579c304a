/** From a picture's pixels to the classes of a net: pictures are fitted as `mote run` fits them. */
import { fitPicture, fitSquares } from "../../host/data/fit-picture.js";
import { DIGIT_SIDE, digitFromPicture, takesDigits } from "../../host/data/image.js";
import type { Picture } from "../../host/data/plane.js";
import { MoteError, type Model, type ModelTensor, type Pixels } from "../../runtime/index.js";

/** A picture as a net takes it. */
export interface Fitted {
  /** Of the input's height and width. */
  readonly pixels: Pixels;
  /** Why what is read from it may be wrong. */
  readonly doubts: readonly string[];
}

/** @throws MoteError MISMATCH for a model that is no classifier of pictures */
export function expectClassifier({ inputs, outputs }: Model): void {
  const [{ shape }] = inputs;
  const classes = outputs[0].shape.reduce((product, side) => product * side);
  const isPicture = shape[0] === 1 || shape[0] === 3;
  if (inputs.length === 1 && isPicture && shape[1] > 1 && shape[2] > 1 && classes > 1) return;
  const given = inputs.map((input) => input.shape.join(" × ")).join(" and ");
  throw new MoteError(
    "MISMATCH",
    `this net takes ${given} and gives ${classes} numbers; expected one that takes a picture of 1 or 3 channels and gives a number for each class`,
  );
}

/**
 * The middle of the picture, in the input's proportions; for a net of digits, the digit that is in it.
 * @throws MoteError FORMAT where there is no digit in it
 */
export function fit(picture: Picture, { shape, preprocessing }: ModelTensor): Fitted {
  const [channels, height, width] = shape;
  const digit =
    takesDigits(shape) && preprocessing === undefined ? digitFromPicture(picture, "the picture") : undefined;
  const pixels = digit ? fitSquares(digit.pixels, DIGIT_SIDE, height) : fitPicture(picture, shape, "the picture");
  const size = height * width;
  const data = new Uint8ClampedArray(4 * size).fill(255);
  for (let i = 0; i < 3 * size; i++) {
    const channel = Math.floor(i / size);
    data[4 * (i % size) + channel] = pixels[channels === 1 ? i % size : i];
  }
  return { pixels: { width, height, data }, doubts: digit?.doubts ?? [] };
}
