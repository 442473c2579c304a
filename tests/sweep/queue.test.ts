/** Sweeps by workers over a real Redis: Debian's redis-server, on a free port and in a folder of its own. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WORK_VERSION } from "../../host/compress/run-recipe.js";
import { INSTALL_SCRIPT, missingTools } from "../../host/node/firmware/tools.js";
import { packageRoot } from "../../host/node/paths.js";
import { LocalRunner } from "../../host/node/sweep/local-runner.js";
import { optionalPackage } from "../../host/node/sweep/optional-package.js";
import { connectQueue, errorOfReason, reasonOf } from "../../host/node/sweep/queue.js";
import { QueueRunner } from "../../host/node/sweep/queue-runner.js";
import { serveQueue, type WorkerOptions } from "../../host/node/sweep/queue-worker.js";
import { MoteError } from "../../host/errors.js";
import type { JobRunner } from "../../host/sweep/runner.js";
import { variantsOf, parseVariation } from "../../host/sweep/vary.js";
import { expectOneLine, lastJson, mote, moteProcess } from "../cli/support.js";
import { named } from "../firmware/support/native.js";
import { modelsOf, planIn, sweepFolder, tinyRecipe } from "./support.js";

const lacking = missingTools(["redis-server"]).map((name) => `${name}, which ${INSTALL_SCRIPT} installs`);
const folder = sweepFolder();
const children: ChildProcess[] = [];
afterAll(() => children.forEach((child) => child.kill("SIGKILL")));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

async function startRedis(): Promise<{ readonly url: string; readonly process: ChildProcess }> {
  const port = await freePort();
  const home = folder.path(`redis-${port}`);
  mkdirSync(home);
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--dir", home, "--save", "", "--appendonly", "no"];
  const server = spawn("redis-server", options, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(server);
  let said = "";
  for await (const chunk of server.stdout) if ((said += String(chunk)).includes("Ready to accept")) break;
  return { url: `redis://127.0.0.1:${port}`, process: server };
}

const quiet = { patienceMs: 1_000, onNote: () => {} };
const workerOptions = (url: string, store: string, signal: AbortSignal): WorkerOptions => ({
  ...quiet,
  url,
  store,
  workers: 1,
  threads: 1,
  stalledMs: 1_000,
  signal,
  onJob: () => {},
});

/** `mote worker` as a process of its own. */
function startWorker(url: string, store: string): ChildProcess {
  const args = ["worker", "--queue", url, "--store", store, "--threads", "1", "--stalled-after", "1"];
  const worker = spawn(process.execPath, [join(packageRoot, "tools/mote.mjs"), ...args], {
    env: { ...process.env, MOTE_SKIP_BUILD: "1" },
    stdio: "ignore",
  });
  children.push(worker);
  return worker;
}

/** Asks the queue until so many workers listen on it, or so many jobs run. */
async function countIs(url: string, what: "getWorkersCount" | "getActiveCount", count: number): Promise<void> {
  const { bullmq, client, close } = await connectQueue(url, 1_000);
  const queue = new bullmq.Queue("mote-sweep", { connection: client as never });
  await expect.poll(() => queue[what](), { timeout: 60_000, interval: 10 }).toBe(count);
  await queue.close();
  close();
}

async function swept(runner: JobRunner, store: string): Promise<string[]> {
  const sweep = await planIn(store);
  try {
    return await modelsOf(sweep, await sweep.run(runner, new AbortController().signal, () => {}));
  } finally {
    await runner.close();
  }
}

