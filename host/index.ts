/** The library: read or write a `.mote` container, pack it into a .wasm, for size or for speed, run it on any engine. */
export { MoteError, type ErrorCode } from "./errors.js";
export type * from "./model/model.js";
export type { DataSet, Reading } from "./data/data-set.js";
export { bake } from "./node/module/bake.js";
export { bakedContainer } from "./module/baked.js";
export { fastModule } from "./node/fast/fast-module.js";
export { fastParts, isFastModule, type FastParts } from "./fast/parts.js";
export { describePlan, planTotal, type Plan } from "./container/plan.js";
export { readContainer, type Container, type ReadOptions } from "./container/read.js";
export { writeContainer, type WriteOptions } from "./container/write.js";
export { argmax, classifyAll, probability } from "./engines/classify.js";
export { describeDifference, firstDifference, type Difference } from "./engines/compare.js";
export type { Engine, EngineName, EngineOptions, TensorInfo } from "./engines/engine.js";
export { evaluate, type Evaluation, type Mistake } from "./engines/evaluate.js";
export { inputFiller, pixelTable } from "./engines/fill-input.js";
export { ENGINE_NAMES } from "./engines/open.js";
export { openEngine } from "./node/engines/open.js";
export { Wasm3Runtime, wasm3Version, type Wasm3Import, type Wasm3Options } from "./node/wasm3/runtime.js";
