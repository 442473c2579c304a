/**
 * Optimizes modules of build/ once more, in place, for size: behind asc's own passes that finds another hundredth, and some functions fewer.
 * Example: node tools/shrink.mjs core core16 core-growable
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import binaryen from "binaryen";

const build = join(dirname(dirname(fileURLToPath(import.meta.url))), "build");

/** Sizes up to which functions are inlined: wherever they are called, and where they are called from one place. The largest stay functions. */
const INLINED = {
  // In one with all of them there are more values at a time than wasm3 is given room for.
  core: { always: 2, once: 250 },
  core16: { always: 2, once: 250 },
  // V8 optimises what gets hot by the function: one that holds the whole decoder keeps a thread busy for longer than all else takes, while Node
  // waits for it to end.
  "core-growable": { always: 6, once: 300 },
};

binaryen.setOptimizeLevel(2);
binaryen.setShrinkLevel(2);
for (const name of process.argv.slice(2)) {
  const { always, once } = INLINED[name];
  binaryen.setAlwaysInlineMaxSize(always);
  binaryen.setOneCallerInlineMaxSize(once);
  const path = join(build, `${name}.wasm`);
  const module = binaryen.readBinary(readFileSync(path));
  module.setFeatures(binaryen.Features.MVP);
  module.optimize();
  writeFileSync(path, module.emitBinary());
}