describe.skipIf(lacking.length > 0)(named("a sweep over a queue", lacking), () => {
  let url: string;
  beforeAll(async () => void ({ url } = await startRedis()));

  it("makes the same bytes locally, by one worker, and by three of which one is killed", async () => {
    const local = await swept(
      new LocalRunner({ store: folder.path("local"), workers: 1, threads: 1, onNote: () => {} }),
      folder.path("local"),
    );
    expect(new Set(local).size).toBe(8);

    const one = startWorker(url, folder.path("one"));
    expect(await swept(await QueueRunner.open({ url, ...quiet }), folder.path("one"))).toEqual(local);
    one.kill("SIGTERM");
    const [code] = (await once(one, "exit")) as [number];
    expect(code).toBe(0);

    // Names of jobs are the same in each store: what stands on the queue of the sweep before is not taken for done.
    const store = folder.path("three");
    const workers = [1, 2, 3].map(() => startWorker(url, store));
    // A worker takes seconds to start, in which the others would leave it no job.
    await countIs(url, "getWorkersCount", 3);
    const models = swept(await QueueRunner.open({ url, ...quiet }), store);
    // Three jobs run, so that each worker has one.
    await countIs(url, "getActiveCount", 3);
    workers[0].kill("SIGKILL");
    expect(await models).toEqual(local);
    expect(workers[0].signalCode).toBe("SIGKILL");
    for (const worker of workers) worker.kill("SIGKILL");
    expect(readdirSync(join(store, "states"))).toEqual([]);
  });

  it("that is cancelled leaves nothing on the queue, keeps what was done, and can be run again", async () => {
    const store = folder.path("cancelled");
    const long = { ...tinyRecipe, teacher: { ...tinyRecipe.teacher, epochs: 500 } };
    const variants = variantsOf(JSON.stringify(long), "long.json", [parseVariation("teacher.seed=1,2")]);
    const sweep = await planIn(store, variants);
    const leave = new AbortController();
    const worker = serveQueue(workerOptions(url, store, leave.signal));
    const [runner, other] = [await QueueRunner.open({ url, ...quiet }), await QueueRunner.open({ url, ...quiet })];
    const names = sweep.jobs.map(({ name }) => name);
    const cancelling = { done: undefined as Promise<unknown> | undefined };
    try {
      const run = sweep.run(runner, new AbortController().signal, (share) => {
        if (share > 0) cancelling.done ??= other.cancel(names);
      });
      await expect(run).rejects.toMatchObject({ code: "INTERRUPTED", message: "cancelled" });
      expect(await cancelling.done).toEqual({ removed: 1, stopping: 1 });
      // The worker has put its state into the store before it gave up the job.
      await expect.poll(() => readdirSync(join(store, "states")).length).toBe(1);
      await expect.poll(() => other.cancel(names)).toEqual({ removed: 0, stopping: 0 });
      // A cancelled job runs again, from there; the worker that is left gives it back.
      const again = sweep.run(runner, leave.signal, (share) => {
        if (share > 0) leave.abort();
      });
      await expect(again).rejects.toMatchObject({ code: "INTERRUPTED", message: "stopped" });
      expect(await worker).toEqual({ done: 0, failed: 1 });
      expect(await other.cancel(names)).toEqual({ removed: 2, stopping: 0 });
    } finally {
      leave.abort();
      await Promise.all([worker, runner.close(), other.close()]);
    }
  });

  it("has jobs checked strictly, and those of another version go back to the queue", async () => {
    const hash = "a".repeat(64);
    const good = { version: WORK_VERSION, recipe: hash, data: hash, steps: 1, isLast: false };
    const wrong: [object | string, RegExp][] = [
      ["text", /^FORMAT: job: expected an object/],
      [{}, /^FORMAT: job: version: expected a whole number/],
      [{ ...good, recipe: "../../etc/passwd" }, /^FORMAT: job: recipe: expected a SHA-256/],
      [{ ...good, from: 1 }, /^FORMAT: job: from: expected a SHA-256/],
      [{ ...good, net: "lenet5" }, /^FORMAT: job: net: expected a SHA-256/],
      [{ ...good, data: "/etc/passwd" }, /^FORMAT: job: data: expected a SHA-256/],
      [{ ...good, steps: 0.5 }, /^FORMAT: job: steps: expected a whole number from 1 on/],
      [{ ...good, more: 1 }, /^FORMAT: job: more: unknown key/],
      // Well-formed, and nothing that the store has: another try may find it.
      [good, /^FILE: .*no objects\/a+, the recipe; is it the store that the sweep uses\?/],
    ];
    const { bullmq, client, close } = await connectQueue(url, 1_000);
    const queue = new bullmq.Queue("mote-sweep", { connection: client as never });
    const leave = new AbortController();
    const worker = serveQueue(workerOptions(url, folder.path("hostile"), leave.signal));
    for (const [i, [data]] of wrong.entries()) await queue.add("job", data, { jobId: `wrong-${i}` });
    for (const [i, [, reason]] of wrong.entries()) {
      await expect.poll(async () => (await queue.getJob(`wrong-${i}`))!.failedReason).toMatch(reason);
    }
    await queue.add("job", { ...good, version: WORK_VERSION + 1 }, { jobId: "newer" });
    await expect(worker).rejects.toMatchObject({
      code: "MISMATCH",
      message: expect.stringContaining(`work version ${WORK_VERSION + 1}, this worker's of ${WORK_VERSION}`),
    });
    expect(await queue.getJobState("newer")).toBe("waiting");
    await queue.obliterate({ force: true });
    await queue.close();
    close();
  });

  it("ends with an error when Redis goes away, and so does a worker; neither waits for one that is not there", async () => {
    const { url: second, process: redis } = await startRedis();
    const store = folder.path("away");
    const sweep = await planIn(store);
    const runner = await QueueRunner.open({ url: second, ...quiet });
    const worker = serveQueue(workerOptions(second, store, new AbortController().signal));
    const run = sweep.run(runner, new AbortController().signal, () => {});
    const ends = Promise.allSettled([run, worker]);
    setTimeout(() => redis.kill("SIGKILL"), 300);
    for (const end of await ends) {
      expect(end).toMatchObject({
        reason: { code: "SERVER", message: expect.stringMatching(/has been away for 1 s: /) },
      });
    }
    await runner.close();
    await expect(connectQueue(second, 1_000)).rejects.toMatchObject({
      code: "SERVER",
      message: expect.stringMatching(/^redis:\/\/127\.0\.0\.1:\d+: cannot be reached: .*ECONNREFUSED/),
    });
    await expect(connectQueue("redis://me:secret@127.0.0.1:1/2", 1_000)).rejects.toThrow(
      /^redis:\/\/127\.0\.0\.1:1\/2: /,
    );
  });

  it("by the commands: a worker that ends when it is idle, --cancel", async () => {
    const worker = ["worker", "--queue", url, "--store", folder.path("idle"), "--idle", "1"];
    const outcome = await moteProcess([...worker, "--json"]);
    expect([outcome.code, lastJson(outcome), outcome.stderr]).toEqual([
      0,
      { done: 0, failed: 0 },
      "0 jobs done, 0 failed\n",
    ]);
    writeFileSync(folder.path("tiny.json"), JSON.stringify({ ...tinyRecipe, data: "mnist" }));
    const sweep = ["sweep", folder.path("tiny.json"), "--vary", "seed=1,2", "--store", folder.path("idle")];
    const cancelled = await mote([...sweep, "--queue", url, "--cancel", "--json"]);
    expect([cancelled.code, lastJson(cancelled)]).toEqual([0, { removed: 0, stopping: 0 }]);
    expectOneLine(await mote([...sweep, "--cancel"]), /--cancel: --queue says whose jobs/, 2);
    expectOneLine(await mote([...sweep.slice(0, -2), "--queue", url]), /--queue: --store says where/, 2);
    expectOneLine(
      await mote([...worker.slice(0, 2), "http://x", ...worker.slice(3)]),
      /expected redis:\/\/host:port/,
      2,
    );
    for (const command of ["sweep", "worker"]) {
      expect((await mote([command, "--help"])).stdout).toMatch(new RegExp(`Examples:\n  mote ${command} `));
    }
  });
});

describe("errors on a queue", () => {
  it("are text, and errors of the same kind again", () => {
    const error = new MoteError("DIVERGED", "3 prune: step 1:\nno longer finite");
    expect(errorOfReason(reasonOf(error))).toMatchObject({ code: error.code, message: error.message });
    expect(errorOfReason("job stalled more than allowable limit").code).toBe("ENGINE");
    expect(errorOfReason(reasonOf(new Error("x")))).toMatchObject({ code: "ENGINE" });
  });

  it("say what to install where a package is missing", async () => {
    const missing = () =>
      Promise.reject(Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" }));
    await expect(optionalPackage("bullmq", missing)).rejects.toThrow("npm install bullmq ioredis");
    await expect(optionalPackage("aws4fetch", missing)).rejects.toMatchObject({ code: "ENGINE" });
  });
});
