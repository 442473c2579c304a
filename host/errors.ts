/** What went wrong, as a word a script can test. One meaning each; the message says what, where and what was expected. */
export type ErrorCode =
  | "ARGUMENT" // a flag or argument of the command line
  | "FILE" // a file that cannot be opened, read or written
  | "FORMAT" // a file whose bytes are not what they should be: container, idx, PNG, safetensors, wasm
  | "UNSUPPORTED" // a well-formed file that asks for a version, op or codec this build does not have
  | "MEMORY" // a plan or a model larger than the limit given
  | "RECIPE" // a compression recipe that does not fit its schema
  | "DIVERGED" // training whose numbers have left the range of float32, or that has taught a net nothing
  | "MISMATCH" // two things that should agree and do not: checkpoint and graph, engine and reference
  | "SERVER" // a queue or a store on another machine that cannot be reached, or refuses
  | "ENGINE" // an engine that cannot be built, loaded or that reported an error while running
  | "INTERRUPTED"; // stopped by the user; what was finished is kept

/** The one error class for anything that is not a programming mistake. */
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

/**
 * Text from a file, a file name or the command line as it may be shown: what steers a terminal or turns the writing's direction is
 * spelled out, `\x1b` or `\u202e`, and so are a line's ends.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0)!.toString(16);
    if (code.length <= 2) return `\\x${code.padStart(2, "0")}`;
    return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\u{${code}}`;
  });
}

/** The beginning of a text that is too long for a line of an error. */
export const shortened = (text: string, most = 80): string => (text.length > most ? `${text.slice(0, most)}…` : text);
