/**
 * Optimizes modules of build/ once more, in place, for size: behind asc's own passes that finds another hundredth, and some functions fewer.
 * Example: node tools/shrink.mjs core core16
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import binaryen from "binaryen";

const build = join(dirname(dirname(fileURLToPath(import.meta.url))), "build");
binaryen.setOptimizeLevel(2);
binaryen.setShrinkLevel(2);
// The largest ones that are called from one place stay functions: in one with all of them there are more values at a time than wasm3 is given room for.
binaryen.setOneCallerInlineMaxSize(250);
for (const name of process.argv.slice(2)) {
  const path = join(build, `${name}.wasm`);
  const module = binaryen.readBinary(readFileSync(path));
  module.setFeatures(binaryen.Features.MVP);
  module.optimize();
  writeFileSync(path, module.emitBinary());
}
