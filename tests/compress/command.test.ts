import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { writeCheckpoint } from "../../host/node/train/checkpoint.js";
import { compressCommand } from "../../tools/compress.js";
import { barSamples, smallNet, startedNet } from "../train/support.js";

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "mote-compress-command-"));
  writeFileSync(at("unknown-key.json"), '{"net": "lenet5", "stages": [{"kind": "train", "epoch": 1}]}');
  writeFileSync(at("cut.json"), '{"net": "lenet5", "sta');
  const stages = [{ kind: "share", epochs: 0, lr: 0, bits: 4 }, { kind: "calibrate" }];
  writeFileSync(at("no-teacher.json"), JSON.stringify({ net: "lenet5", stages }));
  // Would train for hours.
  const teacher = { epochs: 1000, lr: 0.001, augment: 1, weightDecay: 0 };
  const [grid, calibrate] = [{ kind: "grid", step: { fc1: 1, fc2: 1, fc3: 1 }, epochs: 1, lr: 0 }, stages[1]];
  writeFileSync(at("long.json"), "\uFEFF" + JSON.stringify({ net: "lenet300", teacher, stages: [grid, calibrate] }));
  const keep = { fc1: 1, fc2: 1, "\u001b[2Jfc3": 1 };
  const prune = { kind: "prune", keep, epochs: 1, lr: 0 };
  writeFileSync(at("layer.json"), JSON.stringify({ net: "lenet300", teacher, stages: [prune, grid, calibrate] }));
  mkdirSync(at("folder.safetensors"));
  writeCheckpoint(at("bars.safetensors"), { net: await startedNet(smallNet, barSamples(32, 1)) });
  writeFileSync(at("not-a-net.safetensors"), "these are no tensors");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each<[string, string[], string, string]>([
  ["no recipe", ["--out", "x.mote"], "ARGUMENT", "expected a recipe"],
  ["nowhere to put the result", ["unknown-key.json"], "RECIPE", "stages[0].epoch: unknown key; known are kind, epochs"],
  ["a recipe cut off", ["cut.json", "--out", "x.mote"], "RECIPE", "cut.json: not JSON"],
  ["a recipe that is not there", ["none.json", "--out", "x.mote"], "FILE", "none.json: cannot be read: no such file"],
  ["no --out", ["no-teacher.json"], "ARGUMENT", "--out or --checkpoint"],
  [
    "an --out of another kind",
    ["no-teacher.json", "--out", "x.onnx"],
    "ARGUMENT",
    "expected a name ending in .mote or .safetensors",
  ],
  [
    "a --checkpoint of another kind",
    ["no-teacher.json", "--checkpoint", "x.mote"],
    "ARGUMENT",
    "x.mote: expected a name ending in .safetensors",
  ],
  [
    "one file for both",
    ["long.json", "--out", "x.safetensors", "--checkpoint", "./x.safetensors"],
    "ARGUMENT",
    "--out is the same file",
  ],
  ["no net to start from", ["no-teacher.json", "--out", "x.mote"], "RECIPE", "teacher: missing"],
  [
    "a layer that is not there",
    ["layer.json", "--out", "x.mote"],
    "RECIPE",
    "layer.json: stages[0].keep.\\x1b[2Jfc3: no",
  ],
  [
    "an --out below a file",
    ["long.json", "--out", "cut.json/x.mote"],
    "FILE",
    "cut.json/x.mote: cannot be written: a part",
  ],
  ["a --checkpoint that is a folder", ["long.json", "--checkpoint", "folder.safetensors"], "FILE", "it is a folder"],
  [
    "a net that is none",
    ["no-teacher.json", "--out", "x.mote", "--from", "not-a-net.safetensors"],
    "FORMAT",
    "not-a-net.safetensors",
  ],
  [
    "--data without a goal",
    ["no-teacher.json", "--data", "mnist"],
    "ARGUMENT",
    "--data needs a goal: --target, --max-drop",
  ],
  ["a dry run without a goal", ["no-teacher.json", "--dry-run"], "ARGUMENT", "--dry-run needs a goal"],
  ["a goal without a net", ["--target", "2kB", "--data", "mnist"], "ARGUMENT", "expected one net to compress"],
  ["two nets", ["lenet5", "--net", "lenet300", "--target", "2kB", "--data", "mnist"], "ARGUMENT", "expected one net"],
  ["a goal without data", ["lenet5", "--target", "2kB"], "ARGUMENT", "--data is missing"],
  ["a goal without a result", ["lenet5", "--target", "2kB", "--data", "mnist"], "ARGUMENT", "--out or --checkpoint"],
  [
    "--from beside a net",
    ["lenet5", "--from", "x.safetensors", "--target", "1", "--data", "mnist"],
    "ARGUMENT",
    "--from: with",
  ],
  [
    "a net that is not there",
    ["none.onnx", "--target", "2kB", "--data", "mnist", "--out", "x.mote"],
    "FILE",
    "none.onnx",
  ],
  ["starts of a net that reads no digits", ["--compare-init", "bars.safetensors"], "MISMATCH", "train, mnist"],
  [
    "starts beside --out",
    ["--compare-init", "bars.safetensors", "--out", "x.mote"],
    "ARGUMENT",
    "--out: of no use beside --compare-init",
  ],
  ["starts beside a recipe", ["long.json", "--compare-init", "bars.safetensors"], "ARGUMENT", "of no use beside"],
])("%s: one clear error, nothing written", async (_, args, code, message) => {
  const inFolder = args.map((arg) => (/\.(json|mote|onnx|safetensors)$/.test(arg) ? at(arg) : arg));
  const before = readdirSync(folder);
  const command = compressCommand().exitOverride();
  await expect(command.parseAsync([...inFolder, "--work", at("work")], { from: "user" })).rejects.toMatchObject({
    code,
    message: expect.stringContaining(message),
  });
  expect(readdirSync(folder)).toEqual(before);
});

