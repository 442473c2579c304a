import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { readCheckpoint, writeCheckpoint } from "../../host/node/train/checkpoint.js";
import { trainCommand } from "../../tools/train.js";

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-train-"));
  file = join(folder, "net.safetensors");
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the command and gives the lines that it printed to stdout and to stderr. */
async function mote(...args: string[]): Promise<{ stdout: string[]; stderr: string[] }> {
  const lines = { stdout: [] as string[], stderr: [] as string[] };
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text) => lines[name].push(String(text).trimEnd()) > 0);
  }
  await trainCommand().exitOverride().parseAsync(args, { from: "user" });
  return lines;
}

describe("mote train", () => {
  const tiny = ["--net", "lenet300", "--epochs", "0.05", "--threads", "1", "--seed", "3"];

  test("trains, reports and can be resumed after its end", async () => {
    const { stdout, stderr } = await mote(...tiny, "--out", file, "--json");
    expect(stdout).toHaveLength(1);
    expect(stderr.find((line) => line.startsWith("epoch"))).toMatch(
      /^epoch 1 {2}loss \d\.\d{4} {2}validation error \d+\.\d\d % \(\d+ of 5000\)$/,
    );
    const report = JSON.parse(stdout[0]) as Record<string, unknown>;
    expect(report).toMatchObject({ net: "lenet300", steps: 22, seed: 3, epochs: 0.05, threads: 1 });
    expect(report.validationErrorPercent).toBeLessThan(25);
    expect(report).not.toHaveProperty("testErrors");
    expect(readCheckpoint(file).net.graph.name).toBe("lenet300");
    const again = await mote("--resume", "--out", file, "--json");
    expect((JSON.parse(again.stdout[0]) as Record<string, unknown>).validationErrors).toBe(report.validationErrors);
  });

  test("a resumed run does not change its settings in silence", async () => {
    await expect(mote("--resume", "--out", file, "--lr", "0.5")).rejects.toThrow(
      /--lr 0\.5: .*net\.safetensors was started with 0\.0015/,
    );
    await expect(mote("--resume", "--out", file, "--net", "lenet5")).rejects.toThrow(/holds a lenet300/);
  });

  test("says what is missing or wrong", async () => {
    await expect(mote("--out", file)).rejects.toMatchObject({
      code: "ARGUMENT",
      message: expect.stringMatching(/--net is missing/),
    });
    await expect(mote("--resume", "--out", join(folder, "none"))).rejects.toMatchObject({ code: "FILE" });
    const other = join(folder, "other");
    writeFileSync(other, "no checkpoint at all");
    await expect(mote("--resume", "--out", other)).rejects.toMatchObject({ code: "FORMAT" });
    writeCheckpoint(other, { net: { ...readCheckpoint(file).net } });
    await expect(mote("--resume", "--out", other)).rejects.toMatchObject({ code: "MISMATCH" });
    for (const flags of [
      ["--net", "vgg16"],
      ["--batch", "100"],
      ["--epochs", "0"],
      ["--lr", "fast"],
      ["--seed", "1.5"],
      ["--threads", "0"],
    ]) {
      await expect(mote(...flags, "--out", file), flags.join(" ")).rejects.toMatchObject({
        code: "commander.invalidArgument",
      });
    }
  });

  test("a file that cannot be written to is found out before the training", async () => {
    const blocked = join(file, "below-a-file");
    const endless = ["--net", "lenet300", "--epochs", "1000"];
    await expect(mote(...endless, "--out", blocked)).rejects.toMatchObject({
      code: "FILE",
      message: expect.stringMatching(/below-a-file/),
    });
  });
});
