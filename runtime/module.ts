/** The runtime for models that `mote pack` has made modules of, which bring what runs them: without the core. */
import { MoteError } from "../host/errors.js";
import { openWith } from "./load.js";
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

/**
 * Opens a packed or a fast module, a `.wasm` that `mote pack` made. It is the other entry's `openModel` without the core inside, so that a page
 * becomes smaller; a `.mote` takes the other one.
 * @param source the module's bytes, or what has them, such as a Response of `fetch`. They are copied
 * @throws as the other one, and MoteError FORMAT for a `.mote`
 */
export async function openModel(
  source: ModelSource | Promise<ModelSource>,
  options: Omit<OpenOptions, "engine"> = {},
): Promise<Model> {
  return openWith(source, options, "module", () => {
    throw new MoteError(
      "FORMAT",
      "not a module: mote-nn/module opens what npx mote pack model.mote --out model.wasm makes; openModel of mote-nn opens a .mote too",
    );
  });
}
