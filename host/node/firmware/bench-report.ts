/** What the bench program prints, as values. */
import { MoteError } from "../../errors.js";
import { libraryStatusText } from "./status.js";

export interface BenchRun {
  readonly top: number;
  readonly inputTicks: number;
  readonly runTicks: number;
  readonly longestTicks: number;
  readonly layerTicks: readonly number[];
  readonly logits: readonly number[];
}

export interface BenchReport {
  /** Ticks of the short and of the long loop. */
  readonly calibration: readonly number[];
  /** Opening failed: the status, and what mote_error_offset says. */
  readonly error?: { readonly status: number; readonly number: number };
  /** The model left no room for its outputs and layers: the bytes they take, and those there were. */
  readonly room?: { readonly needed: number; readonly left: number };
  readonly open: { readonly beginTicks: number; readonly loadTicks: number; readonly longestTicks: number };
  readonly memory: { readonly used: number; readonly linear: number };
  /** Most bytes of native stack: while the engine starts, and in any slice. */
  readonly stack: { readonly begin: number; readonly slices: number };
  /** The inputs, then input 0 once more after the damaged files. */
  readonly runs: readonly BenchRun[];
  /** Statuses that damaged files gave. */
  readonly damaged: readonly number[];
}

/**
 * @param text lines of a word and numbers, from "bench" to "end"; see firmware-examples/bench/bench.c
 * @throws MoteError ENGINE when the program did not come to its end
 */
export function readBench(name: string, text: string): BenchReport {
  const lines = text.trim().split("\n");
  if (lines.at(-1)?.trim() !== "end") {
    throw new MoteError(
      "ENGINE",
      `${name}: the firmware did not come to its end; its last lines: ${lines.slice(-4).join(" | ")}`,
    );
  }
  const all = (word: string): number[][] =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.trim().split(" ").slice(1).map(Number));
  const first = (word: string): number[] => all(word)[0] ?? [];
  const layers = all("layers");
  const logits = all("logits");
  const [begin, load, longest] = first("open");
  const [used, linear, beginStack] = first("memory");
  const [error] = all("error");
  const [room] = all("room");
  return {
    calibration: first("calibrate"),
    ...(error === undefined ? {} : { error: { status: error[0], number: error[1] } }),
    ...(room === undefined ? {} : { room: { needed: room[0], left: room[1] } }),
    open: { beginTicks: begin, loadTicks: load, longestTicks: longest },
    memory: { used, linear },
    runs: all("run").map(([status, top, inputTicks, runTicks, longestTicks], i) => {
      if (status !== 0) throw new MoteError("ENGINE", `${name}: inference ${i} failed: ${libraryStatusText(status)}`);
      return { top, inputTicks, runTicks, longestTicks, layerTicks: layers[i], logits: logits[i] };
    }),
    stack: { begin: beginStack, slices: first("stack")[0] },
    damaged: first("damaged"),
  };
}
