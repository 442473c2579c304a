import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readContainer } from "../../host/container/read.js";
import type { Graph } from "../../host/model/model.js";
import { packed } from "../../host/node/compress/integer-model.js";
import { runRecipe } from "../../host/node/compress/run-recipe.js";
import { openNet } from "../../host/node/train/open-net.js";
import { variantsOf } from "../../host/sweep/vary.js";
import { FolderStore } from "../../host/node/sweep/folder-store.js";
import { LocalRunner } from "../../host/node/sweep/local-runner.js";
import { Sweep } from "../../host/node/sweep/run-sweep.js";
import type { SweepRow } from "../../host/sweep/summary.js";
import { MoteError } from "../../host/errors.js";
import { openStore } from "../../host/node/sweep/open-store.js";
import type { JobRunner } from "../../host/sweep/runner.js";
import { StoreWorkFolder } from "../../host/sweep/store-work-folder.js";
import { putResult } from "../../host/sweep/store.js";
import { expectOneLine, lastJson, mote, moteProcess } from "../cli/support.js";
import { data, eight, modelsOf, planIn, sweepFolder, tinyRecipe } from "./support.js";

const folder = sweepFolder();

async function run(
  sweep: Sweep,
  store: string,
  workers: number,
  onProgress: (share: number, abort: () => void) => void = () => {},
): Promise<SweepRow[]> {
  const abort = new AbortController();
  const runner = new LocalRunner({ store, workers, threads: 1, onNote: () => {} });
  try {
    return await sweep.run(runner, abort.signal, (share) => onProgress(share, () => abort.abort()));
  } finally {
    await runner.close();
  }
}

/** Process ids of this one's children, by Linux's /proc. */
const children = (): number[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);

describe("a sweep in processes of this machine", () => {
  test("makes what several variants need once, and the same bytes when it is stopped, goes on and loses a process", async () => {
    const [one, other] = [folder.path("one"), folder.path("other")];
    const sweep = await planIn(one);
    expect(sweep.jobs.map(({ neededBy }) => neededBy.length)).toEqual([8, 4, 1, 1, 1, 1, 4, 1, 1, 1, 1]);
    const rows = await run(sweep, one, 1);
    expect(rows.map(({ variant, problem }) => [variant, problem])).toEqual(eight.map((_, i) => [i + 1, undefined]));
    const models = await modelsOf(sweep, rows);
    expect(new Set(models).size).toBe(8);
    expect(rows.map(({ bytes }) => bytes)).toEqual(models.map((hex) => hex.length / 2));
    const results = readdirSync(`${one}/results`).map((name) => name.replace(/^(\w+)-.*?(\.\w+)?$/, "$1$2"));
    const count = (kind: string) => results.filter((name) => name === kind).length;
    expect([count("teacher"), count("bank.f32"), count("stage")]).toEqual([1, 1, 2 * 2 + 8 * 3]);
    expect(readdirSync(`${one}/states`)).toEqual([]);

    const again = await planIn(other);
    const stopped = run(again, other, 1, (share, abort) => {
      if (share > 0.25) abort();
    });
    await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
    let killed = 0;
    const resumed = await run(again, other, 2, (share) => {
      if (share < 0.5 || killed > 0) return;
      for (const pid of children().slice(0, 1)) {
        process.kill(pid, "SIGKILL");
        killed++;
      }
    });
    expect(killed).toBe(1);
    expect(await modelsOf(again, resumed)).toEqual(models);
    expect(resumed).toEqual(rows);
  });

  test("has what another job has measured, of names that nobody knows before it runs", async () => {
    const store = new FolderStore(folder.path("measured"));
    const open = (): Promise<StoreWorkFolder> => StoreWorkFolder.open(store, [], expect.unreachable);
    const first = await open();
    expect(await first.readBytes("sensitivity-1.json")).toBeUndefined();
    first.writeBytes("sensitivity-1.json", Uint8Array.of(1, 2));
    await first.settle();
    expect([...(await (await open()).readBytes("sensitivity-1.json"))!]).toEqual([1, 2]);
  });

  test("makes anew what is damaged in the store", async () => {
    const store = folder.path("one");
    const sweep = await planIn(store, eight.slice(0, 1));
    const models = await modelsOf(sweep, await run(sweep, store, 1));
    for (const name of readdirSync(`${store}/objects`)) writeFileSync(`${store}/objects/${name}`, "damaged");
    expect(await modelsOf(sweep, await run(sweep, store, 1))).toEqual(models);
  });
});

