/** Arrays of numbers as samples: the first index counts them. */
import { MoteError } from "../errors.js";
import { firstNotFinite } from "../finite.js";
import type { SampleSet, Values } from "./data-set.js";
import type { NumberArray } from "./npy.js";

/** @param what names the array in messages @throws MoteError FORMAT for one number, samples without values, or a number that is not finite */
export function setOf({ shape, type, values }: NumberArray, what: string, source: string): SampleSet {
  if (shape.length === 0) throw new MoteError("FORMAT", `${what}: a single number, expected [samples, …]`);
  const [count, ...sizes] = shape;
  // Of nothing there may be any number.
  if (sizes.includes(0))
    throw new MoteError("FORMAT", `${what}: samples of [${sizes.join(", ")}], expected at least one value each`);
  return { count, shape: sizes, images: imagesOf(type, values, what), source };
}

function imagesOf(type: NumberArray["type"], values: NumberArray["values"], what: string): Values {
  if (type === "uint8" && values instanceof Uint8Array) return values;
  if (values instanceof Int8Array) return values;
  return toFloats(values, what);
}

/** @param what names the array in messages @throws MoteError FORMAT for one that is not finite */
export function toFloats(values: NumberArray["values"], what: string): Float32Array {
  const floats = values instanceof Float32Array ? values : Float32Array.from(values);
  const wrong = firstNotFinite(floats);
  if (wrong < 0) return floats;
  throw new MoteError("FORMAT", `${what}: element ${wrong} is ${values[wrong]}, expected a number of float32`);
}
