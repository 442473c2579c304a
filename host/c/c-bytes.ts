/** Bytes and names as C source. */
import { MoteError } from "../errors.js";

const BYTES_A_LINE = 24;

/** @param declaration up to the equals sign, as `const uint8_t core_wasm[]` */
export function byteArray(declaration: string, bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += BYTES_A_LINE) {
    lines.push("    " + Array.from(bytes.subarray(at, at + BYTES_A_LINE), (byte) => `${byte},`).join(""));
  }
  return `${declaration} = {\n${lines.join("\n")}\n};\n`;
}

/** Letters, digits and underscores, not beginning with a digit. */
export function identifier(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9]/g, "_");
  return /^[0-9]/.test(safe) ? `model_${safe}` : safe;
}

/** @param name of a file, which `#include "NAME.h"` is to find @throws MoteError ARGUMENT */
export function expectIncludable(name: string): void {
  if (/^[^"\\\p{Cc}]+$/u.test(name)) return;
  throw new MoteError(
    "ARGUMENT",
    `${JSON.stringify(name)}: expected a name that C can include, without quotes, backslashes and control characters`,
  );
}
