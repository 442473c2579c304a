/** What `mote train` and `mote compress` do when they are stopped, when numbers are lost, and when a disk is full. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { readCheckpoint } from "../../host/node/train/checkpoint.js";
import { expectOneLine, mote, moteProcess, type Outcome, type RunOptions, scratchFolder } from "./support.js";

const scratch = scratchFolder();

const teacher = { epochs: 0.05, lr: 1e-3, augment: 0, weightDecay: 0, seed: 1 };
const recipe = {
  net: "lenet300",
  teacher,
  stages: [
    { kind: "narrow", units: { fc1: 32, fc2: 16 } },
    { kind: "train", epochs: 6, lr: 2e-3 },
    { kind: "prune", schedule: "gradual", keep: 4000, epochs: 1, lr: 1e-3 },
    { kind: "grid", step: { fc1: 0.6, fc2: 0.6, fc3: 0.5 }, parts: 4, epochs: 1, lr: 1e-3 },
    { kind: "calibrate", samples: 100 },
  ],
};

/** Runs a recipe, given by its name in the scratch folder. */
function compress(name: string, out: string, work: string, options: RunOptions = {}): Promise<Outcome> {
  const args = ["compress", scratch.path(name), "--out", scratch.path(out), "--work", work, "--threads", "1"];
  return mote(args, options);
}

beforeAll(async () => {
  writeFileSync(scratch.path("recipe.json"), JSON.stringify(recipe));
  const outcome = await compress("recipe.json", "whole.mote", scratch.path("whole"));
  expect(outcome.code).toBe(0);
}, 120_000);

/** Sends `signal` when stderr first shows `pattern`. */
function once(pattern: RegExp, signal: NodeJS.Signals): RunOptions {
  let isSent = false;
  return {
    onStderr: (text, kill) => {
      if (isSent || !pattern.test(text)) return;
      isSent = true;
      kill(signal);
    },
  };
}

const whole = (): Buffer => readFileSync(scratch.path("whole.mote"));

describe("SIGTERM and Ctrl-C", () => {
  it("in a student's stage keep its state, and the same command ends with the same bytes", async () => {
    const work = scratch.path("stopped");
    const outcome = await compress("recipe.json", "stopped.mote", work, once(/2 train: \d+%/, "SIGTERM"));
    expect(outcome.code).toBe(130);
    expect(outcome.stderr).toMatch(
      /mote: stopped in 2 train; .*holds all that was done: run the same command to go on\n$/,
    );
    expect(existsSync(scratch.path("stopped.mote"))).toBe(false);
    const [partial, ...others] = readdirSync(work).filter((name) => name.includes(".partial"));
    expect(others).toEqual([]);
    expect(readCheckpoint(join(work, partial)).progress!.step).toBeGreaterThan(0);

    const resumed = await compress("recipe.json", "stopped.mote", work);
    expect(resumed.code).toBe(0);
    expect(readFileSync(scratch.path("stopped.mote")).equals(whole())).toBe(true);
    expect(readdirSync(work).sort()).toEqual(readdirSync(scratch.path("whole")).sort());
  });

  it("SIGTERM in training leaves a checkpoint to go on from", async () => {
    const out = scratch.path("terminated.safetensors");
    const args = ["train", "--net", "lenet300", "--out", out, "--threads", "1", "--epochs", "20"];
    const outcome = await mote(args, once(/%/, "SIGTERM"));
    expect(outcome.code).toBe(130);
    expect(outcome.stderr).toMatch(/--resume/);
    expect(readCheckpoint(out).optimizer).toBeDefined();
  });
});

