import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MoteError } from "../../host/errors.js";
import { readCheckpoint, writeCheckpoint } from "../../host/node/train/checkpoint.js";
import { readRun, trainRun, type RunOptions, type RunSettings } from "../../host/node/train/run.js";
import { barSamples, smallNet } from "./support.js";

const settings = {
  epochs: 3,
  lr: 0.01,
  lrEnd: 0.001,
  batch: 32,
  weightDecay: 0.01,
  augment: 0.5,
  seed: 4,
  task: { loss: "softmax", metric: "accuracy" },
} satisfies RunSettings;
/** As the checkpoint has them. */
const kept = { ...settings, augment: "0.5", task: '{"loss":"softmax","metric":"accuracy"}' };
const train = barSamples(320, 1);
const validation = barSamples(200, 2);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mote-run-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(name: string, changes: Partial<RunOptions> = {}): ReturnType<typeof trainRun> {
  const file = join(folder, name);
  return trainRun({ graph: smallNet, settings, train, validation, threads: 1, file, ...changes });
}

describe("a training run", () => {
  test("leaves a net, its settings and its end, without the optimizer", async () => {
    const epochs: number[] = [];
    const result = await run("whole", { onEpoch: ({ epoch }) => epochs.push(epoch) });
    expect(epochs).toEqual([1, 2, 3]);
    expect(result.steps).toBe(30);
    expect(result.validation.errors).toBeLessThan(60);
    const { net, optimizer, progress } = readCheckpoint(join(folder, "whole"));
    expect(net.tensors.get("fc1.weight")!.data).toEqual(result.net.tensors.get("fc1.weight")!.data);
    expect(optimizer).toBeUndefined();
    expect(progress).toEqual({ ...kept, step: 30, steps: 30 });
  });

  test("stopped anywhere and resumed, on other threads, it leaves the same bytes", async () => {
    await run("whole");
    const file = join(folder, "stopped");
    // Aborting from the first report of an epoch stops within it, or at its end.
    let stops = 0;
    for (; stops < 20; stops++) {
      const abort = new AbortController();
      const resume = stops === 0 ? undefined : readRun(file).checkpoint;
      if (stops < 3) setTimeout(() => abort.abort(), 1);
      try {
        await run("stopped", { signal: abort.signal, threads: 1 + (stops % 2), ...(resume && { resume }) });
        break;
      } catch (error) {
        expect(error).toBeInstanceOf(MoteError);
        expect((error as MoteError).code).toBe("INTERRUPTED");
        expect((error as MoteError).message).toContain(file);
      }
    }
    expect(stops).toBeGreaterThan(0);
    expect(readFileSync(file).equals(readFileSync(join(folder, "whole")))).toBe(true);
  });

  test("a finished run that is resumed changes nothing", async () => {
    await run("whole");
    const before = readFileSync(join(folder, "whole"));
    const { checkpoint, settings: found } = readRun(join(folder, "whole"));
    expect(found).toEqual(settings);
    const { validation: measured } = await run("whole", { resume: checkpoint });
    expect(measured.errors).toBeLessThan(60);
    expect(readFileSync(join(folder, "whole")).equals(before)).toBe(true);
  });

  test("changes of several kinds are kept with the other settings", async () => {
    const augment = { distort: 0.3, noise: 20, background: 10 };
    const kinds = { ...settings, epochs: 1, augment };
    await run("kinds", { settings: kinds });
    expect(readRun(join(folder, "kinds")).settings).toEqual(kinds);
    const file = join(folder, "other");
    const { net } = readCheckpoint(join(folder, "kinds"));
    writeCheckpoint(file, { net, progress: { ...kept, augment: "noize=3", step: 3 } });
    expect(() => readRun(file)).toThrow(/other: augment\.noize: unknown key/);
    for (const task of ['{"loss":"l1","metric":"mse"}', '{"loss":"mse","metric":"auc"}', "[]", "mse"]) {
      writeCheckpoint(file, { net, progress: { ...kept, task, step: 3 } });
      expect(() => readRun(file), task).toThrow(/other: task: (expected a loss and a metric|a task: not JSON)/);
    }
  });

  test("of another task is judged by its metric, and goes on from given weights", async () => {
    const targets = (samples: typeof train): Float32Array =>
      Float32Array.from({ length: 4 * samples.count }, (_, i) => Number(samples.labels[i >> 2] === i % 4));
    const task = { loss: "sigmoid", metric: "f1" } as const;
    const data = {
      train: { ...train, targets: targets(train) },
      validation: { ...validation, targets: targets(validation) },
    };
    const learning = { ...settings, epochs: 6, lr: 0.03, augment: 0, task };
    const first = await run("sigmoid", { settings: learning, ...data });
    expect(first.validation).toMatchObject({ metric: "f1" });
    expect(first.validation.value).toBeGreaterThan(0.5);
    expect(readRun(join(folder, "sigmoid")).settings.task).toEqual(task);
    const none = { ...settings, task, epochs: 0 };
    const same = await run("again", { settings: none, start: first.net, ...data });
    expect(same.validation).toEqual(first.validation);
  });

  test("labels that are no classes are refused before anything is written", async () => {
    const labels = train.labels.slice();
    labels[5] = 200;
    for (const part of [{ train: { ...train, labels } }, { validation: { ...train, labels } }]) {
      await expect(run("labels", part)).rejects.toMatchObject({
        code: "MISMATCH",
        message: expect.stringContaining("sample 5 is 200, expected 0 .. 3, one of 4 classes"),
      });
    }
    expect(existsSync(join(folder, "labels"))).toBe(false);
  });

  test("a net of one class is refused before anything is written", async () => {
    const layers = [...smallNet.layers.slice(0, 4), { ...smallNet.layers[4], outFeatures: 1 } as never];
    const labels = new Uint8Array(train.count);
    const one = { ...train, labels };
    await expect(run("one", { graph: { ...smallNet, layers }, train: one, validation: one })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: "small/fc2: the net has one output, expected two classes or more",
    });
    expect(existsSync(join(folder, "one"))).toBe(false);
  });

  test("that diverges writes nothing, or leaves the last checkpoint", async () => {
    await expect(run("lost", { settings: { ...settings, lr: 1e30 } })).rejects.toMatchObject({
      code: "DIVERGED",
      message: expect.stringMatching(/^step 3: the loss .* learning rate .*; nothing was written$/),
    });
    expect(readdirSync(folder).filter((name) => name.includes("lost"))).toEqual([]);

    const file = join(folder, "lost");
    const abort = new AbortController();
    const stopped = run("lost", { signal: abort.signal, onEpoch: () => abort.abort() });
    await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
    const before = readFileSync(file);
    const resume = readRun(file).checkpoint;
    const step = Number(resume.progress!.step);
    await expect(run("lost", { resume, settings: { ...settings, lr: 1e30 } })).rejects.toMatchObject({
      code: "DIVERGED",
      message: expect.stringMatching(new RegExp(`${file} still holds what was done up to step ${step}$`)),
    });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test("a checkpoint that is none of a run is refused", async () => {
    await run("whole");
    const { net } = readCheckpoint(join(folder, "whole"));
    const file = join(folder, "plain");
    writeCheckpoint(file, { net });
    expect(() => readRun(file)).toThrow(/plain: holds a net but not the "epochs" of a training run/);
    writeCheckpoint(file, { net, progress: { ...kept, step: 3 } });
    const { checkpoint } = readRun(file);
    await expect(run("plain", { resume: checkpoint })).rejects.toThrow(/optimizer's state is missing/);
    writeCheckpoint(file, { net, progress: { ...kept, step: 31 } });
    await expect(run("plain", { resume: readRun(file).checkpoint })).rejects.toThrow(/step 31, the whole run has 30/);
  });

  test("a checkpoint whose settings are none is refused before anything is trained", async () => {
    await run("whole");
    const { net } = readCheckpoint(join(folder, "whole"));
    const file = join(folder, "odd");
    for (const [key, value, expected] of [
      ["step", -5, /odd: step: expected a whole number, 0 \.\. \d+, got -5/],
      ["step", 1.5, /odd: step: expected a whole number/],
      ["seed", -1, /odd: seed: expected a whole number/],
      ["epochs", -1, /odd: epochs: expected a number, 0 \.\. /],
      ["lr", -0.1, /odd: lr: expected a number/],
      ["batch", 0, /odd: batch: expected a multiple of 32, got 0/],
      ["batch", 33, /odd: batch: expected a multiple of 32, got 33/],
    ] as const) {
      writeCheckpoint(file, { net, progress: { ...kept, step: 3, [key]: value } });
      expect(() => readRun(file), `${key} ${value}`).toThrow(expected);
    }
  });
});
