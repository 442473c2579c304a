/** bench/device.json: the figures the boards had, against which new ones are held. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MoteError } from "../../errors.js";
import { packageRoot } from "../paths.js";
import { writeFileAtomic } from "../write-file.js";
import { caseName, type Measurement } from "./measure.js";

const BASELINE_FILE = join("bench", "device.json");
/** How much worse a figure may be: compilers differ a little between Debian's versions. */
const TOLERANCE = 0.02;

/** Which figures are held, by their names in messages. */
const FIGURES: readonly (readonly [string, (m: Measurement) => number])[] = [
  ["instructions", (m) => m.instructions],
  ["openInstructions", (m) => m.openInstructions],
  ["longestSlice", (m) => m.longestSlice],
  ["sramBytes.linear", (m) => m.sramBytes.linear],
  ["sramBytes.total", (m) => m.sramBytes.total],
  ["flashBytes.total", (m) => m.flashBytes.total],
];

interface Baseline {
  readonly command: string;
  /** First lines of `--version`. */
  readonly versions: Readonly<Record<string, string>>;
  readonly measurements: readonly Measurement[];
}

const UPDATE = "npm run firmware -- --update";

export function readBaseline(path: string = join(packageRoot, BASELINE_FILE)): readonly Measurement[] {
  try {
    return (JSON.parse(readFileSync(path, "utf8")) as Baseline).measurements;
  } catch (error) {
    throw new MoteError("FILE", `${BASELINE_FILE} cannot be read; make it anew with: ${UPDATE}`, { cause: error });
  }
}

/** Replaces the measurements of the same cases; others stay. */
export function writeBaseline(
  fresh: readonly Measurement[],
  versions: Readonly<Record<string, string>>,
  old: readonly Measurement[] = [],
): void {
  const keep = old.filter((was) => !fresh.some((now) => caseName(was) === caseName(now)));
  const measurements = [...keep, ...fresh].sort((a, b) => caseName(a).localeCompare(caseName(b)));
  const baseline: Baseline = { command: UPDATE, versions, measurements };
  writeFileAtomic(join(packageRoot, BASELINE_FILE), JSON.stringify(baseline, undefined, 2) + "\n");
}

/** @returns a line for each figure that is more than TOLERANCE worse than before, or that has no before */
export function regressions(now: Measurement, baseline: readonly Measurement[]): string[] {
  const was = baseline.find((candidate) => caseName(candidate) === caseName(now));
  if (was === undefined) return [`${caseName(now)}: not in ${BASELINE_FILE}; take it in with: ${UPDATE}`];
  return FIGURES.filter(([, figure]) => figure(now) > figure(was) * (1 + TOLERANCE)).map(([name, figure]) => {
    const percent = ((figure(now) / figure(was) - 1) * 100).toFixed(1);
    return `${caseName(now)}: ${name} ${figure(was)} → ${figure(now)} (+${percent} %); if that is meant: ${UPDATE}`;
  });
}
