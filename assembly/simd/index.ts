/** The engine for machines with SIMD128: SPEC.md, "The core's interface". */
export { open, reset, start, step } from "./graph";
