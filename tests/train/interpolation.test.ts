/** Functions as cubics: between their ends, where they bend, beyond them. */
import { expect, test } from "vitest";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { FUNCTION_NAMES, elementFunction, FUNCTIONS } from "../../host/ops/functions.js";
import { instantiateKernels, SharedHeap } from "../../host/train/heap.js";
import { writeInterpolation } from "../../host/train/interpolation.js";

const PLACES = [0, 1e-9, 0.004, 0.0157, 0.3, 0.999, 2.4999, 2.51, 3.2, 7.77, 15.9, 40, 1234.5].flatMap((x) => [x, -x]);

function interpolated(f: (x: number) => number, xs: readonly number[]) {
  const heap = new SharedHeap();
  const kernels = instantiateKernels(nodeRuntime.kernels(), heap.memory);
  const [x, y, dy, dx] = Array.from({ length: 4 }, () => heap.allocate(xs.length * 4));
  heap.f32(x, xs.length).set(xs);
  heap.f32(dy, xs.length).fill(1);
  const table = writeInterpolation(heap, f);
  kernels.interpolate(table, y, x, xs.length * 4);
  kernels.interpolateGradient(table, dx, dy, x, xs.length * 4, false);
  return { y: [...heap.f32(y, xs.length)], slope: [...heap.f32(dx, xs.length)] };
}

test.each(FUNCTION_NAMES.filter((name) => name !== "clamp" && name !== "step"))("%s", (name) => {
  const parameters = FUNCTIONS[name].parameters.map((_, i) => [0.2, 0.5, 1][i]);
  const f = elementFunction("test", name, parameters);
  const { y, slope } = interpolated(f, PLACES);
  PLACES.forEach((place, i) => {
    const x = Math.fround(place);
    const step = 1e-5 * Math.max(1, Math.abs(x));
    const expected = (f(x + step) - f(x - step)) / (2 * step);
    expect(Math.abs(y[i] - f(x)) / Math.max(1, Math.abs(f(x))), `${name}(${x})`).toBeLessThan(2e-6);
    // At 0 itself some bend.
    if (Math.abs(x) > step) {
      expect(Math.abs(slope[i] - expected) / Math.max(1, Math.abs(expected)), `slope at ${x}`).toBeLessThan(2e-4);
    }
  });
});

test("beyond the last cubic along the tangent; NaN stays", () => {
  const { y, slope } = interpolated((x) => 3 * x + 1, [131_072, -131_072, NaN]);
  expect(y).toEqual([393_217, -393_215, NaN]);
  expect(slope.slice(0, 2)).toEqual([3, 3]);
});
