/** Progress of a long command: one bar with an estimate on a terminal, a plain line now and then in a log. */
import { printable } from "../errors.js";

/** What Progress writes to: process.stderr, or a stand-in under test. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BAR_CELLS = 24;
const TERMINAL_INTERVAL_MS = 100;
const LOG_INTERVAL_MS = 10_000;
/** The first line in a log comes sooner, so that one sees that it works. */
const LOG_FIRST_MS = 1_000;
const DEFAULT_COLUMNS = 80;

/** Columns of a terminal; where the stream is none, what COLUMNS says, or 80. */
export function columnsOf(stream: { readonly columns?: number }): number {
  return [stream.columns, Number(process.env.COLUMNS)].find((columns) => columns! >= 1) ?? DEFAULT_COLUMNS;
}

/** Seconds as people read them: "8s", "3m05s", "1h02m". */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  const two = (n: number): string => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
}

/**
 * Shows how far a command is. The estimate supposes that what is left goes as fast as what was done since the first update: what
 * lies before it took no time of this run where an earlier one did it.
 * Output goes to stderr, so that stdout holds results only.
 */
export class Progress {
  /** The bar on the terminal's last line. */
  private static standing: Progress | undefined;

  /**
   * Takes the bar off the terminal, so that what is printed next begins a line of its own, on whichever stream. The bar comes back
   * with its next update.
   */
  static clear(): void {
    Progress.standing?.erase();
  }

  private readonly started: number;
  private lastShown: number;
  private done = 0;
  private first: { readonly done: number; readonly at: number } | undefined;
  private shown = 0;
  private note = "";
  private lineLength = 0;
  private finished = false;

  /**
   * @param total units of work, > 0; what a unit is, is the caller's choice
   * @param now milliseconds; another clock under test
   */
  constructor(
    private readonly label: string,
    private readonly total: number,
    private readonly stream: ProgressStream = process.stderr,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.started = now();
    this.lastShown = stream.isTTY === true ? -Infinity : this.started + LOG_FIRST_MS - LOG_INTERVAL_MS;
  }

  /** @param done units finished so far, not since the last call; @param note what to show behind, such as the loss */
  update(done: number, note?: string): void {
    if (this.finished) return;
    this.done = Math.min(done, this.total);
    if (note !== undefined) this.note = note;
    const now = this.now();
    this.first ??= { done: this.done, at: now };
    const interval = this.stream.isTTY === true ? TERMINAL_INTERVAL_MS : LOG_INTERVAL_MS;
    if (now - this.lastShown < interval) return;
    this.lastShown = now;
    this.show(now);
  }

  /** Leaves the last state as one line. Later calls do nothing. */
  finish(): void {
    if (this.finished) return;
    const now = this.now();
    if (this.done > this.shown) this.show(now);
    if (this.stream.isTTY === true && this.lineLength > 0) this.stream.write("\n");
    this.finished = true;
    if (Progress.standing === this) Progress.standing = undefined;
  }

  private erase(): void {
    this.stream.write("\r\x1b[K");
    this.lineLength = 0;
    Progress.standing = undefined;
  }

  private show(now: number): void {
    this.shown = this.done;
    const fraction = this.total > 0 ? this.done / this.total : 1;
    const seconds = (now - this.started) / 1000;
    const { done: before, at } = this.first ?? { done: 0, at: now };
    const left = (((now - at) / 1000) * (this.total - this.done)) / (this.done - before);
    const percent = `${Math.floor(fraction * 100)}%`;
    const time =
      this.done >= this.total || this.done === before ? formatDuration(seconds) : `${formatDuration(left)} left`;
    const tail = [`${this.done}/${this.total}`, time, this.note].filter((part) => part !== "").join("  ");
    if (this.stream.isTTY !== true) {
      this.stream.write(printable(`${this.label}: ${percent}  ${tail}`) + "\n");
      return;
    }
    if (Progress.standing !== this) Progress.clear();
    const full = Math.round(fraction * BAR_CELLS);
    const bar = "█".repeat(full) + "░".repeat(BAR_CELLS - full);
    const line = printable(`${this.label} ${bar} ${percent.padStart(4)}  ${tail}`).slice(0, columnsOf(this.stream) - 1);
    this.stream.write("\r" + line.padEnd(this.lineLength));
    this.lineLength = line.length;
    Progress.standing = this;
  }
}
