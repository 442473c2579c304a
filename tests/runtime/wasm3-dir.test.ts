import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bake } from "../../host/node/module/bake.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { writeContainer } from "../../host/container/write.js";
import { openEngine } from "../../host/node/engines/open.js";
import { wasm3Version } from "../../host/node/wasm3/runtime.js";
import { leNets, randomInput, syntheticModels } from "../support/models.js";

const folder = process.env.WASM3_DIR ?? "";
const command =
  "WASM3_DIR=FOLDER sh -c 'node tools/build.mjs && npx vitest run tests/runtime tests/firmware/library.test.ts tests/firmware/modules.test.ts'";

/** The addon over other sources than npm's. The same command runs the library's tests over them, native and under the sanitizers. */
describe.skipIf(folder === "")(
  `another wasm3${folder === "" ? ` (skipped, WASM3_DIR is not set: ${command})` : ""}`,
  () => {
    it("is the addon's", () => {
      const header = [join(folder, "wasm3.h"), join(folder, "source", "wasm3.h")].find((path) => existsSync(path))!;
      const version = /#define M3_VERSION\s+"(.+)"/.exec(readFileSync(header, "utf8"))?.[1];
      expect(wasm3Version()).toBe(version);
    });

    const models = [...syntheticModels(), ...leNets()].filter(({ name }) =>
      /^(tiny|padded|average pool|narrow)/.test(name),
    );
    it.each(models)("runs $name as the reference does, in each form", ({ model }) => {
      const container = writeContainer(model);
      const input = randomInput(model, 1);
      const expected = openEngine("reference", container).run(input);
      for (const form of [container, bake(container), fastModule(container, "speed"), fastModule(container, "sram")]) {
        const engine = openEngine("wasm3", form);
        expect(engine.run(input)).toEqual(expected);
        engine.close();
      }
    });
  },
);
