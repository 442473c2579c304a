/** A fast module: SPEC.md, "The fast module". */
export { open, start, step } from "./graph";
