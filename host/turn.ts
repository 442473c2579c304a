import { MoteError } from "./errors.js";

/** Lets timers, signals and messages in before a long computation goes on. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Computing between two returns to the event loop, so that Ctrl-C and the progress bar work. */
const SLICE_MS = 50;

/** Tells a long computation when to let others in. */
export class Slices {
  private end = performance.now() + SLICE_MS;

  isOver(): boolean {
    return performance.now() >= this.end;
  }

  async next(): Promise<void> {
    await nextTurn();
    this.end = performance.now() + SLICE_MS;
  }
}

/** @throws MoteError INTERRUPTED */
export function expectToGoOn(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new MoteError("INTERRUPTED", "stopped");
}