test("a teacher that is another net travels along", async () => {
  const { teacher, ...others } = tinyRecipe;
  const text = JSON.stringify({ ...others, teacher: { ...teacher, net: "teacher.json" } });
  const dense = { op: "dense", name: "c", input: "image", output: "logits", outFeatures: 10 } as const;
  const graph: Graph = { name: "teacher", input: { name: "image", shape: [1, 28, 28] }, layers: [dense] };
  const nets = { net: openNet("lenet300").net, teacher: { graph, tensors: new Map() } };
  const variants = variantsOf(text, "tiny.json", []);
  const store = folder.path("taught");
  const sweep = await Sweep.plan({ variants, open: () => ({ ...nets, data }), store: await openStore(store) });
  const [model] = await modelsOf(sweep, await run(sweep, store, 1));
  const { net, reports } = await runRecipe({
    recipe: variants[0].recipe,
    data,
    ...nets,
    work: folder.path("taught-work"),
    threads: 1,
  });
  expect(reports[0].weights).toBe(7840);
  expect(model).toBe(Buffer.from(packed(net, variants[0].recipe.pack)).toString("hex"));
});

describe("a variant whose training diverges", () => {
  test("has no model, nor have those that wait for it, and the others go on", async () => {
    const store = folder.path("diverged");
    const sweep = await planIn(store);
    const asked: string[] = [];
    const open = await openStore(store);
    // A stand-in: the first two jobs come to something, all others diverge.
    const runner: JobRunner = {
      run: async (name) => {
        if (asked.push(name) > 2) throw new MoteError("DIVERGED", "2 train: step 1: the loss is no longer finite");
        await putResult(open, `${name}.json`, Buffer.from(JSON.stringify({ stages: [] })));
      },
      close: async () => {},
    };
    const rows = await sweep.run(runner, new AbortController().signal, () => {});
    expect(rows.map(({ variant, problem, bytes }) => [variant, problem, bytes])).toEqual(
      eight.map((_, i) => [i + 1, "2 train: step 1: the loss is no longer finite", undefined]),
    );
    // What the second seed's training would have come to is not tried.
    expect(asked).toHaveLength(3 + 4);
  });
});

