/** What runs a model on a board, behind the same C functions. */

/** native: wasm3, with the C library's kernels in the place of a fast module's. data: those kernels alone, over a fast module's tables and stream. */
export const ENGINES = ["wasm3", "native", "data", "aot"] as const;
export type FirmwareEngine = (typeof ENGINES)[number];

/** Whether an engine takes the module as it is. */
export const takesFile = (engine: FirmwareEngine): boolean => engine !== "aot";

/** Whether it takes wasm3. */
export const isInterpreter = (engine: FirmwareEngine): boolean => engine === "wasm3" || engine === "native";

/** Whether it runs fast modules only. */
export const isFastOnly = (engine: FirmwareEngine): boolean => engine === "data";