describe("what has learnt nothing", () => {
  it("a loss that is not finite ends the training with one line, and writes nothing", async () => {
    const out = scratch.path("lost.safetensors");
    const args = ["train", "--net", "lenet300", "--epochs", "1", "--lr", "1e30", "--threads", "1", "--out", out];
    const outcome = await mote(args);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(
      /^mote: step \d+: the loss is no longer finite; a lower learning rate than its 1e\+30 .*; nothing was written$/m,
    );
    expect(outcome.stdout).toBe("");
    expect(existsSync(out)).toBe(false);
  });

  it("train warns of a net that does no better than chance", async () => {
    const out = scratch.path("chance.safetensors");
    const args = ["train", "--net", "lenet300", "--epochs", "0.05", "--lr", "30", "--threads", "1", "--out", out];
    const outcome = await mote(args);
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toMatch(/^mote: warning: .*chance\.safetensors does no better than chance/m);
    expect(existsSync(out)).toBe(true);
  });

  it("compress writes such a model when asked to only", async () => {
    // Every step wipes the weights out and moves them by 1.
    const lost = { ...teacher, lr: 1, weightDecay: 1 };
    const stages = [
      recipe.stages[0],
      { ...recipe.stages[2], keep: 50, epochs: 0 },
      { ...recipe.stages[3], epochs: 0 },
      recipe.stages[4],
    ];
    const untrained = { net: "lenet300", teacher: lost, stages };
    writeFileSync(scratch.path("chance.json"), JSON.stringify(untrained));
    const work = scratch.path("chance");
    const outcome = await compress("chance.json", "chance.mote", work);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/^mote: warning: the teacher does no better than chance/m);
    expect(outcome.stderr).toMatch(/^mote: the model does no better than .*; nothing written, .*--allow-chance/m);
    expect(existsSync(scratch.path("chance.mote"))).toBe(false);

    const args = ["compress", scratch.path("chance.json"), "--out", scratch.path("chance.mote"), "--work", work];
    const allowed = await moteProcess([...args, "--allow-chance"]);
    expect(allowed.code).toBe(0);
    expect(allowed.stderr).toMatch(/^mote: warning: the model does no better than one that always answers/m);
    expect(existsSync(scratch.path("chance.mote"))).toBe(true);
  });
});

/** Small disks, in memory; see `disk`. */
const mounted: string[] = [];
afterAll(() => mounted.forEach((path) => execFileSync("umount", [path])));

/** A folder on a disk of its own of `size` bytes. Skips the test where that takes rights it has not. */
function disk(context: TestContext, name: string, size: string): string {
  const path = scratch.path(name);
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "none", path], { stdio: "pipe" });
  } catch {
    context.skip("mounting a small disk takes root's rights");
  }
  mounted.push(path);
  return path;
}

describe("a full disk", () => {
  const goesOn = /^mote: warning: .*teacher-[\w.]+: cannot be written: (.*); the run goes on, /m;

  it("as the work folder: the run goes on and gives the same bytes", async (context) => {
    const work = disk(context, "work", "300k");
    const outcome = await compress("recipe.json", "full.mote", work);
    expect(outcome.stderr.match(goesOn)?.[1]).toBe("no space left on the disk");
    expect(outcome.stderr.match(/warning/g)).toHaveLength(1);
    expect(outcome.code).toBe(0);
    expect(readFileSync(scratch.path("full.mote")).equals(whole())).toBe(true);
    expect(readdirSync(work).filter((entry) => entry.endsWith(".tmp"))).toEqual([]);
  });

  it("a limit on the size of files does the same, without root", async () => {
    const work = scratch.path("limited");
    const outcome = await compress("recipe.json", "limited.mote", work, { limits: "ulimit -f 256" });
    expect(outcome.stderr.match(goesOn)?.[1]).toBe("the file is too large for this file system");
    expect(outcome.code).toBe(0);
    expect(readFileSync(scratch.path("limited.mote")).equals(whole())).toBe(true);
  });

  it("under a checkpoint of train keeps the last one, from which --resume goes on", async (context) => {
    const folder = disk(context, "checkpoints", "4000k"); // one of 3.2 MB, not the last one of 1 MB beside it
    const out = join(folder, "net.safetensors");
    const outcome = await mote([
      "train",
      "--net",
      "lenet300",
      "--epochs",
      "1.1",
      "--augment",
      "0",
      "--threads",
      "1",
      "--out",
      out,
    ]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(
      /^mote: .*net\.safetensors: cannot be written: no space left on the disk; .*net\.safetensors still holds what was done up to step 430$/m,
    );
    expect(readdirSync(folder)).toEqual(["net.safetensors"]);
    expect(readCheckpoint(out).progress!.step).toBe(430);
    execFileSync("mount", ["-o", "remount,size=20m", folder]);
    expect((await moteProcess(["train", "--resume", "--threads", "1", "--out", out])).code).toBe(0);
    expect(readCheckpoint(out).progress!.step).toBe(473);
  });

  it("under a checkpoint of train is found out before the first step where not even one fits", async (context) => {
    const folder = disk(context, "tiny", "1m");
    const args = ["train", "--net", "lenet300", "--epochs", "100", "--out", join(folder, "net.safetensors")];
    expectOneLine(await mote(args), /net\.safetensors: cannot be written: no space left on the disk$/);
    expect(readdirSync(folder)).toEqual([]);
  });
});
