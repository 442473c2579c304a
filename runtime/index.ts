/** Runs a model: from its bytes to its outputs, in a browser, a worker, Node or a WebView. */
export { MoteError, type ErrorCode } from "../host/errors.js";
export { openModel } from "./open.js";
export type {
  LayerVisit,
  Model,
  ModelSource,
  ModelTensor,
  OpenOptions,
  Pixels,
  Prediction,
  Preprocessing,
  RuntimeEngine,
} from "./types.js";
