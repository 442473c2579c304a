/**
 * `npm run fuzz`: hostile containers against core.wasm and core16.wasm, the strict reader and the reference; or files of another kind against their reader.
 * Example: npm run fuzz -- --minutes 60 --seed 7
 *          npm run fuzz -- --target onnx --minutes 60
 *          node dist/tests/fuzz/fuzz.js --count 200000
 * A container with which something goes wrong is saved as a file in tests/fuzz/cases, where every test run replays it; a file of another kind in build/fuzz.
 * The targets core, module, slots and update are libFuzzer's, by clang: their corpus stays in build/fuzz.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { builtFile } from "../../host/node/paths.js";
import { Progress } from "../../host/node/progress.js";
import { CASES_FOLDER, caseAt, saveCase } from "./cases.js";
import { makeCorpus } from "./corpus.js";
import { FILE_TARGETS, fileAt } from "./files.js";
import { NATIVE_TARGETS, runTarget } from "./native.js";
import type { WorkerMessage, WorkerTask } from "./worker.js";

/** No case takes a tenth of this. */
const HANG_SECONDS = 20;
const MAX_FINDINGS = 20;

const TARGETS = ["container", ...Object.keys(FILE_TARGETS), ...Object.keys(NATIVE_TARGETS)];

interface Flags {
  readonly target: string;
  readonly campaign: number;
  readonly count: number;
  readonly minutes: number;
  readonly save: string;
}

function parseFlags(): Flags {
  const { values } = parseArgs({
    options: {
      target: { type: "string", default: "container" },
      seed: { type: "string" },
      count: { type: "string" },
      minutes: { type: "string" },
      save: { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) {
    console.log(
      "usage: npm run fuzz -- [--target NAME] [--minutes N | --count N] [--seed N] [--save FOLDER]   default: containers, 10 minutes, a new seed\n" +
        `targets: ${TARGETS.join(", ")}`,
    );
    process.exit(0);
  }
  const number = (name: "seed" | "count" | "minutes", fallback: number): number => {
    const text = values[name];
    const value = text === undefined ? fallback : Number(text);
    if (!(value >= 0)) {
      console.error(`fuzz: --${name} ${text}: expected a number`);
      process.exit(2);
    }
    return value;
  };
  const count = number("count", Infinity);
  const { target } = values;
  if (!TARGETS.includes(target)) {
    console.error(`fuzz: --target ${target}: expected ${TARGETS.join(", ")}`);
    process.exit(2);
  }
  return {
    target,
    campaign: number("seed", Date.now() % 2 ** 31),
    count,
    minutes: number("minutes", count === Infinity ? 10 : Infinity),
    save: values.save ?? (target === "container" ? CASES_FOLDER : builtFile("build/fuzz")),
  };
}

/** @returns how many findings there were */
function campaign({ target, campaign, count, minutes, save }: Flags): Promise<number> {
  const current = new Int32Array(new SharedArrayBuffer(4));
  const started = Date.now();
  const deadline = started + minutes * 60_000;
  const task: WorkerTask = { target, campaign, count, deadline, current };
  const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: task });
  const seconds = (): number => (Date.now() - started) / 1000;
  const progress = new Progress("fuzz", minutes === Infinity ? count : minutes * 60);
  const findings = new Set<string>();
  let last = -1;
  let lastMoved = Date.now();
  let finished = false;

  const saveFile = (index: number): string => {
    const path = join(save, `${target}-${campaign}-${index}`);
    mkdirSync(save, { recursive: true });
    writeFileSync(path, fileAt(FILE_TARGETS[target], FILE_TARGETS[target].seeds(), campaign, index));
    return path;
  };

  return new Promise((resolve, reject) => {
    const found = (index: number, message: string): void => {
      if (finished) return;
      const path =
        target === "container" ? saveCase(caseAt(makeCorpus(), campaign, index), message, save) : saveFile(index);
      findings.add(path);
      console.error(`fuzz: seed ${campaign}, case ${index}: ${message}\n  saved as ${path}`);
      if (findings.size >= MAX_FINDINGS) finish(`stopped at ${MAX_FINDINGS} findings`);
    };
    const finish = (summary: string): void => {
      finished = true;
      clearInterval(watch);
      void worker.terminate();
      progress.finish();
      console.log(`fuzz: seed ${campaign}: ${summary}, ${findings.size} findings`);
      resolve(findings.size);
    };
    const watch = setInterval(() => {
      const index = Atomics.load(current, 0);
      if (index !== last) [last, lastMoved] = [index, Date.now()];
      progress.update(minutes === Infinity ? index : seconds(), `${index} mutations`);
      if (Date.now() - lastMoved < HANG_SECONDS * 1000) return;
      found(index, `hangs: no end after ${HANG_SECONDS} s`);
      if (!finished) finish("stopped by a hang");
    }, 500);
    worker.on("message", (message: WorkerMessage) => {
      if (finished) return;
      if (message.kind === "finding") return found(message.index, message.message);
      const parts = Object.entries(message.tally).map(([reached, cases]) => `${cases} ${reached}`);
      finish(`${message.cases} mutations in ${seconds().toFixed(0)} s: ${parts.join(", ")}`);
    });
    worker.on("error", (error) => {
      clearInterval(watch);
      reject(error);
    });
  });
}

/** The same by libFuzzer, which stops at the first finding. */
async function nativeCampaign({ campaign: seed, ...run }: Flags): Promise<number> {
  const started = Date.now();
  const { mutations, finding } = await runTarget({ seed, ...run });
  const findings = finding === undefined ? 0 : 1;
  if (finding !== undefined) console.error(`${finding}\n  saved in ${run.save}`);
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  console.log(`fuzz: seed ${seed}: ${mutations} mutations in ${seconds} s, ${findings} findings`);
  return findings;
}

const flags = parseFlags();
process.exitCode = (await (flags.target in NATIVE_TARGETS ? nativeCampaign(flags) : campaign(flags))) === 0 ? 0 : 1;
