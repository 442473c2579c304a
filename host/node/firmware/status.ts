/** The C library's statuses in words, for what the boards report as numbers. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { statusText } from "../../engines/driver.js";
import { LIBRARY_FOLDER } from "./library.js";

let own: ReadonlyMap<number, string> | undefined;

/** The library's own, by mote.h: each has its meaning in the comment above. */
function ownStatuses(): ReadonlyMap<number, string> {
  const header = readFileSync(join(LIBRARY_FOLDER, "mote.h"), "utf8");
  const lines = header.matchAll(/\/\*\*((?:(?!\*\/)[^])*?)\*\/\n#define (MOTE_ERROR_\w+) \((-\d+)\)/g);
  return new Map(
    [...lines].map(([, comment, name, value]) => {
      const text = comment
        .replace(/\n \* ?/g, " ")
        .trim()
        .replace(/\.$/, "");
      return [Number(value), `${name}, ${text[0].toLowerCase()}${text.slice(1)}`];
    }),
  );
}

/** As "MOTE_ERROR_MEMORY, the memory given to mote_open is too small (-101)". */
export function libraryStatusText(status: number): string {
  own ??= ownStatuses();
  const text = own.get(status) ?? statusText(status);
  return text.endsWith(String(status)) ? text : `${text} (${status})`;
}
