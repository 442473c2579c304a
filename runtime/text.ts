import { TEXT_SHIFT } from "../build/core-text.js";

/** The module that is kept as text. A plain loop, as it runs once, before anything is compiled: what goes letter by letter otherwise takes several times as long. */
export function moduleOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i) - TEXT_SHIFT;
  return bytes;
}
