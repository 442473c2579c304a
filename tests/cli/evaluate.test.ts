import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import { loadMnist } from "../../host/node/data/mnist.js";
import { packageRoot } from "../../host/node/paths.js";
import { npyOf } from "../support/npy.js";
import { expectOneLine, mote, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const model = join(packageRoot, "models/lenet5.mote");

interface Result {
  readonly samples: number;
  readonly errors: number;
  readonly accuracyPercent: number;
  readonly top5Percent: number;
  readonly confusion: number[][];
  readonly worst: { index: number; file?: string; label: number; class: number; labelProbability: number }[];
}

describe("mote evaluate", () => {
  it("prints a table for people and one object for scripts, which agree", async () => {
    const outcome = await mote(["evaluate", model, "--data", "mnist:test:1000", "--worst", "3", "--json"]);
    expect(outcome.code).toBe(0);
    const result = JSON.parse(outcome.stdout) as Result;
    const counts = result.confusion.flat();
    const right = result.confusion.reduce((sum, row, label) => sum + row[label], 0);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1000);
    expect(result).toMatchObject({ samples: 1000, errors: 1000 - right, accuracyPercent: right / 10 });
    expect(result.errors).toBeGreaterThan(0);
    expect(result.worst).toHaveLength(Math.min(3, result.errors));
    const { labels } = loadMnist().test;
    for (const { index, label, class: taken, labelProbability } of result.worst) {
      expect(labels[index]).toBe(label);
      expect(taken).not.toBe(label);
      expect(labelProbability).toBeLessThan(0.5);
    }
    expect(outcome.stderr).toContain(`accuracy    ${result.accuracyPercent.toFixed(2)} % (${result.errors} wrong)`);
    expect(outcome.stderr).toMatch(/^0 {2,}\d+ .*\d\.\d\d$/m);
    expect(outcome.stderr).toMatch(new RegExp(`^${result.worst[0].index} +${result.worst[0].label} `, "m"));
  });

  it("names files and classes of a folder of pictures", async () => {
    const { images, labels } = loadMnist().test;
    for (let i = 0; i < 4; i++) {
      const png = new PNG({ width: 28, height: 28 });
      for (let k = 0; k < 784; k++)
        png.data.fill(images[i * 784 + k], 4 * k, 4 * k + 3).fill(255, 4 * k + 3, 4 * k + 4);
      // The second one lies in the folder of another digit.
      const folder = scratch.path(`digits/${i === 1 ? 3 : labels[i]}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `${i}.png`), PNG.sync.write(png));
    }
    const outcome = await mote(["evaluate", model, "--data", scratch.path("digits"), "--json"]);
    const { errors, worst } = JSON.parse(outcome.stdout) as Result;
    expect(errors).toBe(1);
    expect(worst).toMatchObject([{ file: join("3", "1.png"), label: 3, class: 2 }]);
    expect(outcome.stderr).toMatch(/^3\/1\.png +3 +2 /m);
  });

  it("needs samples, and labels for them", async () => {
    const path = scratch.path("bare.npy");
    writeFileSync(path, npyOf(new Uint8Array(784), 1, 28, 28));
    expectOneLine(await mote(["evaluate", model]), /expected --data, samples to evaluate the model on$/, 2);
    expectOneLine(await mote(["evaluate", model, "--data", path]), /bare\.npy has no labels: expected --labels/, 2);
  });
});
