/**
 * Names and limits of our modules for those who handle them from outside: SPEC.md, "Modules", written once. Not for asc, which would
 * make static data of each text. Plain literals, since tsc and the generator of the C header read this file.
 */

/** Exports of a module, and its only import. A packed module imports nothing. */
export const MEMORY_EXPORT = "memory";
export const OPEN_EXPORT = "open";
export const START_EXPORT = "start";
export const STEP_EXPORT = "step";
export const RESET_EXPORT = "reset";
export const IMPORT_MODULE = "mote";
export const READ_IMPORT = "read";

/**
 * Kernels of a fast module that a host may put its own in the place of: SPEC.md, "Kernels of the host's own". The digit rises with what
 * their tables and their stream mean.
 */
export const TILES_KERNEL = "tiles1";
export const BLOCKS_KERNEL = "blocks1";
export const DENSE_KERNEL = "dense1";
export const QUADS_KERNEL = "quads1";
export const GAPS_KERNEL = "gaps1";
export const ROWS_KERNEL = "rows1";
export const VALUES_KERNEL = "values1";
export const BITS_KERNEL = "bits1";
export const DEPTH_KERNEL = "depth1";
export const POOL_KERNEL = "pool1";
export const SUMS_KERNEL = "sums1";
export const LINES_KERNEL = "lines1";

/** Custom sections: a fast module's stream of weights, and the version of its tables and its stream; what a container has behind its last layer; the seal, at the very end. */
export const STREAM_SECTION = "mote.stream";
export const LAYOUT_SECTION = "mote.layout";
export const METADATA_SECTION = "mote.metadata";
export const SEAL_SECTION = "mote.crc";

/** What a module for wasm3 may hold at most: SPEC.md, "Modules". Function types. */
export const MODULE_MAX_TYPES = 32;
/** Functions, imported ones among them; globals; entries of any other section. */
export const MODULE_MAX_ITEMS = 144;
/** Parameters of a function. */
export const MODULE_MAX_PARAMETERS = 8;
/** Blocks, loops and ifs around an instruction, the function's own block among them. */
export const MODULE_MAX_NESTING = 20;
/** Values of a function at a time. */
export const MODULE_MAX_VALUES = 50;
/** Calls and loops within each other. */
export const MODULE_MAX_FRAMES = 20;
