/** Work per inference: WebAssembly instructions executed, which no machine changes, and the time of wasm3 as a ratio to V8. */
import { fastModule } from "../../host/node/fast/fast-module.js";
import { loadDataSpec } from "../../host/node/data/inputs.js";
import type { DataSet } from "../../host/data/data-set.js";
import { classifyAll } from "../../host/engines/classify.js";
import { builtModule } from "../../host/node/built.js";
import { openCounted } from "../../host/engines/counted.js";
import type { EngineName } from "../../host/engines/engine.js";
import { openEngine } from "../../host/node/engines/open.js";
import { rounded, type BenchOptions, type Figure, type Group } from "./figure.js";
import { SHIPPED_MODELS, shippedModel } from "./models.js";

/** Digits over which instructions are counted. */
const COUNTED = 20;
/** Digits a round; the fastest of the rounds counts, since everything else on the machine only adds. */
const TIMED = 50;
const [QUICK_ROUNDS, FULL_ROUNDS] = [1, 3];

export const workGroup: Group = {
  name: "work",
  summary: "wasm instructions per inference, time under wasm3 and V8 and their ratio",
  measure: measureWork,
};

async function measureWork({ full, note }: BenchOptions): Promise<Figure[]> {
  const digits = loadDataSpec(`mnist:test:${TIMED}`);
  const rounds = full ? FULL_ROUNDS : QUICK_ROUNDS;
  const figures: Figure[] = [];
  for (const { name } of SHIPPED_MODELS) {
    const container = shippedModel(name);
    figures.push(...(await measureForm(`work.${name}`, name, container, digits, rounds, note)));
    figures.push(
      ...(await measureForm(`work.${name}.fast`, `${name}, fast module`, fastModule(container), digits, rounds, note)),
    );
  }
  return figures;
}

/** @param file a container or a fast module */
async function measureForm(
  id: string,
  name: string,
  file: Uint8Array,
  digits: DataSet,
  rounds: number,
  note: BenchOptions["note"],
): Promise<Figure[]> {
  note(`${name}: counting instructions, timing wasm3 and V8`);
  const pixels = digits.images.length / digits.count;
  const counted = { ...digits, count: COUNTED, images: digits.images.subarray(0, COUNTED * pixels) };
  const { loadOps, opsPerRun } = await countedRun(file, counted);
  const times = { wasm3: Infinity, v8: Infinity };
  for (let round = 0; round < rounds; round++) {
    for (const engine of ["wasm3", "v8"] as const) {
      times[engine] = Math.min(times[engine], await timedRun(engine, file, digits));
    }
  }
  return [
    { id: `${id}.instructions`, name: `${name}, wasm instructions per inference`, value: opsPerRun, unit: "" },
    { id: `${id}.load`, name: `${name}, wasm instructions to load and check`, value: loadOps, unit: "" },
    { id: `${id}.wasm3`, name: `${name}, time under wasm3`, value: rounded(times.wasm3), unit: "µs" },
    { id: `${id}.v8`, name: `${name}, time under V8`, value: rounded(times.v8), unit: "µs" },
    { id: `${id}.ratio`, name: `${name}, wasm3 : V8`, value: rounded(times.wasm3 / times.v8), unit: "" },
  ];
}

async function timedRun(name: EngineName, file: Uint8Array, digits: DataSet): Promise<number> {
  const engine = openEngine(name, file);
  try {
    return (await classifyAll(engine, digits)).usPerInference;
  } finally {
    engine.close();
  }
}

/** WebAssembly instructions of loading and of a run, the module with a counter in it. */
async function countedRun(file: Uint8Array, digits: DataSet): Promise<{ loadOps: number; opsPerRun: number }> {
  const { engine, ops } = openCounted(file, builtModule("build/core.wasm"));
  const loadOps = ops();
  await classifyAll(engine, digits);
  return { loadOps, opsPerRun: Math.round((ops() - loadOps) / digits.count) };
}
