/**
 * Hostile modules against the wasm3 addon, to be run in a process of its own: what makes wasm3 write outside its memory ends it.
 * Example: node dist/tests/fuzz/modules.js --count 3000 --seed 1
 * Those that checkModule lets through are compiled. Made ones, which come to an end, are run too, and V8 has to come to the same.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { bake, specialize } from "../../host/node/module/bake.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { checkModule } from "../../host/module/module-check.js";
import { sealModule } from "../../host/module/seal.js";
import { writeContainer } from "../../host/container/write.js";
import { MoteError } from "../../host/errors.js";
import { builtFile } from "../../host/node/paths.js";
import { Random } from "../../host/rng.js";
import { syntheticModels } from "../support/models.js";
import { v8Machines, wasm3Machines, type Machine } from "./machine.js";
import { makeModule } from "./module-maker.js";
import { mutateModule } from "./module-mutator.js";

/** All kinds that `mote pack` makes, and the core. */
export function moduleSeeds(): Uint8Array[] {
  const containers = ["tiny", "padded", "average pool", "per channel"].map((name) =>
    writeContainer(syntheticModels().find((model) => model.name === name)!.model),
  );
  const core = sealModule(new Uint8Array(readFileSync(builtFile("build/core.wasm"))));
  return [
    core,
    ...containers.flatMap((container) => [
      specialize(container),
      bake(container),
      fastModule(container, "speed"),
      fastModule(container, "sram"),
    ]),
  ];
}

export interface HostileModule {
  readonly wasm: Uint8Array;
  /** Made out of nothing; else mutated. */
  readonly isMade: boolean;
}

/** The same seed, index and modules give the same one. */
export function hostileModule(seeds: readonly Uint8Array[], seed: number, index: number): HostileModule {
  const random = new Random(seed, index);
  const isMade = random.integer(3) === 0;
  return { isMade, wasm: isMade ? makeModule(random) : mutateModule(seeds[random.integer(seeds.length)], random) };
}

/** Whether wasm3 may see a module. */
export function passes(wasm: Uint8Array): boolean {
  try {
    checkModule(wasm);
    return true;
  } catch (error) {
    if (error instanceof MoteError) return false;
    throw error;
  }
}

const MEMORY_BYTES = 65536;

/** What a module's exports answer and leave in memory; a trap is one of the answers. */
function run(machine: Machine): string {
  const answers: (number | string)[] = [];
  for (const call of [() => machine.open(MEMORY_BYTES), () => machine.start(), () => machine.step(7)]) {
    try {
      answers.push(call());
    } catch (error) {
      answers.push(trapName(error));
    }
  }
  return `${answers.join()} ${Buffer.from(machine.load(0, MEMORY_BYTES)).toString("base64")}`;
}

/** Engines have their own words for traps. */
function trapName(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/out of bounds/.test(message)) return "bounds";
  if (/stack/.test(message)) return "stack";
  return /divide|division|remainder|overflow|unrepresentable/.test(message) ? "division" : message;
}

function main(): void {
  const { values } = parseArgs({ options: { seed: { type: "string" }, count: { type: "string" } } });
  const seeds = moduleSeeds();
  const tally = { modules: 0, passed: 0, compiled: 0, ran: 0, differ: 0 };
  for (; tally.modules < Number(values.count ?? 1000); tally.modules++) {
    const { wasm, isMade } = hostileModule(seeds, Number(values.seed ?? 1), tally.modules);
    if (!passes(wasm)) continue;
    tally.passed++;
    const read = (): number => 1;
    let machine: Machine;
    try {
      machine = wasm3Machines(wasm)(MEMORY_BYTES, read);
    } catch (error) {
      if (error instanceof MoteError) continue;
      throw error;
    }
    tally.compiled++;
    if (isMade) {
      const expected = run(v8Machines(wasm)(MEMORY_BYTES, read));
      tally.ran++;
      if (run(machine) !== expected) {
        tally.differ++;
        console.error(`module ${tally.modules}: wasm3 and V8 come to other ends`);
      }
    }
    machine.close();
  }
  console.log(JSON.stringify(tally));
}

if (process.argv[1]?.endsWith("modules.js") === true) main();
