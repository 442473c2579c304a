/** What the bench program prints, as values. */
import { MoteError } from "../../errors.js";
import { libraryStatusText } from "./status.js";

/** Of loading or of a run. Ticks here are the library's alone: what measuring takes has been taken off. */
export interface Slices {
  readonly ticks: number;
  readonly longestTicks: number;
  /** Most bytes of native stack, the bench's own left out. */
  readonly stack: number;
}

export interface BenchRun {
  readonly top: number;
  /** Of handing the inputs over. */
  readonly inputTicks: number;
  readonly slices: Slices;
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
  /** While the engine starts, then the slices. */
  readonly open: { readonly beginTicks: number; readonly beginStack: number; readonly slices: Slices };
  readonly memory: { readonly used: number; readonly linear: number };
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
    lines
      .filter((line) => line.startsWith(`${word} `))
      .map((line) => line.trim().split(" ").slice(1))
      .map((numbers) => numbers.map((text) => parseInt(text, 16)));
  const first = (word: string): number[] => all(word)[0] ?? [];
  const [measurements, ticks] = first("empty");
  /** Ticks of so many measurements of the library's, without what measuring takes. */
  const without = (taken: number, count = 1): number => taken - (ticks / measurements) * count;
  const slicesOf = ([taken, count, longest, stack]: readonly number[]): Slices => ({
    ticks: without(taken, count),
    longestTicks: without(longest),
    stack,
  });
  const layers = all("layers").map((pairs) =>
    pairs.flatMap((taken, i) => (i % 2 === 0 ? [without(taken, pairs[i + 1])] : [])),
  );
  const logits = all("logits");
  const [begin, beginStack, ...loading] = first("open");
  const [used, linear] = first("memory");
  const [error] = all("error");
  const [room] = all("room");
  return {
    calibration: first("calibrate"),
    ...(error === undefined ? {} : { error: { status: error[0], number: error[1] } }),
    ...(room === undefined ? {} : { room: { needed: room[0], left: room[1] } }),
    open: { beginTicks: without(begin), beginStack, slices: slicesOf(loading) },
    memory: { used, linear },
    runs: all("run").map(([status, top, input, ...slices], i) => {
      if (status !== 0) throw new MoteError("ENGINE", `${name}: inference ${i} failed: ${libraryStatusText(status)}`);
      return { top, inputTicks: without(input), slices: slicesOf(slices), layerTicks: layers[i], logits: logits[i] };
    }),
    damaged: first("damaged"),
  };
}
