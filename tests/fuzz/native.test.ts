/** A short run of each of libFuzzer's targets; `npm run fuzz -- --target core --minutes 60` for longer. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { named } from "../firmware/support/native.js";
import { missingForNative, NATIVE_TARGETS, runTarget } from "./native.js";

const COUNT = 20_000;

describe.skipIf(missingForNative.length > 0)(named("libFuzzer's targets", missingForNative), () => {
  const save = mkdtempSync(join(tmpdir(), "mote-fuzz-"));
  afterAll(() => rmSync(save, { recursive: true, force: true }));

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
