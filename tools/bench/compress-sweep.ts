/** Whether a sweep comes to the same bytes whoever runs its jobs. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sliceSamples } from "../../host/data/samples.js";
import { openNet } from "../../host/node/train/open-net.js";
import { loadMnist } from "../../host/node/data/mnist.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { packageRoot } from "../../host/node/paths.js";
import { LocalRunner } from "../../host/node/sweep/local-runner.js";
import { openStore } from "../../host/node/sweep/open-store.js";
import { QueueRunner } from "../../host/node/sweep/queue-runner.js";
import { Sweep } from "../../host/node/sweep/run-sweep.js";
import type { JobRunner } from "../../host/sweep/runner.js";
import { parseVariation, variantsOf } from "../../host/sweep/vary.js";
import { atLeast, type BenchOptions, type Figure, type Group } from "./figure.js";

const RECIPE = {
  net: "lenet300",
  // Of this name only: `modelsBy` has the samples.
  data: "digits.npz",
  seed: 1,
  batch: 32,
  teacher: { epochs: 1, lr: 0.002, augment: 0 },
  bank: { copies: 1, augment: 0.1 },
  distill: { alpha: 0.5, temperature: 2 },
  stages: [
    { kind: "narrow", units: { fc1: 8, fc2: 8 } },
    { kind: "train", epochs: 60, lr: 0.003 },
    { kind: "prune", keep: 300, epochs: 60, lr: 0.002 },
    { kind: "grid", epochs: 1, lr: 0.002, step: { fc1: 0.5, fc2: 0.5, fc3: 0.5 }, parts: 3 },
    { kind: "calibrate", samples: 100 },
  ],
};
const VARY = ["seed=1,2", "stages[2].keep=200,300,400,500"];
const PATIENCE_MS = 10_000;

export const sweepGroup: Group = {
  name: "sweep",
  summary: "a sweep on one machine and over a queue, with a worker killed: whether the bytes are equal",
  measure: sweepFigures,
};

/** Eight models by processes of this machine, by one worker, and by three of which one is killed. None where Redis is missing. */
async function sweepFigures({ note }: Pick<BenchOptions, "note">): Promise<Figure[]> {
  if (missingTools(["redis-server"]).length > 0) {
    note("compress.sweep.equal is left out: redis-server is not installed");
    return [];
  }
  const folder = mkdtempSync(join(tmpdir(), "mote-bench-sweep-"));
  const started: ChildProcess[] = [];
  const start = (command: string, args: readonly string[]): ChildProcess => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, MOTE_SKIP_BUILD: "1" },
    });
    child.stdout!.resume();
    started.push(child);
    return child;
  };
  try {
    const url = await startRedis(folder, start);
    const workers = (store: string, count: number): ChildProcess[] =>
      Array.from({ length: count }, () => {
        const args = ["worker", "--queue", url, "--store", store, "--threads", "1", "--stalled-after", "2"];
        return start(process.execPath, [join(packageRoot, "tools/mote.mjs"), ...args]);
      });
    const queue = (): Promise<QueueRunner> => QueueRunner.open({ url, patienceMs: PATIENCE_MS, onNote: note });

    note("8 models by processes of this machine");
    const local = join(folder, "local");
    const wanted = await modelsBy(
      new LocalRunner({ store: local, workers: 1, threads: 1, onNote: note }),
      local,
      () => {},
    );
    note("by one worker");
    const one = join(folder, "one");
    const [only] = workers(one, 1);
    const byOne = await modelsBy(await queue(), one, () => {});
    only.kill("SIGKILL");
    note("by three workers, one of which is killed");
    const three = join(folder, "three");
    const [victim] = workers(three, 3);
    const byThree = await modelsBy(await queue(), three, (running) => {
      if (running.length >= 3) victim.kill("SIGKILL");
    });
    const same = [byOne, byThree].map((models) => models.filter((model, i) => model.equals(wanted[i])).length);
    const isEqual = victim.killed && same.every((count) => count === wanted.length);
    const name = "sweep of 8 models, local, by 1 worker, by 3 of which one is killed: equal bytes (1 = yes)";
    return [atLeast("compress.sweep.equal", name, isEqual ? 1 : 0, "", 1)];
  } finally {
    for (const child of started) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

async function modelsBy(
  runner: JobRunner,
  storeName: string,
  onRunning: (running: readonly string[]) => void,
): Promise<Buffer[]> {
  const { train, validation } = loadMnist();
  const data = { train: sliceSamples(train, 0, 400), validation: sliceSamples(validation, 0, 200) };
  const store = await openStore(storeName);
  const variants = variantsOf(JSON.stringify(RECIPE), "recipe", VARY.map(parseVariation));
  const sweep = await Sweep.plan({ variants, open: ({ net }) => ({ net: openNet(net).net, data }), store });
  try {
    const rows = await sweep.run(runner, new AbortController().signal, (_, running) => onRunning(running));
    return await Promise.all(rows.map(async (row) => Buffer.from(await sweep.model(row))));
  } finally {
    await runner.close();
  }
}

async function startRedis(
  folder: string,
  start: (command: string, args: readonly string[]) => ChildProcess,
): Promise<string> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  const home = join(folder, "redis");
  mkdirSync(home);
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--dir", home, "--save", "", "--appendonly", "no"];
  const server = start("redis-server", options);
  await new Promise<void>((resolve, reject) => {
    let said = "";
    server.stdout!.on("data", (chunk) => {
      if ((said += String(chunk)).includes("Ready to accept")) resolve();
    });
    server.on("exit", (code) => reject(new Error(`redis-server ended with code ${code}: ${said}`)));
  });
  return `redis://127.0.0.1:${port}`;
}
