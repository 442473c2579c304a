/** What slots and signatures take on a Cortex-M3, and how they stand a power that fails there. */
import { join } from "node:path";
import { MoteError } from "../../errors.js";
import { keyHeader, makeKeys, privateKey, signUpdate } from "../update/keys.js";
import { writeUpdate } from "../../update/update.js";
import { writeFileAtomic } from "../write-file.js";
import { BOARDS, BOARDS_FOLDER, type Board } from "./boards.js";
import { binarySections, compile, FIRMWARE_BUILD, libraryFolder, librarySources, link, type Source } from "./build.js";
import { ed25519Folder, ed25519Sources } from "./ed25519.js";
import { packageRoot } from "../paths.js";
import { runTool } from "./tools.js";

const BENCH_FOLDER = join(packageRoot, "firmware-examples", "bench");
const RUN_TIMEOUT_MS = 300_000;

export interface TrustReport {
  /** Bytes of flash that slots, updates and patches take, and what signatures add. */
  readonly slotsBytes: number;
  readonly signatureBytes: number;
  /** Instructions of a start, and of an update by a patch, without and with signatures. */
  readonly bootInstructions: number;
  readonly signedBootInstructions: number;
  readonly patchInstructions: number;
  readonly signedPatchInstructions: number;
  /** Native stack. */
  readonly stackBytes: number;
  readonly signedStackBytes: number;
  /** Cuts of the power on the board, in flash that is RAM. */
  readonly cuts: CutCount;
}

export interface CutCount {
  readonly places: number;
  readonly tried: number;
  readonly survived: number;
}

/** A model, and the one that takes its place. */
export interface ModelPair {
  readonly old: Uint8Array;
  readonly made: Uint8Array;
}

/**
 * @param step places of which one is cut
 * @throws MoteError ENGINE where it cannot be built, or goes wrong on the board
 */
export async function measureTrust({ old, made }: ModelPair, step: number): Promise<TrustReport> {
  const ed25519 = ed25519Folder();
  if (ed25519 === undefined) throw new MoteError("ENGINE", "ed25519-supercop is missing; mend with: npm ci");
  const board = { ...BOARDS.find(({ name }) => name === "lm3s6965evb")!, linkerScript: "lm3s6965evb-signed.ld" };
  const folder = join(FIRMWARE_BUILD, "trust");
  const keys = makeKeys();
  writeFileAtomic(join(folder, "trust-key.h"), keyHeader(keys.publicKey, "trust"));
  const key = privateKey(Buffer.from(keys.privatePem));
  const blobs = writeBlobs(folder, {
    ...cutFiles({ old, made }),
    trust_old_signed: signUpdate(old, 1, key),
    trust_patch_signed: signUpdate(made, 2, key, { base: old }),
  });
  const shared: Source[] = [
    ...librarySources([]),
    ...["stack.c", ...board.startup].map((name): Source => ({ path: join(BOARDS_FOLDER, name), kind: "board" })),
    ...ed25519Sources(ed25519),
  ];
  const includes = [libraryFolder().folder, BOARDS_FOLDER, BENCH_FOLDER, ed25519, folder];
  const objects = await compile(board, shared, includes.slice(0, -1));
  const program = async (part: number, more: readonly Source[] = []) => {
    const own: Source[] = [{ path: join(BENCH_FOLDER, "trust.c"), kind: "own" }, ...more];
    const parts = await compile(board, own, includes, [`-DTRUST_PART=${part}`, `-DTRUST_STEP=${step}`]);
    const path = join(folder, `trust-${part}.elf`);
    return { path, ...(await link(board, [...objects, ...parts], path)) };
  };
  const [none, slots, signed] = [await program(0), await program(1), await program(2)];
  const whole = await program(3, [{ path: join(BENCH_FOLDER, "cuts.c"), kind: "own" }, blobs]);
  const value = await runBoard(board, whole.path);
  const instructions = (name: string): number => Math.round(value(name) * board.instructionsPerTick);
  if (value("mistakes") > 0) throw new MoteError("MISMATCH", "trust: flash was written where it may not be");
  return {
    slotsBytes: slots.code - none.code,
    signatureBytes: signed.code - slots.code,
    bootInstructions: instructions("boot"),
    signedBootInstructions: instructions("signed-boot"),
    patchInstructions: instructions("patch"),
    signedPatchInstructions: instructions("signed-patch"),
    stackBytes: value("stack"),
    signedStackBytes: value("signed-stack"),
    cuts: { places: value("places"), tried: value("tried"), survived: value("survived") },
  };
}

