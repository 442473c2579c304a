/** The library: read or write a `.mote` container, pack it into a .wasm, for size or for speed, run it on any engine. */
export { MoteError, type ErrorCode } from "./errors.js";
export type * from "./model.js";
export { bake, bakedContainer } from "./container/bake.js";
export { fastModule, fastParts, isFastModule, type FastParts } from "./container/fast.js";
export { describePlan, planTotal, type Plan } from "./container/plan.js";
export { readContainer, type Container, type ReadOptions } from "./container/read.js";
export { writeContainer, type WriteOptions } from "./container/write.js";
export { argmax, classifyAll, pixelTable, probability } from "./runtime/classify.js";
export { describeDifference, firstDifference, type Difference } from "./runtime/compare.js";
export type { Engine, EngineName, EngineOptions, TensorInfo } from "./runtime/engine.js";
export { ENGINE_NAMES, openEngine } from "./runtime/open.js";
export { Wasm3Runtime, wasm3Version, type Wasm3Import, type Wasm3Options } from "./wasm3/runtime.js";
