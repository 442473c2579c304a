/** What went wrong, as a word a script can test. One meaning each; the message says what, where and what was expected. */
export type ErrorCode =
  | "ARGUMENT" // a flag or argument of the command line
  | "FILE" // a file that cannot be opened, read or written
  | "FORMAT" // a file whose bytes are not what they should be: container, idx, PNG, safetensors, wasm
  | "UNSUPPORTED" // a well-formed file that asks for a version, op or codec this build does not have
  | "MEMORY" // a plan or a model larger than the limit given
  | "RECIPE" // a compression recipe that does not fit its schema
  | "MISMATCH" // two things that should agree and do not: checkpoint and graph, engine and reference
  | "ENGINE" // an engine that cannot be built, loaded or that reported an error while running
  | "INTERRUPTED"; // stopped by the user; what was finished is kept

/** The one error class of the host for anything that is not a programming mistake. */
export class MoteError extends Error {
  override readonly name = "MoteError";

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