describe("mote sweep", () => {
  const path = folder.path;
  const recipe = () => {
    const teacher = { epochs: 0.02, lr: 0.002, augment: 0 };
    const grid = { kind: "grid", epochs: 0, lr: 0, step: { fc1: 1, fc2: 1, fc3: 1 }, parts: 1 };
    const stages = [{ kind: "narrow", units: { fc1: 4, fc2: 4 } }, grid, { kind: "calibrate", samples: 60 }];
    writeFileSync(path("recipe.json"), JSON.stringify({ net: "lenet300", seed: 1, teacher, stages }));
    return path("recipe.json");
  };
  const sweep = (...args: string[]) =>
    moteProcess(["sweep", recipe(), "--store", path("store"), "--threads", "1", ...args]);

  test("writes tables, a picture and the models, and does nothing twice", async () => {
    const vary = ["--vary", "seed=1,2", "--vary", "stages[1].step.fc1=1,1.5"];
    const dry = lastJson(await sweep(...vary, "--dry-run", "--json"));
    expect(dry).toMatchObject({ variants: [{ seed: 1 }, { seed: 1 }, { seed: 2 }, { seed: 2 }] });
    expect((dry.jobs as { done: boolean }[]).map(({ done }) => done)).toEqual(Array.from({ length: 7 }, () => false));
    const first = await sweep(...vary, "-o", path("out"));
    expect([first.code, first.stdout], first.stderr).toEqual([0, expect.stringMatching(/^variant +seed +stages\[1\]/)]);
    for (const line of first.stdout.split("\n")) expect(line.replaceAll(path(""), "").length).toBeLessThanOrEqual(80);
    expect(readdirSync(path("out")).toSorted()).toEqual(["models", "sweep.csv", "sweep.json", "sweep.svg"]);
    expect(readdirSync(path("out/models"))).toHaveLength(8);
    const { variants, groups } = JSON.parse(readFileSync(path("out/sweep.json"), "utf8")) as Record<string, unknown[]>;
    expect([variants.length, groups.length]).toEqual([4, 2]);
    expect(readFileSync(path("out/sweep.csv"), "utf8").trim().split("\r\n")).toHaveLength(5);

    const page = await moteProcess(["report", "--sweep", path("out/sweep.csv"), "-o", path("sweep.html")]);
    expect([page.code, readFileSync(path("sweep.html"), "utf8")], page.stderr).toEqual([
      0,
      expect.stringContaining("4 jobs of sweep.csv"),
    ]);

    const second = await sweep(...vary, "-o", path("again"), "--json");
    expect(second.stderr).not.toMatch(/teacher|narrow|grid/);
    expect(lastJson(second)).toMatchObject({ variants, groups });
    execFileSync("diff", ["-r", path("out"), path("again")]);
    expect(
      (lastJson(await sweep(...vary, "--dry-run", "--json")).jobs as { done: boolean }[]).every(({ done }) => done),
    ).toBe(true);
    // The recipe beside a model makes it.
    const compress = [
      "compress",
      path("out/models/3.json"),
      "-o",
      path("alone.mote"),
      "--work",
      path("work"),
      "--threads",
      "1",
    ];
    await mote([...compress, "--allow-chance"]);
    expect(readFileSync(path("alone.mote")).equals(readFileSync(path("out/models/3.mote")))).toBe(true);
  });

  test("says what is wrong before anything runs", async () => {
    const out = ["-o", path("never")];
    expectOneLine(
      await sweep("--vary", "sead=1", ...out),
      /--vary sead: .*recipe\.json has no sead; there are net, seed/,
      2,
    );
    expectOneLine(await sweep("--vary", "seed", ...out), /expected PATH=VALUES/, 2);
    expectOneLine(
      await sweep("--vary", "seed=1,x", ...out),
      /recipe\.json with seed="x": seed: expected a whole number/,
    );
    expectOneLine(await sweep("--vary", "stages[1].step=true", ...out), /stages\[1\]\.step: expected/);
    expectOneLine(await sweep("--vary", "stages[0].units.fc1=4,400", ...out), /variant 2: stages\[0\].*400/);
    expectOneLine(await sweep("--vary", "seed=1"), /--out says where/, 2);
    writeFileSync(path("file"), "");
    expectOneLine(await sweep("-o", path("file/x")), /cannot be written: .*not a folder/);
    rmSync(path("never"), { recursive: true, force: true });
  });

  test("has nets and data of any file: its models are those of mote compress, wherever their recipes are", async () => {
    mkdirSync(path("own"));
    const layer = (name: string, input: string, outFeatures: number) => ({
      op: "dense",
      name,
      input,
      output: name,
      outFeatures,
    });
    const layers = [layer("fc1", "in", 8), { op: "relu", name: "relu", input: "fc1", output: "relu" }];
    const net = {
      name: "points",
      input: { name: "in", shape: [4, 1, 1] },
      layers: [...layers, layer("fc2", "relu", 3)],
    };
    writeFileSync(path("own/net.json"), JSON.stringify(net));
    const kinds = ["left", "middle", "right"];
    const rows = Array.from({ length: 150 }, (_, i) => [i % 3, (i % 7) / 7, (i % 5) / 5, 1, kinds[i % 3]].join());
    writeFileSync(path("own/points.csv"), ["a,b,c,d,kind", ...rows, ""].join("\n"));
    const data = { train: "points.csv", labels: "column:kind", mean: 1, std: 2 };
    const grid = { kind: "grid", epochs: 0, lr: 0, step: 0.5, parts: 1 };
    const stages = [{ kind: "prune", keep: 30, epochs: 2, lr: 0.01 }, grid, { kind: "calibrate", samples: 60 }];
    const own = { net: "net.json", data, seed: 1, batch: 32, teacher: { epochs: 4, lr: 0.01, augment: 0 }, stages };
    for (const [name, task] of [
      ["classes", { loss: "softmax", metric: "f1" }],
      ["numbers", { loss: "mse" }],
    ] as const) {
      writeFileSync(path(`own/${name}.json`), JSON.stringify({ ...own, task }));
      const args = [
        "sweep",
        path(`own/${name}.json`),
        "--vary",
        "seed=1,2",
        "--store",
        path("store"),
        "--threads",
        "1",
      ];
      const made = await mote([...args, "-o", path(name), "--json"]);
      expect(made.code, made.stderr).toBe(0);
      const { variants } = lastJson(made) as { variants: { validationError: number; metric: string }[] };
      for (const [i, { validationError, metric }] of variants.entries()) {
        const recipePath = path(`${name}/models/${i + 1}.json`);
        const alone = ["compress", recipePath, "-o", path("own.mote"), "--work", path("own-work"), "--threads", "1"];
        const compressed = await mote([...alone, "--allow-chance", "--json"]);
        expect(compressed.code, compressed.stderr).toBe(0);
        expect([validationError, metric]).toEqual([
          lastJson(compressed).validationError,
          name === "numbers" ? "mse" : "f1",
        ]);
        expect(readFileSync(path("own.mote")).equals(readFileSync(path(`${name}/models/${i + 1}.mote`)))).toBe(true);
      }
      const { labels } = readContainer(readFileSync(path("own.mote"))).model;
      expect(labels).toEqual(["left", "middle", "right"]);
    }
  });

  test("Ctrl-C keeps what was done", async () => {
    const long = JSON.parse(readFileSync(recipe(), "utf8")) as { teacher: { epochs: number } };
    long.teacher.epochs = 50;
    writeFileSync(path("long.json"), JSON.stringify(long));
    let isSent = false;
    const args = ["sweep", path("long.json"), "--store", path("stopped"), "--threads", "1", "-o", path("never")];
    const outcome = await mote(args, {
      onStderr: (text, kill) => {
        if (isSent || !text.includes("%")) return;
        isSent = true;
        kill("SIGINT");
      },
    });
    expect([outcome.code, outcome.stdout]).toEqual([130, ""]);
    expect(outcome.stderr).toContain("the store holds all that was done: run the same command to go on");
    expect(readdirSync(path("stopped/states"))).toHaveLength(1);
    expect(readdirSync(path("")).includes("never")).toBe(false);
  });
});