test("k-means from three starts is judged by the data that is given", async () => {
  const { count, images, labels } = barSamples(200, 1);
  const table = (shift: number): string => {
    const rows = Array.from({ length: count }, (_, i) =>
      [...images.subarray(64 * i, 64 * (i + 1)), (labels[i] + shift) % 4].join(),
    );
    const path = at(`bars-${shift}.csv`);
    writeFileSync(path, [[...Array.from({ length: 64 }, (_, i) => `p${i}`), "class"].join(), ...rows].join("\n"));
    return path;
  };
  const net = at("trained.safetensors");
  writeCheckpoint(net, { net: await startedNet(smallNet, barSamples(512, 2), 200) });
  const errorsOn = async (data: string): Promise<number[]> => {
    const written: string[] = [];
    const out = vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
    const flags = ["--compare-init", net, "--data", data, "--labels", "column:class", "--scale", "0.00392", "--json"];
    await compressCommand().exitOverride().parseAsync(flags, { from: "user" });
    out.mockRestore();
    const { results } = JSON.parse(written.join("")) as { results: { validationErrorPercent: number }[] };
    return results.map(({ validationErrorPercent }) => validationErrorPercent);
  };
  const right = await errorsOn(table(0));
  const wrong = await errorsOn(table(1));
  expect(right).toHaveLength(3);
  for (const error of right) expect(error).toBeLessThan(25);
  for (const error of wrong) expect(error).toBeGreaterThan(75);
});

test.each([
  ["--threads", "0"],
  ["--bits", "9"],
  ["--seed", "-1"],
  ["--seed", "1.5"],
  ["--target", "0"],
  ["--target", "20 kilobytes"],
  ["--ram", "-1"],
  ["--instructions", "1.5X"],
  ["--max-drop", "100"],
  ["--max-drop", "a"],
  ["--budget", "0"],
  ["--budget", "5 hours"],
  ["--augment", "2"],
  ["--loss", "hinge"],
])("%s %s is refused", async (flag, value) => {
  const command = compressCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  await expect(command.parseAsync(["r.json", flag, value], { from: "user" })).rejects.toMatchObject({
    code: "commander.invalidArgument",
  });
});
