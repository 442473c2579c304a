/** `mote-nn/simd`: the engine that is taken, and the same outputs as by the core. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { writeContainer } from "../../host/container/write.js";
import { bake } from "../../host/node/module/bake.js";
import { builtFile } from "../../host/node/paths.js";
import { openModel as openByCore } from "../../runtime/index.js";
import { openModel } from "../../runtime/simd.js";
import { randomInputs, syntheticModels } from "../support/models.js";

const lenet = readFileSync(builtFile("models/lenet5.mote"));

it("gives what the core gives, of containers and of modules", async () => {
  for (const { name, model } of syntheticModels().filter((_, index) => index % 4 === 0)) {
    const container = writeContainer(model);
    const inputs = randomInputs(model, 1);
    const expected = (await openByCore(container)).run(inputs);
    expect((await openModel(container)).run(inputs), name).toEqual(expected);
    expect((await openModel(container, { engine: "core" })).run(inputs), name).toEqual(expected);
    expect((await openModel(bake(container))).run(inputs), name).toEqual(expected);
  }
});

it("takes the vectors where there is memory for them, else the core", async () => {
  const core = await openModel(lenet, { engine: "core" });
  const simd = await openModel(lenet, { engine: "simd" });
  expect(simd.memoryBytes).toBeGreaterThan(2 * core.memoryBytes);
  expect((await openModel(lenet)).memoryBytes).toBe(simd.memoryBytes);
  expect((await openModel(lenet, { memoryLimit: simd.memoryBytes })).memoryBytes).toBe(simd.memoryBytes);
  const memoryLimit = simd.memoryBytes - 1;
  expect((await openModel(lenet, { memoryLimit })).memoryBytes).toBe(core.memoryBytes);
  await expect(openModel(lenet, { engine: "simd", memoryLimit })).rejects.toMatchObject({
    code: "MEMORY",
    message: `simd: the model takes ${simd.memoryBytes} bytes of memory, the limit is ${memoryLimit}`,
  });
  // More than 32 bits count.
  for (const large of [2 ** 32, 2 ** 32 + 5000, Infinity]) {
    expect((await openModel(lenet, { memoryLimit: large })).memoryBytes).toBe(simd.memoryBytes);
  }
  await expect(openModel(lenet, { memoryLimit: NaN })).rejects.toThrow(
    "memoryLimit: expected a number of bytes above 0",
  );
  // Too little for the head of the file even.
  for (const engine of [{ engine: "core" }, { engine: "simd" }, {}] as const) {
    await expect(openModel(lenet, { ...engine, memoryLimit: 100 })).rejects.toMatchObject({ code: "MEMORY" });
  }
});

it("refuses what is no model, and engines that there are not", async () => {
  await expect(openModel(new Uint8Array(100))).rejects.toMatchObject({ code: "FORMAT" });
  const damaged = Uint8Array.from(lenet, (byte, index) => (index === 90 ? byte ^ 1 : byte));
  await expect(openModel(damaged)).rejects.toMatchObject({
    code: "FORMAT",
    message: expect.stringContaining("simd: load failed") as string,
  });
  await expect(openModel(lenet, { engine: "v8" as "core" })).rejects.toThrow("engine: expected core or simd, got v8");
});
