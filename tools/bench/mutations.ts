/** Hostile inputs that libFuzzer has made without a finding, of the targets in tests/fuzz/c: counted in build/work, so that a run that was stopped goes on. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isRecord, parseJson } from "../../host/json.js";
import { LIBRARY_FOLDER } from "../../host/node/firmware/library.js";
import { missingTools, runTool } from "../../host/node/firmware/tools.js";
import { builtFile, packageRoot } from "../../host/node/paths.js";
import { writeFileAtomic } from "../../host/node/write-file.js";
import { MoteError } from "../../host/errors.js";
import { atLeast, type BenchOptions, type Figure } from "./figure.js";

/** What each target is given: of containers alone as many as was wanted of all. */
const WANTED = { core: 10_000_000, module: 500_000, slots: 2_000_000, update: 2_000_000 } as const;
type Target = keyof typeof WANTED;
const TARGETS = Object.keys(WANTED) as Target[];
const LEAST = 10_000_000;
/** Inputs of one process, after which they are counted. */
const PORTION = 250_000;
const RECORD = builtFile("build/work/mutations.json");

/** @throws MoteError MISMATCH for a finding, which is kept in build/fuzz */
export async function mutationFigures(note: BenchOptions["note"]): Promise<Figure[]> {
  const missing = missingTools(["clang", "wasm2c"]);
  if (missing.length > 0) {
    note(`no hostile inputs, since ${missing.join(", ")} is not there`);
    return [];
  }
  const tested = digestOfTested();
  const done = recordOf(tested);
  for (const target of TARGETS) {
    while (done[target] < WANTED[target]) {
      note(
        `hostile inputs of ${target}: ${done[target].toLocaleString("en")} of ${WANTED[target].toLocaleString("en")}`,
      );
      done[target] += await runPortion(target, done[target]);
      writeFileAtomic(RECORD, JSON.stringify({ tested, done }, null, 2) + "\n");
    }
  }
  const total = TARGETS.reduce((sum, target) => sum + done[target], 0);
  const figure = atLeast(
    "trust.mutations",
    "hostile containers, modules, slots and updates without a finding",
    total,
    "",
    LEAST,
  );
  return [{ ...figure, detail: done }];
}

async function runPortion(target: Target, seed: number): Promise<number> {
  const script = builtFile("dist/tests/fuzz/fuzz.js");
  const args = [script, "--target", target, "--count", String(PORTION), "--seed", String(seed)];
  const { stdout } = await runTool(process.execPath, args);
  const mutations = Number(/: (\d+) mutations in .*, 0 findings$/m.exec(stdout)?.[1] ?? 0);
  if (mutations === 0) throw new MoteError("MISMATCH", `fuzz --target ${target}: ${stdout}`);
  return mutations;
}

/** What the inputs are given to, and made by: the core, the library, the targets, their seeds. */
function digestOfTested(): string {
  const digest = createHash("sha256").update(readFileSync(builtFile("build/core.wasm")));
  const folders = [
    ["tests", "fuzz", "c"],
    ["tests", "fuzz"],
    ["firmware-examples", "bench"],
  ];
  for (const folder of [LIBRARY_FOLDER, ...folders.map((parts) => join(packageRoot, ...parts))]) {
    for (const name of readdirSync(folder).sort()) {
      if (/\.(c|h|ts)$/.test(name)) digest.update(name).update(readFileSync(join(folder, name)));
    }
  }
  return digest.digest("hex");
}

/** What has been done of the same code before. */
function recordOf(tested: string): Record<Target, number> {
  const record: unknown = existsSync(RECORD) ? parseJson(readFileSync(RECORD, "utf8"), RECORD, "a record") : undefined;
  const before = isRecord(record) && record.tested === tested && isRecord(record.done) ? record.done : {};
  const count = (target: Target): number => (typeof before[target] === "number" ? before[target] : 0);
  return { core: count("core"), module: count("module"), slots: count("slots"), update: count("update") };
}
