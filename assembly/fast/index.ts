/** A fast module: SPEC.md, "The fast module". */
export { open, reset, start, step } from "./graph";
