import { CORE_TEXT } from "../build/core-text.js";
import { openWith } from "./load.js";
import { smallFields } from "./small-header.js";
import { moduleOf } from "./text.js";
import type { Model, ModelSource, OpenOptions, RuntimeEngine } from "./types.js";

/** The module of each engine, as text. */
const ENGINES: Readonly<Record<RuntimeEngine, string>> = { core: CORE_TEXT };

/**
 * Opens a model: in a browser, a worker, Node or a WebView.
 * @param source the bytes of a `.mote` container, or of a `.wasm` that `mote pack` made; or what has them, such as a Response of `fetch`.
 *   They are copied
 * @throws MoteError FORMAT for bytes that are no model or damaged, UNSUPPORTED for a version, op or codec that this runtime does not have, MEMORY
 *   when the model needs more than `memoryLimit`, FILE for a Response that is an error, ENGINE where WebAssembly itself fails
 * @throws RangeError for an option out of its range, TypeError for a source of another kind
 */
export async function openModel(source: ModelSource | Promise<ModelSource>, options: OpenOptions = {}): Promise<Model> {
  const { engine = "core" } = options;
  const text = ENGINES[engine];
  if (text === undefined) throw new RangeError(`engine: expected ${Object.keys(ENGINES).join()}, got ${engine}`);
  return openWith(source, options, engine, () => moduleOf(text), smallFields);
}
