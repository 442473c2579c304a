/** JSON of files, of which anything may be expected. */
import { MoteError, shortened } from "./errors.js";

/** @param what for messages: where in the file it stands @throws MoteError FORMAT */
export function parseJson(text: string, path: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MoteError("FORMAT", `${path}: ${what}: not JSON`, { cause });
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A value of JSON for errors, cut where it is long: a file may nest it deeper, or make it larger, than anyone reads. */
export function shownJson(value: unknown): string {
  if (value === undefined) return "nothing";
  try {
    return shortened(JSON.stringify(value));
  } catch {
    return "what is nested too deeply to be shown";
  }
}
