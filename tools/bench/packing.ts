/** Packing 20 million synthetic weights: time, peak memory, and whether both grow in proportion. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { builtFile } from "../../host/node/paths.js";
import { rounded, type BenchOptions, type Figure, type Group } from "./figure.js";

/** Printed by pack-synthetic.js as its only line. */
export interface PackRun {
  readonly weights: number;
  readonly seconds: number;
  /** Of the container, or of the fast module's stream. */
  readonly bytes: number;
  /** Most memory the process ever held, model included. */
  readonly peakBytes: number;
  /** The same before packing began: Node, and one byte a weight. */
  readonly basePeakBytes: number;
}

const MILLIONS = [5, 10, 20];
/** The fastest of these counts: everything else on the machine only adds. */
const ROUNDS = 3;
/** Time per weight may grow by this factor from the smallest to the largest run and still count as linear: caches get too small. */
const LINEAR_FACTOR = 1.3;

export const packingGroup: Group = {
  name: "pack",
  summary: "packing 5, 10 and 20 million synthetic weights at 8 %, 5 bits",
  measure: measurePacking,
};

async function measurePacking({ note }: BenchOptions): Promise<Figure[]> {
  const runs: PackRun[] = [];
  for (const millions of MILLIONS) {
    note(`packing ${millions} million weights`);
    let best = await packSynthetic(millions * 1e6);
    for (let round = 1; round < ROUNDS; round++) {
      const run = await packSynthetic(millions * 1e6);
      if (run.seconds < best.seconds) best = run;
    }
    runs.push(best);
  }
  const [first, last] = [runs[0], runs[runs.length - 1]];
  const growth = last.seconds / last.weights / (first.seconds / first.weights);
  return [
    ...runs.flatMap((run): Figure[] => [
      {
        id: `pack.${run.weights / 1e6}m.seconds`,
        name: `pack ${run.weights / 1e6} million weights, time`,
        value: rounded(run.seconds),
        unit: "s",
      },
      {
        id: `pack.${run.weights / 1e6}m.mib`,
        name: `pack ${run.weights / 1e6} million weights, peak memory`,
        value: Math.round(run.peakBytes / 2 ** 20),
        unit: "MiB",
      },
    ]),
    {
      id: "pack.20m.before.mib",
      name: "pack 20 million weights, of that before packing",
      value: Math.round(last.basePeakBytes / 2 ** 20),
      unit: "MiB",
    },
    { id: "pack.20m.bytes", name: "pack 20 million weights, container", value: last.bytes, unit: "B" },
    {
      id: "pack.growth",
      name: "pack, time per weight, at 20 million : at 5 million",
      value: rounded(growth),
      unit: "",
      target: `linear: ≤ ${LINEAR_FACTOR}`,
      met: growth <= LINEAR_FACTOR,
    },
  ];
}

/** In a process of its own, so that its peak memory is its own. @param what number of weights, or a net by its name */
export async function packSynthetic(what: number | string, ...form: readonly "fast"[]): Promise<PackRun> {
  const script = builtFile("dist/tools/bench/pack-synthetic.js");
  const { stdout } = await promisify(execFile)(process.execPath, [script, String(what), ...form]);
  return JSON.parse(stdout) as PackRun;
}
