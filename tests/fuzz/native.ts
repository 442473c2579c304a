/** Targets of libFuzzer: the C library, and the core as C, under AddressSanitizer and UBSan. Their code is in tests/fuzz/c. */
import { mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { byteArray } from "../../host/c/c-bytes.js";
import { crc32 } from "../../host/container/crc32.js";
import { containerBits, isSmallMote } from "../../host/data/file-kind.js";
import { writeContainer } from "../../host/container/write.js";
import { sealModule } from "../../host/module/seal.js";
import { aotSource } from "../../host/node/firmware/aot.js";
import { compile, libraryFolder, librarySources, type Source } from "../../host/node/firmware/build.js";
import { missingTools, runTool } from "../../host/node/firmware/tools.js";
import { builtFile, packageRoot } from "../../host/node/paths.js";
import { writeFileAtomic } from "../../host/node/write-file.js";
import { writeUpdate } from "../../host/update/update.js";
import { syntheticModels } from "../support/models.js";
import { makeCorpus } from "./corpus.js";
import { moduleSeeds } from "./modules.js";

interface NativeTarget {
  /** What mutations start from. */
  readonly seeds: () => readonly Uint8Array[];
  /** Files that its code includes, by name. */
  readonly headers?: () => Readonly<Record<string, string>>;
  readonly isOfSlots?: boolean;
}

const containerOf = (name: string): Uint8Array =>
  writeContainer(syntheticModels().find((one) => one.name === name)!.model);

/** A model, and the same with other weights. */
const OLD = containerOf("tiny");
const MADE = OLD.with(OLD.length - 3, OLD[OLD.length - 3] ^ 1);

export const NATIVE_TARGETS: Readonly<Record<string, NativeTarget>> = {
  core: {
    seeds: () =>
      makeCorpus().flatMap(({ bytes }) => (isSmallMote(bytes) || containerBits(bytes) === 16 ? [] : [bytes])),
  },
  module: {
    seeds: moduleSeeds,
    headers: () => ({ "container.h": byteArray("static const uint8_t container[]", OLD) }),
  },
  slots: {
    seeds: () => [
      flashOf([OLD, 7, "confirmed"]),
      flashOf([OLD, 7, "tried"], [MADE, 8, "new"]),
      flashOf([OLD, 7, "confirmed"], [MADE, 8, "tried"]),
    ],
    isOfSlots: true,
  },
  update: {
    seeds: () => [writeUpdate(MADE, 8), writeUpdate(MADE, 8, { base: OLD }), writeUpdate(containerOf("padded"), 9)],
    headers: () => ({ "old.h": byteArray("static const uint8_t old_update[]", writeUpdate(OLD, 7)) }),
    isOfSlots: true,
  },
};

/** No input takes a hundredth of this. */
const HANG_SECONDS = 60;

/** What the targets take beside Node, or nothing where all is there. */
export const missingForNative = missingTools(["clang", "wasm2c"]);

const SLOT_BYTES = 1024;

/** Both slots of tests/fuzz/c/flash.h: spec/update.md, "Slot", for units of 4 bytes. */
function flashOf(...models: readonly [model: Uint8Array, sequence: number, state: "new" | "tried" | "confirmed"][]) {
  const flash = new Uint8Array(2 * SLOT_BYTES).fill(0xff);
  models.forEach(([model, sequence, state], slot) => {
    const bytes = flash.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    bytes.set([...new TextEncoder().encode("MOS"), 1]);
    [sequence, model.length, crc32(model)].forEach((word, i) => view.setUint32(4 + 4 * i, word, true));
    bytes.set([1, 0], 16);
    view.setUint32(82, crc32(bytes.subarray(0, 82)), true);
    if (state !== "new") view.setUint32(88, 0);
    if (state === "confirmed") view.setUint32(92, 0);
    bytes.set(model, 96);
  });
  return flash;
}

const SANITIZERS = "address,undefined";
const CHECKED = "-DMOTE_AOT_CHECKED=1";
const CLANG = {
  toolchain: "",
  compiler: "clang",
  cpuFlags: [`-fsanitize=fuzzer-no-link,${SANITIZERS}`, "-fno-sanitize-recover=undefined", CHECKED],
} as const;
/** The core as C looks at each address itself; to be told each comparison would take most of the time. */
const COVERED = { ...CLANG, cpuFlags: ["-fsanitize-coverage=inline-8bit-counters,pc-table", CHECKED] };

/** Of wasm3, which multiplies numbers of 64 bits with a sign and means them to wrap. */
const WRAPS = ["-fno-sanitize=signed-integer-overflow"];

/** Builds a target. @returns its program @throws MoteError ENGINE where clang or wabt is not there */
async function buildTarget(name: string): Promise<string> {
  const { headers, isOfSlots } = NATIVE_TARGETS[name];
  const folder = builtFile(`build/fuzz/${name}`);
  const sourceFolder = join(packageRoot, "tests", "fuzz", "c");
  const benchFolder = join(packageRoot, "firmware-examples", "bench");
  const testFolder = join(packageRoot, "tests", "firmware", "c");
  for (const [file, text] of Object.entries(headers?.() ?? {}))
    writeFileAtomic(join(folder, file), `#include <stdint.h>\n\n${text}`);
  const sources: Source[] = [{ path: join(sourceFolder, `${name}.c`), kind: "own" }];
  if (isOfSlots === true) sources.push({ path: join(benchFolder, "cuts.c"), kind: "own" });
  const core: Source[] = [];
  if (name === "core") {
    const module = sealModule(readFileSync(builtFile("build/core.wasm")));
    const { header, source } = await aotSource(module, new Uint8Array(1), "core");
    writeFileAtomic(join(folder, "core.h"), header);
    writeFileAtomic(join(folder, "core.c"), source);
    core.push({ path: join(folder, "core.c"), kind: "aot" });
  }
  const library = librarySources(name === "core" ? ["aot"] : name === "module" ? ["wasm3"] : []);
  const includes = [libraryFolder().folder, sourceFolder, folder, benchFolder, testFolder];
  mkdirSync(folder, { recursive: true });
  const isInterpreter = ({ kind }: Source): boolean => kind === "wasm3";
  const objects = [
    ...(await compile(
      CLANG,
      library.filter((source) => !isInterpreter(source)),
      includes.slice(0, 1),
    )),
    ...(await compile(CLANG, library.filter(isInterpreter), includes.slice(0, 1), WRAPS)),
    ...(await compile(CLANG, sources, includes)),
    ...(await compile(COVERED, core, includes)),
  ];
  const program = join(folder, name);
  await runTool("clang", [`-fsanitize=fuzzer,${SANITIZERS}`, ...objects, "-lm", "-o", program]);
  return program;
}

export interface NativeRun {
  readonly target: string;
  readonly seed: number;
  /** Either may be Infinity. */
  readonly count: number;
  readonly minutes: number;
  /** Where inputs go with which something goes wrong. */
  readonly save: string;
}

export interface NativeResult {
  readonly mutations: number;
  /** What libFuzzer says of what went wrong, at most one. */
  readonly finding?: string;
}

/** Runs a target. What it has found to lead to new places stays in build/fuzz, and later runs go on from there. */
export async function runTarget({ target, seed, count, minutes, save }: NativeRun): Promise<NativeResult> {
  const program = await buildTarget(target);
  const folder = (name: string): string => {
    const path = builtFile(`build/fuzz/${target}/${name}`);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const seeds = folder("seeds");
  for (const old of readdirSync(seeds)) rmSync(join(seeds, old));
  NATIVE_TARGETS[target].seeds().forEach((bytes, i) => writeFileAtomic(join(seeds, String(i)), bytes));
  mkdirSync(save, { recursive: true });
  const corpus = folder("corpus");
  const given = readdirSync(corpus).length + readdirSync(seeds).length;
  const flags = [
    `-seed=${(seed % (2 ** 31 - 1)) + 1}`,
    `-timeout=${HANG_SECONDS}`,
    `-artifact_prefix=${join(save, `${target}-`)}`,
    "-print_final_stats=1",
    ...(count === Infinity ? [] : [`-runs=${count + given}`]),
    ...(minutes === Infinity ? [] : [`-max_total_time=${Math.ceil(minutes * 60)}`]),
  ];
  const { said, code } = await spoken(program, [...flags, corpus, seeds]);
  const executed = Number(/^stat::number_of_executed_units: (\d+)$/m.exec(said)?.[1] ?? 0);
  // It begins with those that are there.
  const mutations = Math.max(0, executed - given);
  return { mutations, ...(code === 0 ? {} : { finding: said.split("\n").slice(-40).join("\n") }) };
}

/** Other preloaded libraries are none of the sanitizers' business. */
function spoken(program: string, args: readonly string[]): Promise<{ said: string; code: number | null }> {
  const child = spawn("env", ["-u", "LD_PRELOAD", program, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-65536)));
  return new Promise((resolve, reject) => {
    child.on("error", reject).on("close", (code) => resolve({ said, code }));
  });
}
