/** The runtime with the engine for machines with SIMD128 beside the core. */
import { CORE_TEXT } from "../build/core-text.js";
import { SIMD_TEXT } from "../build/simd-text.js";
import { MAX_BYTES } from "../assembly/format.js";
import { hasSimd } from "../host/engines/has-simd.js";
import { MoteError } from "../host/errors.js";
import { bytesOf, openWith } from "./load.js";
import { smallFields } from "./small-header.js";
import { moduleOf } from "./text.js";
import type { Model, ModelSource, OpenOptions } from "./types.js";

export { MoteError, type ErrorCode } from "../host/errors.js";
export type {
  LayerVisit,
  Model,
  ModelSource,
  ModelTensor,
  OpenOptions,
  Pixels,
  Prediction,
  Preprocessing,
} from "./types.js";

/** How a model is opened by `mote-nn/simd`. */
export interface SimdOptions extends Omit<OpenOptions, "engine"> {
  /**
   * What runs a container. "simd" takes memory for the decoded weights and a tenth of the core's time. Default: "simd" where WebAssembly has SIMD128
   * and `memoryLimit` is no less than that takes, else "core". Modules bring their own.
   */
  readonly engine?: "core" | "simd";
}

/**
 * Opens a model as the other one does, with an engine for nets of more than a few kilobytes: it decodes all weights when the model is opened, and takes
 * the vectors of the machine. The outputs are the same. A page becomes 9 KB larger.
 * @param source a model's bytes, or what has them, such as a Response of `fetch`. They are copied
 * @throws as the other one
 */
export async function openModel(source: ModelSource | Promise<ModelSource>, options: SimdOptions = {}): Promise<Model> {
  const { engine } = options;
  if (engine !== undefined && engine !== "simd" && engine !== "core") {
    throw new RangeError(`engine: expected core or simd, got ${engine as string}`);
  }
  const file = await bytesOf(await source);
  if (engine === "simd" || (engine === undefined && hasSimd())) {
    try {
      // It counts in 32 bits, and no model takes more.
      const memoryLimit = Math.min(options.memoryLimit ?? MAX_BYTES, MAX_BYTES);
      return await openWith(file, { memoryLimit }, "simd", () => moduleOf(SIMD_TEXT), smallFields, true);
    } catch (error) {
      if (engine === "simd" || (error as MoteError).code !== "MEMORY") throw error;
    }
  }
  return openWith(file, options, "core", () => moduleOf(CORE_TEXT), smallFields);
}
