/** The device core: SPEC.md, "The core's interface". */
export { open, start, step } from "./graph";
