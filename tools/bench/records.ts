/**
 * The smallest nets of each error: whole running files below a number of bytes, from recipes/records/, beside what others have published. A record is the
 * mean over the seeds that are there: NAME.mote, NAME-2.mote, NAME-3.mote and so on, one for each seed of its recipe.
 */
import { existsSync } from "node:fs";
import { spreadOf } from "../../host/sweep/summary.js";
import type { DataSet } from "../../host/data/data-set.js";
import { loadData } from "../../host/node/data/load.js";
import { builtFile } from "../../host/node/paths.js";
import { readFile } from "../../host/node/read-file.js";
import { atMost, rounded, type BenchOptions, type Figure, type Group } from "./figure.js";
import { testError } from "./test-error.js";

/** Test error in percent, by who has it and in how many bytes. */
type Published = Readonly<Record<string, number>>;

interface RecordFigure {
  /** Of figures: `records.ID`; and of files, with a dash for the dot. */
  readonly id: string;
  readonly what: string;
  readonly bytes: number;
  /** Percent, mean of the seeds; absent: there is no target. */
  readonly error?: number;
  readonly beside: Published;
}

/** Havasi, Peharz and Hernández-Lobato 2019, "Minimal random code learning": LeNet-5. */
const MIRACLE: Published = { "MIRACLE, 1,520 B": 0.96, "MIRACLE, 3,030 B": 0.69 };
/** Oktay et al. 2020, "Scalable model compression by entropy penalized reparameterization": LeNet-300-100. */
const EPR: Published = { "EPR, 8,560 B": 1.9 };
/** The standardised DeepCABAC, ISO/IEC 15938-17, on the weights of models/lenet5.mote alone; without what else a net is. */
const NNCODEC: Published = { "NNCodec of lenet5.mote's weights alone, 2,671 B": 0.56 };
/** cpldcpu/BitNetMCU, 16 × 16 pixels, code and weights. */
const BITNET: Published = {
  "BitNetMCU, 3.2 kB": 1.08,
  "5.4 kB": 0.94,
  "7.3 kB": 0.72,
  "9.3 kB": 0.56,
  "11.0 kB": 0.45,
  "13.0 kB": 0.42,
};
/** JoshWarn/Parameter-Efficient-MNIST, as float32. */
const PARAMETERS: Published = { "Parameter-Efficient-MNIST, 697 parameters, 2,788 B": 0.97 };

const RECORDS: readonly RecordFigure[] = [
  { id: "lenet5.1000", what: "LeNet-5", bytes: 1000, error: 0.95, beside: MIRACLE },
  { id: "lenet5.1500", what: "LeNet-5", bytes: 1500, error: 0.78, beside: MIRACLE },
  { id: "lenet5.2600", what: "LeNet-5", bytes: 2600, error: 0.55, beside: { ...MIRACLE, ...NNCODEC } },
  { id: "lenet300.1900", what: "LeNet-300-100", bytes: 1900, error: 1.58, beside: EPR },
  { id: "mnist.500", what: "any net of 28 × 28 pixels", bytes: 500, error: 1.2, beside: PARAMETERS },
  { id: "mnist.1000", what: "any net of 28 × 28 pixels", bytes: 1000, error: 0.8, beside: PARAMETERS },
  { id: "mnist.8000", what: "any net of 28 × 28 pixels", bytes: 8000, beside: BITNET },
  { id: "mnist.12000", what: "any net of 28 × 28 pixels", bytes: 12_000, error: 0.42, beside: BITNET },
];

/** Seeds of a record, at most. */
const MOST_SEEDS = 16;

/** @param folder of the models @param digits to test by */
export async function measureRecords(folder: string, digits: DataSet, note: BenchOptions["note"]): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { id, what, bytes, error, beside } of RECORDS) {
    const name = id.replace(".", "-");
    const paths = Array.from({ length: MOST_SEEDS }, (_, i) => `${folder}/${name}${i === 0 ? "" : `-${i + 1}`}.mote`);
    const models = paths.filter((path) => existsSync(path)).map((path) => readFile(path));
    if (models.length === 0) {
      note(`${id}: no figures, since ${name}.mote is not there`);
      continue;
    }
    note(id);
    const errors: number[] = [];
    for (const model of models) errors.push(await testError(model, digits));
    const { mean, deviation } = spreadOf(errors);
    const seeds = models.length === 1 ? "one seed" : `mean of ${models.length} seeds, ± ${rounded(deviation, 2)}`;
    const largest = Math.max(...models.map(({ length }) => length));
    figures.push(
      atMost(
        `records.${id}.bytes`,
        `${what}: bytes${models.length > 1 ? ", of the largest" : ""}`,
        largest,
        "B",
        bytes,
      ),
      {
        ...atMost(
          `records.${id}`,
          `${what}, at most ${bytes.toLocaleString("en")} B: test error, ${seeds}`,
          rounded(mean, 4),
          "%",
          error,
        ),
        beside,
      },
    );
  }
  return figures;
}

export const recordsGroup: Group = {
  name: "records",
  summary: "the smallest running files of each test error, beside what others have published",
  measure: ({ note }) =>
    measureRecords(builtFile("recipes/records"), loadData("mnist:test", { shape: [1, 28, 28] }), note),
};
