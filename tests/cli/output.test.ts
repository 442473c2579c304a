import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PNG } from "pngjs";
import { beforeAll, describe, expect, it } from "vitest";
import { writeContainer } from "../../host/container/write.js";
import { loadMnist } from "../../host/node/data/mnist.js";
import { packageRoot } from "../../host/node/paths.js";
import { quantize } from "../../host/quantize/quantize.js";
import { writeCheckpoint } from "../../host/node/train/checkpoint.js";
import { lenet300, lenet5 } from "../../host/train/nets.js";
import { syntheticModels } from "../support/models.js";
import { compressedNet } from "../support/nets.js";
import { barSamples, smallNet, startedNet } from "../train/support.js";
import { expectOneLine, mote, moteProcess, run, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const at = scratch.path;
const net = compressedNet(lenet5, 1);
const container = writeContainer(quantize(net));

/** "<name>" in the arguments below stands for the file in the scratch folder. */
const inScratch = (args: readonly string[]): string[] =>
  args.map((arg) => arg.replace(/<(.*)>/, (_, name) => at(name)));

beforeAll(async () => {
  writeFileSync(at("model.mote"), container);
  writeFileSync(at("small.mote"), writeContainer(syntheticModels()[0].model));
  writeCheckpoint(at("net.safetensors"), { net });
  writeCheckpoint(at("lenet300.safetensors"), { net: compressedNet(lenet300, 1) });
  writeCheckpoint(at("float.safetensors"), { net: await startedNet(smallNet, barSamples(32, 1)) });
  await mote(inScratch(["pack", "<model.mote>", "-o", "<packed.wasm>"]));
  await mote(inScratch(["pack", "<model.mote>", "-o", "<fast.wasm>", "--optimize", "speed"]));
  const { images, labels } = loadMnist().validation;
  const idx = (magic: number, sizes: number[], data: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from(Uint32Array.from([magic, ...sizes]).buffer).swap32(), data]);
  await mote(inScratch(["keygen", "-o", "<trusted>"]));
  await mote(inScratch(["sign", "<model.mote>", "--key", "<trusted.pem>", "--sequence", "1", "-o", "<signed.update>"]));
  writeFileSync(at("images.idx"), idx(0x803, [3, 28, 28], images.subarray(0, 3 * 784)));
  writeFileSync(at("labels.idx"), idx(0x801, [3], labels.subarray(0, 3)));
  const png = new PNG({ width: 28, height: 28 });
  images.subarray(0, 784).forEach((pixel, i) => png.data.fill(pixel, 4 * i, 4 * i + 3).fill(255, 4 * i + 3, 4 * i + 4));
  writeFileSync(at("digit.png"), PNG.sync.write(png));
  writeFileSync(at("sweep.csv"), "name,bytes,error\na,100,2\nb,200,1\n");
  const stages = [{ kind: "share", epochs: 0, lr: 0, bits: { fc1: 2, fc2: 2, fc3: 4 } }, { kind: "calibrate" }];
  writeFileSync(at("recipe.json"), JSON.stringify({ net: "lenet300", stages }));
  const fc = { op: "dense", name: "fc", input: "x", output: "fc", outFeatures: 2 };
  writeFileSync(
    at("tiny.json"),
    JSON.stringify({ name: "tiny", input: { name: "x", shape: [2, 1, 1] }, layers: [fc] }),
  );
  const rows = Array.from({ length: 100 }, (_, i) => `${i % 7},${(3 * i) % 5},${Number(i % 7 > (3 * i) % 5)}`);
  writeFileSync(at("tiny.csv"), ["a,b,class", ...rows].join("\n"));
  const narrow = { kind: "narrow", units: { fc1: 4, fc2: 4 } };
  const teacher = { epochs: 0.01, lr: 1e-3, augment: 0 };
  writeFileSync(at("sweep.json"), JSON.stringify({ net: "lenet300", seed: 1, teacher, stages: [narrow, ...stages] }));
}, 60_000);

const SEARCH = "--data <tiny.csv> --labels column:class --target 300 --budget 2epochs --work <work> --threads 1".split(
  " ",
);

