import { MoteError } from "../../host/errors.js";

/** "CODE message" of the MoteError that the work throws, "none" where it throws none. Other errors pass. */
export function problem(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof MoteError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "none";
}
