/**
 * Writes build/core-text.ts or build/simd-text.ts, an engine as text in a module: what bundlers, browsers, workers and Node all load alike, without a
 * second request. A letter a byte, so that brotli finds what repeats in the bytes; base64 would hide it. Shifted, so that no byte becomes a
 * control character that has to be escaped.
 * Example: node tools/core-text.mjs core
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Of the first letter, which stands for 0: the one behind the quotation mark. */
const TEXT_SHIFT = 35;

const build = join(dirname(dirname(fileURLToPath(import.meta.url))), "build");
const [name] = process.argv.slice(2);
const module = { core: "core-growable.wasm", simd: "simd.wasm" }[name];
const letters = [...readFileSync(join(build, module))].map((byte) => String.fromCharCode(byte + TEXT_SHIFT));
writeFileSync(
  join(build, `${name}-text.ts`),
  `/** ${module}: of each byte the letter whose code is TEXT_SHIFT above it. */
export const ${name.toUpperCase()}_TEXT: string = ${JSON.stringify(letters.join(""))};
export const TEXT_SHIFT = ${TEXT_SHIFT};
`,
);