/** Each command in each of its forms that prints something else. Those of firmware are in tests/firmware, the worker's in tests/sweep. */
const CALLS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  train: [
    ["--net", "lenet300", "--epochs", "0.02", "--threads", "1", "--test", "--out", "<trained.safetensors>"],
    ["--resume", "--out", "<trained.safetensors>"],
  ],
  compress: [
    [
      "<recipe.json>",
      "--from",
      "<lenet300.safetensors>",
      "--work",
      "<work>",
      "--threads",
      "1",
      "--out",
      "<made.mote>",
      "--report",
      "<run.html>",
      "--allow-chance",
    ],
    ["<tiny.json>", ...SEARCH, "--dry-run"],
    ["<tiny.json>", ...SEARCH, "--out", "<tiny.mote>", "--recipe-out", "<tiny-recipe.json>", "--allow-chance"],
    ["<float.safetensors>", "--explain", "--target", "500", "--ram", "20kB"],
    ["--compare-init", "<lenet300.safetensors>", "--bits", "2"],
  ],
  sweep: [
    ["<sweep.json>", "--vary", "seed=1,2", "--store", "<store>", "--threads", "1", "--dry-run"],
    ["<sweep.json>", "--vary", "seed=1,2", "--store", "<store>", "--threads", "1", "-o", "<swept>"],
  ],
  pack: [
    ["<net.safetensors>", "-o", "<out.mote>"],
    ["<model.mote>", "-o", "<out.wasm>"],
    ["<model.mote>", "-o", "<out.wasm>", "--optimize", "sram"],
    ["<model.mote>", "-o", "<out.c>"],
    ["<model.mote>", "-o", "/dev/null", "--format", "mote"],
  ],
  inspect: [
    ["<model.mote>"],
    ["<model.mote>", "--paper"],
    ["<model.mote>", "--energy"],
    ["<model.mote>", "--matrix-formats"],
    ["<packed.wasm>"],
    ["<fast.wasm>"],
    ["<net.safetensors>"],
  ],
  run: [
    ["<model.mote>", "--data", "mnist:test:3"],
    ["<model.mote>", "--data", "mnist:test:60", "--engine", "v8"],
    ["<model.mote>", "--data", "mnist:test:60", "--engine", "simd"],
    ["<model.mote>", "--data", "mnist:test:3", "--engine", "reference"],
    ["<fast.wasm>", "--data", "mnist:test:3"],
    ["<model.mote>", "<digit.png>", "<digit.png>"],
    ["<model.mote>", "<images.idx>", "--labels", "<labels.idx>"],
  ],
  qr: [["<small.mote>"], ["<small.mote>", "-o", "<code.png>"]],
  certify: [["<model.mote>", "-o", "<certified.mote>"]],
  verify: [
    ["<model.mote>", "--random", "2"],
    ["<model.mote>", "--data", "mnist:test:2", "--optimize", "speed"],
  ],
  evaluate: [["<model.mote>", "--data", "mnist:test:20", "--distort"]],
  report: [
    ["<model.mote>", "--data", "mnist:test:20", "--out", "<report.html>"],
    ["--sweep", "<sweep.csv>", "--csv", "<tables>"],
  ],
  bench: [["--only", "sizes", "--save", "<bench>", "--fill", "<filled.md>"]],
  keygen: [["-o", "<other>"]],
  sign: [["<packed.wasm>", "--key", "<trusted.pem>", "--sequence", "2", "-o", "<packed.update>"]],
  diff: [["<model.mote>", "<small.mote>", "--sequence", "2", "-o", "<small.update>"]],
  apply: [["<signed.update>", "--key", "<trusted.pub.pem>", "-o", "<trusted.mote>"]],
  synth: [[], ["lenet300", "--out", "<drawn.mote>"]],
  start: [["--count", "6"]],
};

describe("--json", () => {
  it("is a flag of every command", async () => {
    const help = (await mote(["--help"])).stdout;
    const commands = [...help.slice(help.indexOf("Commands:")).matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name);
    expect([...Object.keys(CALLS), "firmware", "worker"].sort()).toEqual(
      commands.filter((name) => name !== "help").sort(),
    );
    for (const command of commands.filter((name) => name !== "help")) {
      expect((await mote([command, "--help"])).stdout, command).toMatch(/--json +print one JSON object on stdout/);
    }
  });

  const calls = Object.entries(CALLS).flatMap(([command, forms]) => forms.map((args) => [command, ...args]));
  it.each(calls.map((args) => [args.join(" "), args] as const))("%s", async (_, args) => {
    writeFileSync(at("filled.md"), "<!--core.bytes--><!--/-->");
    const { code, stdout, stderr } = await mote([...inScratch(args), "--json"]);
    expect([code, stdout.split("\n").length], stderr).toEqual([0, 2]); // one line and its end
    expect(Object.keys(JSON.parse(stdout) as object).length).toBeGreaterThan(0);
    expect(stderr).toMatch(/\d B\b|\d bytes|\d %|every layer|not zero|arithmetic|one vector|\d jobs/); // What people read has gone there.
  });

  it("prints nothing when it fails before there is a result, and the result when that is the failure", async () => {
    for (const args of [
      ["run", at("none.mote"), "--data", "mnist:test:1"],
      ["inspect", at("digit.png")],
      ["pack", at("model.mote"), "-o", at("x.bin")],
      ["bench", "--only", "nothing"],
      ["bench", "--only", "methods:nothing"],
      ["bench", "--only", "sizes:lenet5"],
    ]) {
      const { code, stdout } = await mote([...args, "--json"]);
      expect([stdout, code === 1 || code === 2], args.join(" ")).toEqual(["", true]);
    }
  });
});

