import { describe, expect, it } from "vitest";
import { fitPicture } from "../../host/data/fit-picture.js";
import type { Picture } from "../../host/data/plane.js";

/** Of greys, all opaque. */
function greys(width: number, values: readonly number[], alpha = 255): Picture {
  return {
    width,
    height: values.length / width,
    rgba: Uint8Array.from(values.flatMap((value) => [value, value, value, alpha])),
  };
}
const fit = (picture: Picture, height: number, width: number): number[] => [
  ...fitPicture(picture, [1, height, width], "a picture"),
];

describe("a picture as a net's input", () => {
  it("is taken as it is where it has the size", () => {
    const values = Array.from({ length: 15 }, (_, i) => i * 17);
    expect(fit(greys(5, values), 3, 5)).toEqual(values);
  });

  it("keeps what lies in the middle where its proportions are others", () => {
    expect(fit(greys(4, [9, 1, 2, 9, 9, 3, 4, 9]), 2, 2)).toEqual([1, 2, 3, 4]);
    expect(fit(greys(2, [9, 9, 1, 2, 3, 4, 9, 9]), 2, 2)).toEqual([1, 2, 3, 4]);
  });

  // A triangle over four pixels: weights 1, 3, 3, 1 in the middle; at the edge what is left of them.
  it("becomes smaller by a mean over what a pixel covers", () => {
    expect(fit(greys(8, [0, 0, 0, 80, 80, 0, 0, 0]), 1, 4).length).toBe(4);
    expect(fit(greys(6, Array<number>(36).fill(77)), 2, 2)).toEqual([77, 77, 77, 77]);
    const row = Array.from({ length: 6 }, () => [0, 0, 80, 0, 0, 0]).flat();
    expect(fit(greys(6, row), 3, 3).slice(0, 3)).toEqual([Math.round(80 / 7), 30, 0]);
  });

  it("becomes larger by linear interpolation", () => {
    expect(fit(greys(2, [0, 100, 0, 100]), 4, 4).slice(0, 4)).toEqual([0, 25, 75, 100]);
  });

  it("has white behind what is transparent", () => {
    expect(fit(greys(1, [0], 0), 1, 1)).toEqual([255]);
    expect(fit(greys(1, [100], 51), 1, 1)).toEqual([224]);
  });
});