/** @returns what answers with a number that the program has printed behind a name */
async function runBoard(board: Board, program: string): Promise<(name: string) => number> {
  const [emulator, ...args] = board.qemu;
  // Under -icount QEMU sends semihosting's text to stderr.
  const { stdout, stderr } = await runTool(emulator, [...args, program], { timeoutMs: RUN_TIMEOUT_MS });
  const said = stdout + stderr;
  if (/^failed$/m.test(said)) throw new MoteError("MISMATCH", `trust: an update failed on ${board.name}: ${said}`);
  return (name) => {
    const found = new RegExp(`^${name} (\\d+)$`, "m").exec(said);
    if (found === null) throw new MoteError("ENGINE", `trust: no ${name} in what ${board.name} says: ${said}`);
    return Number(found[1]);
  };
}

function cutFiles({ old, made }: ModelPair): Record<string, Uint8Array> {
  return {
    trust_old: old,
    trust_new: made,
    trust_old_update: writeUpdate(old, 1),
    trust_patch_update: writeUpdate(made, 2, { base: old }),
  };
}

/** The same cuts on this machine, at every place. @throws MoteError ENGINE, as measureTrust */
export async function cutEverywhere({ old, made }: ModelPair): Promise<CutCount> {
  const folder = join(FIRMWARE_BUILD, "cuts");
  const blobs = writeBlobs(folder, cutFiles({ old, made }));
  const sources: Source[] = [
    ...librarySources([]),
    ...["cuts.c", "cuts-host.c"].map((name): Source => ({ path: join(BENCH_FOLDER, name), kind: "own" })),
    blobs,
  ];
  const native = { toolchain: "", cpuFlags: [] };
  const objects = await compile(native, sources, [libraryFolder().folder, BENCH_FOLDER, folder]);
  const program = join(folder, "cuts");
  await runTool("gcc", [...objects, "-Wl,--gc-sections", "-z", "noexecstack", "-o", program]);
  const { stdout } = await runTool(program, []);
  const [places, tried, survived] = stdout.trim().split(" ").map(Number);
  return { places, tried, survived };
}

/** Times that the micro:bit is reset, at places all over an update. */
const RESETS = 60;

/** The same in a micro:bit's own flash, whose controller QEMU models, by resets. @throws MoteError ENGINE, as measureTrust */
export async function resetInFlash({ old, made }: ModelPair): Promise<Omit<CutCount, "places">> {
  const board = BOARDS.find(({ name }) => name === "microbit")!;
  const folder = join(FIRMWARE_BUILD, "nvmc");
  const blobs = writeBlobs(folder, cutFiles({ old, made }));
  const sources: Source[] = [
    ...librarySources([]),
    ...["stack.c", ...board.startup].map((name): Source => ({ path: join(BOARDS_FOLDER, name), kind: "board" })),
    { path: join(BENCH_FOLDER, "nvmc.c"), kind: "own" },
    blobs,
  ];
  const includes = [libraryFolder().folder, BOARDS_FOLDER, BENCH_FOLDER, folder];
  const program = join(folder, "nvmc.elf");
  await link(board, await compile(board, sources, includes, [`-DTRUST_TRIALS=${RESETS}`]), program);
  const value = await runBoard(board, program);
  return { tried: value("tried"), survived: value("survived") };
}

/** Files in the program's flash, and a header that declares them. */
function writeBlobs(folder: string, files: Readonly<Record<string, Uint8Array>>): Source {
  const lines = Object.entries(files).map(([symbol, { length }]) => {
    return `extern const uint8_t ${symbol}[];\nenum { ${symbol}_bytes = ${length} };\n`;
  });
  writeFileAtomic(join(folder, "trust-files.h"), `#include <stdint.h>\n\n${lines.join("")}`);
  const blobs = Object.entries(files).map(([symbol, bytes]) => {
    const file = join(folder, `${symbol}.bin`);
    writeFileAtomic(file, bytes);
    return { symbol, section: ".model", file };
  });
  return binarySections(join(folder, "trust-blobs.S"), blobs);
}
