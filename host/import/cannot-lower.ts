/** What cannot be lowered, with the reason and what would do instead. */
import { MoteError } from "../errors.js";

/** Why a node does not run, and what to do. */
export class CannotLower extends Error {}

export interface Problem {
  readonly node: string;
  readonly op: string;
  readonly reason: string;
}

/** All problems in one error, those of one op and reason together. */
export function refusal(problems: readonly Problem[]): MoteError {
  const byReason = new Map<string, string[]>();
  for (const { node, op, reason } of problems) {
    const what = `${op}: ${reason}`;
    byReason.set(what, [...(byReason.get(what) ?? []), node]);
  }
  const lines = [...byReason].map(([what, nodes]) => {
    const shown = nodes.length > 4 ? [...nodes.slice(0, 3), `${nodes.length - 3} more`] : nodes;
    return `${what} (${shown.join(", ")})`;
  });
  return new MoteError(
    "UNSUPPORTED",
    `${problems.length} ${problems.length === 1 ? "node does" : "nodes do"} not run: ${lines.join("; ")}`,
  );
}
