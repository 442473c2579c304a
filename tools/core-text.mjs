/**
 * Writes build/core-text.ts or build/simd-text.ts, an engine as text in a module: what bundlers, browsers, workers and Node all load alike, without a
 * second request. A letter a byte, so that brotli finds what repeats in the bytes; base64 would hide it. Shifted, so that no byte becomes a
 * control character that has to be escaped.
 * Example: node tools/core-text.mjs core
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import binaryen from "binaryen";

/** Of the first letter, which stands for 0: the one behind the quotation mark. */
const TEXT_SHIFT = 35;

const build = join(dirname(dirname(fileURLToPath(import.meta.url))), "build");
const [name] = process.argv.slice(2);
const bytes = { core: smallCore, simd: () => readFileSync(join(build, "simd.wasm")) }[name]();
const letters = [...bytes].map((byte) => String.fromCharCode(byte + TEXT_SHIFT));
writeFileSync(
  join(build, `${name}-text.ts`),
  `/** ${name}.wasm: of each byte the letter whose code is TEXT_SHIFT above it. */
export const ${name.toUpperCase()}_TEXT: string = ${JSON.stringify(letters.join(""))};
export const TEXT_SHIFT = ${TEXT_SHIFT};
`,
);

function smallCore() {
  binaryen.setOptimizeLevel(2);
  binaryen.setShrinkLevel(2);
  binaryen.setAlwaysInlineMaxSize(6);
  // Larger ones that are called from one place stay functions of their own: V8 optimises what gets hot by the function, and one that holds the
  // whole decoder keeps a thread busy for longer than all else takes, while Node waits for it to end.
  binaryen.setOneCallerInlineMaxSize(300);
  const module = binaryen.readBinary(readFileSync(join(build, "core-growable.wasm")));
  module.optimize();
  return module.emitBinary();
}
