/** The device core: SPEC.md, "The core's interface". */
export { open, reset, start, step } from "./graph";
