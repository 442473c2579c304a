import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bakedContainer } from "../../host/module/baked.js";
import { packageRoot } from "../../host/node/paths.js";
import { lenet5 } from "../../host/train/nets.js";
import { readCheckpoint } from "../../host/node/train/checkpoint.js";
import { expectOneLine, mote, scratchFolder } from "./support.js";

const scratch = scratchFolder();
/** Never run: the teacher before them is interrupted, or the net refused. */
const stages = [{ kind: "grid", step: { fc1: 1, fc2: 1, fc3: 1 }, epochs: 1, lr: 1e-3 }, { kind: "calibrate" }];

/** Sends Ctrl-C once the program has shown that it is at work. */
function interruptWhen(pattern: RegExp): (text: string, kill: (signal: NodeJS.Signals) => void) => void {
  let sent = false;
  return (text, kill) => {
    if (sent || !pattern.test(text)) return;
    sent = true;
    kill("SIGINT");
  };
}

describe("Ctrl-C", () => {
  it("in training leaves a checkpoint that reads, or none, and no other file", async () => {
    const out = scratch.path("net.safetensors");
    const args = ["train", "--net", "lenet5", "--out", out, "--threads", "1", "--epochs", "2"];
    const outcome = await mote(args, { onStderr: interruptWhen(/epoch|%/) });
    expect(outcome.code).toBe(130);
    expect(outcome.stderr).toMatch(/--resume/);
    expect(scratch.names().filter((name) => name !== "net.safetensors")).toEqual([]);
    expect(readCheckpoint(out).net.graph).toEqual(lenet5);
  });

  it("in compressing keeps finished stages and no half-written file", async () => {
    const recipe = scratch.path("recipe.json");
    const teacher = { epochs: 40, lr: 1e-3, augment: 0, weightDecay: 0, seed: 1 };
    writeFileSync(recipe, JSON.stringify({ net: "lenet300", teacher, stages }));
    const [out, work] = [scratch.path("out.mote"), scratch.path("work")];
    const outcome = await mote(["compress", recipe, "--out", out, "--work", work, "--threads", "1"], {
      onStderr: interruptWhen(/%/),
    });
    expect(outcome.code).toBe(130);
    expect(outcome.stderr).toMatch(/run the same command to go on/);
    expect(existsSync(out)).toBe(false);
    const kept = existsSync(work) ? readdirSync(work) : [];
    expect(kept.filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

describe("Ctrl-C in packing", () => {
  it.each([0, 150, 300, 450, 600])("after %i ms leaves the whole file or none", async (delay) => {
    const out = scratch.path(`packed-${delay}.wasm`);
    const args = ["pack", join(packageRoot, "models/lenet5.mote"), "--out", out];
    const outcome = await mote(args, { onStart: (kill) => void setTimeout(() => kill("SIGINT"), delay) });
    // Before our own code runs, the signal itself ends the process: no exit code then.
    expect([0, 130, null]).toContain(outcome.code);
    if (existsSync(out)) expect(bakedContainer(readFileSync(out)).codeBytes).toBeGreaterThan(1000);
    else expect(outcome.code).not.toBe(0);
    expect(scratch.names().filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

describe("training and compressing refuse what does not fit", () => {
  it("a recipe with an unknown key, or that is no JSON", async () => {
    const recipe = scratch.path("unknown.json");
    writeFileSync(recipe, JSON.stringify({ net: "lenet5", stages: [{ kind: "prune", kepp: 0.1 }] }));
    const out = scratch.path("never.mote");
    expectOneLine(await mote(["compress", recipe, "--out", out]), /unknown\.json: stages\[0\]\.kepp: unknown key/);
    writeFileSync(recipe, '{"net": ');
    expectOneLine(await mote(["compress", recipe, "--out", out]), /unknown\.json: /);
    expect(existsSync(out)).toBe(false);
  });

  it("a checkpoint of another net, a broken one, one that is not there", async () => {
    const checkpoint = scratch.path("net.safetensors"); // the first test's, a lenet5
    const recipe = scratch.path("lenet300.json");
    writeFileSync(recipe, JSON.stringify({ net: "lenet300", stages }));
    const out = scratch.path("never.mote");
    const from = (path: string): ReturnType<typeof mote> => mote(["compress", recipe, "--from", path, "--out", out]);
    expectOneLine(await from(checkpoint), /net\.safetensors.*lenet5|lenet5.*net\.safetensors/);
    writeFileSync(scratch.path("broken.safetensors"), "not tensors at all, though long enough");
    expectOneLine(await from(scratch.path("broken.safetensors")), /broken\.safetensors: /);
    expectOneLine(await from(scratch.path("none.safetensors")), /none\.safetensors: .*no such file/);
    const resume = ["train", "--net", "lenet300", "--resume", "--out", checkpoint];
    expectOneLine(await mote(resume), /net\.safetensors.*lenet5|lenet5.*net\.safetensors/, 2);
    expect(existsSync(out)).toBe(false);
  });

  it("a net that has not been compressed", async () => {
    const out = scratch.path("never.mote");
    expectOneLine(await mote(["pack", scratch.path("net.safetensors"), "--out", out]), /mote compress/);
    expect(existsSync(out)).toBe(false);
  });

  it("a full disk, and leaves nothing behind", async () => {
    const out = scratch.path("full.safetensors");
    const args = ["train", "--net", "lenet300", "--out", out, "--threads", "1", "--epochs", "1"];
    const outcome = await mote(args, { limits: "ulimit -f 64", onStderr: interruptWhen(/%/) });
    expect(outcome.stderr).toMatch(/full\.safetensors: cannot be written: (the file is too large|no space left)/);
    expect([1, 130]).toContain(outcome.code);
    expect(scratch.names().filter((name) => name.includes("full"))).toEqual([]);
  });
});
