/** Whether a model fits a board, before it is built and after, and in words what does not and by how much. */
import { MoteError } from "../errors.js";
import type { Optimization } from "../fast/optimization.js";
import type { BoardMemory } from "./board-memory.js";
import { isFastOnly, isInterpreter, takesFile, type FirmwareEngine } from "./engines.js";
import { openBytes, type FirmwareImage } from "./image.js";

/** Bytes of one of a board's memories, by what takes them. */
export interface Need {
  readonly memory: "SRAM" | "flash";
  readonly parts: Readonly<Record<string, number>>;
  /** More than it may be: what wasm3 makes of a module only opening tells. */
  readonly isBound?: boolean;
}

/** Static data of the bench, the library and the C library. */
const STATIC_BYTES = 24;

/** Code of the bench, the library and the engine; ahead of time of the model too. Somewhat more than boards of bench/device.json have. */
const CODE_BYTES = { wasm3: 50_000, native: 54_000, data: 20_000, aot: 24_000 } as const;

/** @param staticBytes what the linker found, once it has */
export function sramNeed(board: BoardMemory, image: FirmwareImage, engine: FirmwareEngine, staticBytes?: number): Need {
  const open = openBytes(image, engine);
  return {
    memory: "SRAM",
    parts: {
      "linear memory": image.linearBytes,
      [isInterpreter(engine) ? "what wasm3 makes of the module" : "the library"]: open - image.linearBytes,
      "the stack": board.stackBytes,
      "static data": staticBytes ?? STATIC_BYTES,
    },
    ...(isInterpreter(engine) ? { isBound: true } : {}),
  };
}

/** @param codeBytes what the linker found, once it has */
export function flashNeed(image: FirmwareImage, engine: FirmwareEngine, samples: number, codeBytes?: number): Need {
  return {
    memory: "flash",
    parts: {
      "the model": image.modelBytes,
      "the module": takesFile(engine) ? image.moduleBytes : 0,
      code: codeBytes ?? CODE_BYTES[engine],
      "the samples": samples,
    },
  };
}

export const total = ({ parts }: Need): number => Object.values(parts).reduce((sum, bytes) => sum + bytes, 0);

const capacity = (board: BoardMemory, { memory }: Need): number =>
  memory === "SRAM" ? board.ramBytes : board.flashBytes;

/** By how many bytes a need is more than there is; below 0 what is left. */
const excess = (board: BoardMemory, need: Need): number => total(need) - capacity(board, need);

/** As "vww by wasm3 for size needs up to 106,000 bytes of SRAM on lm3s6965evb, which has 65,536: 40,464 too many; linear memory 65,312, …". */
export function tooMuch(what: string, board: BoardMemory, need: Need, advice = ""): MoteError {
  const { memory, parts, isBound } = need;
  const grouped = (bytes: number): string => bytes.toLocaleString("en");
  const list = Object.entries(parts)
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `${name} ${grouped(bytes)}`);
  return new MoteError(
    "MEMORY",
    `${what} needs ${isBound === true ? "up to " : ""}${grouped(total(need))} bytes of ${memory} on ${board.name}, which has ` +
      `${grouped(capacity(board, need))}: ${grouped(excess(board, need))} too many; ${list.join(", ")}${advice}`,
  );
}

/** How many samples of so many bytes flash has room for, at least 1. */
export function fittingSamples(
  board: BoardMemory,
  image: FirmwareImage,
  engine: FirmwareEngine,
  bytes: number,
): number {
  return Math.max(1, Math.floor(-excess(board, flashNeed(image, engine, 0)) / bytes));
}

/** A form that a model may have on a board, and what lacks for it. */
export interface FittingForm {
  readonly optimize: Optimization;
  readonly image: FirmwareImage;
  readonly needs: readonly [sram: Need, flash: Need];
  /** Bytes, of the memory that lacks more; 0 where it fits. */
  readonly lack: number;
}

/**
 * The form that a model is given on a board when none is asked for: the fastest that fits, or the one that lacks the least.
 * @param imageOf the model in a form
 */
export function fittingForm(
  board: BoardMemory,
  engine: FirmwareEngine,
  imageOf: (optimize: Optimization) => FirmwareImage,
): FittingForm {
  const forms = isFastOnly(engine) ? (["speed", "sram"] as const) : (["speed", "sram", "size"] as const);
  const tried = forms.map((optimize): FittingForm => {
    const image = imageOf(optimize);
    const needs = [sramNeed(board, image, engine), flashNeed(image, engine, 0)] as const;
    return { optimize, image, needs, lack: Math.max(0, ...needs.map((need) => excess(board, need))) };
  });
  return tried.reduce((best, other) => (other.lack < best.lack ? other : best));
}
