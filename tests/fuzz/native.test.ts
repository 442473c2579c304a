/** A short run of each of libFuzzer's targets; `npm run fuzz -- --target core --minutes 60` for longer. */
import { readdirSync, rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { builtFile } from "../../host/node/paths.js";
import { named } from "../firmware/support/native.js";
import { missingForNative, NATIVE_TARGETS, runTarget } from "./native.js";

const COUNT = 20_000;

describe.skipIf(missingForNative.length > 0)(named("libFuzzer's targets", missingForNative), () => {
  // A finding stays there, until the next run.
  const save = builtFile("build/fuzz/found");
  rmSync(save, { recursive: true, force: true });

  it.each(Object.keys(NATIVE_TARGETS))(
    `%s keeps its promises for ${COUNT} inputs`,
    async (target) => {
      const result = await runTarget({ target, seed: 1, count: COUNT, minutes: Infinity, save });
      expect(result.finding).toBeUndefined();
      expect(result.mutations).toBeGreaterThanOrEqual(COUNT);
      expect(readdirSync(save)).toEqual([]);
    },
    400_000,
  );
});