describe("-o /dev/stdout", () => {
  const pack = ["pack", "<model.mote>", "--format", "mote", "-o"];

  it("gives the bytes to a socket, a pipe and a file, and says the rest on stderr", async () => {
    const mine = join(packageRoot, "tools/mote.mjs");
    const command = `node ${mine} ${inScratch(pack).join(" ")}`;
    for (const name of ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]) {
      // What spawn calls a pipe is a socket, which has no name to open.
      const outcome = await run("sh", ["-c", `${command} ${name} | cat > ${at("piped.mote")}`]);
      expect(outcome.stderr).toMatch(/container +[\d,]+ bytes/);
      expect(Buffer.compare(readFileSync(at("piped.mote")), container), name).toBe(0);
      const file = openSync(at("appended.mote"), "w");
      execFileSync("sh", ["-c", `printf before; ${command} ${name} 2> /dev/null; printf after`], {
        stdio: ["ignore", file, "pipe"],
        env: { ...process.env, MOTE_SKIP_BUILD: "1" },
      });
      closeSync(file);
      const whole = Buffer.concat([Buffer.from("before"), container, Buffer.from("after")]);
      expect(Buffer.compare(readFileSync(at("appended.mote")), whole), name).toBe(0);
    }
    const direct = await moteProcess([...inScratch(pack), "/dev/stdout"]);
    expect([direct.code, direct.stdout.length > 100]).toEqual([0, true]);
    symlinkSync("/dev/stdout", at("link"));
    expect((await moteProcess([...inScratch(pack), at("link")])).stdout).toBe(direct.stdout);
  });

  it("does not mix with --json", async () => {
    expectOneLine(await mote([...inScratch(pack), "/dev/stdout", "--json"]), /--json: stdout cannot take it/, 2);
  });

  it("writes to another process through its descriptor, and says when a device is full", async () => {
    const command = `node ${join(packageRoot, "tools/mote.mjs")} ${inScratch(pack).join(" ")}`;
    await run("bash", ["-c", `${command} >(cat > ${at("substituted.mote")}) && wait $!`]);
    expect(Buffer.compare(readFileSync(at("substituted.mote")), container)).toBe(0);
    expectOneLine(await mote([...inScratch(pack), "/dev/full"]), /\/dev\/full: cannot be written: no space left/);
  });
});

describe("the width of a terminal", () => {
  const inspect = [
    ["<model.mote>"],
    ["<fast.wasm>"],
    ["<net.safetensors>"],
    ["<model.mote>", "--paper"],
    ["<model.mote>", "--energy"],
    ["<model.mote>", "--matrix-formats"],
  ];
  const calls = [
    ...inspect.map((args) => ["inspect", ...args]),
    ["run", "<model.mote>", "--data", "mnist:test:3"],
    ["evaluate", "<model.mote>", "--data", "mnist:test:200"],
    ["start", "--count", "6"],
    ["compress", "--compare-init", "<lenet300.safetensors>", "--bits", "2"],
    ["compress", "<float.safetensors>", "--explain", "--instructions", "1M", "--ram", "20kB"],
  ];
  it.each(calls.map((args) => [args.join(" "), args] as const))(
    "%s keeps to 60, 80 and 120 columns",
    async (_, args) => {
      const outputs: string[] = [];
      for (const columns of ["60", "80", "120", undefined]) {
        const { stdout } = await mote(inScratch(args), { env: { COLUMNS: columns } });
        const lines = stdout.replaceAll(at(""), "").split("\n");
        const widest = lines.reduce((most, line) => Math.max(most, line.length), 0);
        expect(widest, stdout).toBeLessThanOrEqual(Number(columns ?? 80));
        outputs.push(stdout.replace(/[\d,.]+ (µs|ms)|loadAverage: [\d.]+/g, ""));
      }
      expect(outputs[3].length).toBe(outputs[1].length); // no terminal: 80
    },
  );

  it("is that of the terminal itself, and the progress bar leaves none of its line", async () => {
    const command = `node ${join(packageRoot, "tools/mote.mjs")} ${inScratch(["run", "<model.mote>", "--data", "mnist:test:40"]).join(" ")}`;
    const { stdout } = await run("script", ["-qec", `stty cols 60; ${command}`, "/dev/null"], {
      env: { COLUMNS: "200" },
    });
    // As the terminal shows it: a line from its last return on, after what was erased.
    const shown = stdout.split("\n").map((line) => line.replace(/\r$/, "").split(/\r/).at(-1)!.replace("\x1b[K", ""));
    expect(stdout).toContain("█");
    expect(shown[0]).toMatch(/^mnist:test 0: \d {2}\d+\.\d %/);
    expect(shown.join("\n")).not.toContain("█");
    for (const line of stdout.split(/[\r\n]/)) {
      expect(line.replaceAll(at(""), "").replace("\x1b[K", "").length).toBeLessThanOrEqual(
        line.includes("█") ? 59 : 60,
      );
    }
  });
});
