/** `mote evaluate`: a model on labelled samples: accuracy, what is taken for what, the worst mistakes. */
import { Command, InvalidArgumentError } from "commander";
import type { Classification } from "../host/engines/classify.js";
import type { EngineName } from "../host/engines/engine.js";
import { confusionMatrix, evaluate, type Evaluation, type Mistake } from "../host/engines/evaluate.js";
import { robustness, type DistortionError } from "../host/engines/robustness.js";
import { MoteError } from "../host/errors.js";
import { bitsOf, type ElementBits } from "../host/model/elements.js";
import { loadData } from "../host/node/data/load.js";
import { Progress } from "../host/node/progress.js";
import {
  addDataFlags,
  dataOptions,
  labelled,
  stepsOption,
  type DataFlags,
  type LabelledSet,
  type StepsFlag,
} from "./data-flags.js";
import { floatEvaluator, type FloatEvaluation } from "./evaluate-float.js";
import { parseShape, type Shapes } from "./inspect-graph.js";
import { engineOption, fastestFor, grouped, openModel } from "./model-file.js";
import { Output } from "./output.js";

interface EvaluateFlags extends DataFlags, StepsFlag {
  readonly engine?: EngineName;
  readonly worst: number;
  readonly distort?: true;
  readonly float?: string;
  readonly shape?: Shapes;
  readonly json?: boolean;
}

/** A larger matrix is no table: its largest entries are listed. */
const MAX_TABLE_CLASSES = 20;
const LISTED_CONFUSIONS = 10;
/** With more classes JSON has the pairs that occur alone. */
const MAX_MATRIX_CLASSES = 256;

export function evaluateCommand(): Command {
  const command = new Command("evaluate")
    .description("measure a model on labelled samples: accuracy, confusion matrix, worst mistakes")
    .argument("<model>", ".mote, or .wasm made by mote pack");
  return addDataFlags(command)
    .addOption(engineOption("simd, or v8 for a fast module and where there is no SIMD128"))
    .option(
      "--float <net>",
      "the net of real numbers that the model was made of, .onnx or .tflite, on the same samples",
    )
    .option(
      "--shape <name=sizes>",
      "sizes of an input that this net leaves open, such as image=1,3,224,224",
      parseShape,
    )
    .addOption(stepsOption())
    .option("--worst <n>", "how many of the worst mistakes to list", parseCount, 10)
    .option("--distort", "measure on the pictures moved, turned, noisy and lit otherwise, too")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nExamples:\n  mote evaluate models/lenet5.mote --data mnist:test\n" +
        "  mote evaluate model.mote --data test.npz --labels y.npy --float model.onnx",
    )
    .action(run);
}

async function run(path: string, flags: EvaluateFlags): Promise<void> {
  if (flags.data === undefined) throw new MoteError("ARGUMENT", "expected --data, samples to evaluate the model on");
  const output = new Output(flags);
  const { engine } = openModel(path, flags.engine ?? fastestFor(path), {});
  try {
    const { steps = 1 } = flags;
    const set = labelled(loadData(flags.data, dataOptions(flags, engine)), "--labels");
    const progress = new Progress("evaluate", set.count);
    const beside = flags.float === undefined ? undefined : floatEvaluator(flags.float, flags.shape, engine, set, steps);
    const onSample = (index: number, result: Classification): void => {
      beside?.add(index, result);
      progress.update(index + 1);
    };
    const evaluation = await evaluate(engine, set, { worst: flags.worst, onSample, steps });
    progress.finish();
    const float = beside?.result();
    const names = engine.output.labels ?? set.classes;
    const distorted = flags.distort === undefined ? undefined : await robustness(engine, set, { steps });
    print(path, set, evaluation, float, names, output, bitsOf(engine.input));
    if (distorted !== undefined) printDistorted(distorted, output);
    output.json(() => ({
      ...summary(path, engine.name, set, evaluation, float, names),
      ...(distorted && { distorted }),
    }));
  } finally {
    engine.close();
  }
}

function print(
  path: string,
  set: LabelledSet,
  { tally, errors, inTop5, classes, confusion, worst }: Evaluation,
  float: FloatEvaluation | undefined,
  names: readonly string[] | undefined,
  output: Output,
  bits: ElementBits,
): void {
  const nameOf = (index: number): string => names?.[index] ?? String(index);
  output.pairs([
    ["model", path],
    ["samples", `${grouped(set.count)} (${set.source})`],
    ["accuracy", `${percent(tally.samples - errors, tally.samples)} % (${grouped(errors)} wrong)`],
    ...(inTop5 === undefined ? [] : [["among five", `${percent(inTop5, tally.samples)} %`] as const]),
  ]);
  if (float !== undefined) printFloat({ tally, errors, inTop5 }, float, output, bits);
  output.line();
  if (classes <= MAX_TABLE_CLASSES) {
    const matrix = confusionMatrix({ classes, confusion });
    output.lines(["How many samples of each label (down) are taken for each class (across):"], 0);
    output.table([
      ["", ...matrix.map((_, index) => nameOf(index)), "right, %"],
      ...matrix.map((row, label) => {
        const total = row.reduce((sum, count) => sum + count, 0);
        const cells = row.map((count) => (count === 0 ? "·" : grouped(count)));
        return [nameOf(label), ...cells, total === 0 ? "" : percent(row[label], total)];
      }),
    ]);
  } else if (errors > 0) {
    output.lines(["What is taken for what most often:"], 0);
    output.table(
      [
        ["label", "class", "samples"],
        ...confusion
          .filter((pair) => pair.class !== pair.label)
          .toSorted((a, b) => b.samples - a.samples)
          .slice(0, LISTED_CONFUSIONS)
          .map((pair) => [nameOf(pair.label), nameOf(pair.class), grouped(pair.samples)]),
      ],
      [0, 1],
    );
  }
  if (worst.length === 0) return;
  output.line();
  output.lines(["The worst mistakes, those whose label has the least probability:"], 0);
  output.table(
    [
      ["sample", "label", "class", "probability, %", "of the label, %"],
      ...worst.map((mistake) => [
        set.names?.[mistake.index] ?? String(mistake.index),
        nameOf(mistake.label),
        nameOf(mistake.class),
        percent(mistake.probability, 1),
        percent(mistake.labelProbability, 1),
      ]),
    ],
    [0, 1, 2],
  );
}

function printDistorted(errors: readonly DistortionError[], output: Output): void {
  output.line();
  output.lines(["Distorted pictures:"], 0);
  const rows = errors.map(({ name, samples, errorPercent }) => [name, grouped(samples), errorPercent.toFixed(2)]);
  output.table([["", "samples", "error, %"], ...rows]);
}

function printFloat(
  { tally: { samples }, errors, inTop5 }: Pick<Evaluation, "tally" | "errors" | "inTop5">,
  float: FloatEvaluation,
  output: Output,
  bits: ElementBits,
): void {
  output.line();
  output.lines([`Beside the net of real numbers, ${float.net}:`], 0);
  output.table([
    ["", `int${bits}`, "float"],
    ["accuracy, %", percent(samples - errors, samples), percent(samples - float.errors, samples)],
    ...(inTop5 === undefined || float.inTop5 === undefined
      ? []
      : [["among five, %", percent(inTop5, samples), percent(float.inTop5, samples)]]),
    ["right alone, samples", grouped(float.modelAlone), grouped(float.netAlone)],
  ]);
  output.line(`The same class for ${percent(float.agreeing, samples)} % of the samples.`);
}

function summary(
  path: string,
  engine: EngineName,
  set: LabelledSet,
  { tally, errors, inTop5, classes, confusion, worst }: Evaluation,
  float: FloatEvaluation | undefined,
  names: readonly string[] | undefined,
): object {
  const part = (count: number): number => Number(percent(count, tally.samples, 4));
  const describe = ({ index, probability, labelProbability, ...mistake }: Mistake): object => ({
    index,
    ...(set.names === undefined ? {} : { file: set.names[index] }),
    ...mistake,
    probability: Number(probability.toFixed(4)),
    labelProbability: Number(labelProbability.toFixed(4)),
  });
  return {
    model: path,
    engine,
    source: set.source,
    samples: tally.samples,
    errors,
    accuracyPercent: part(tally.samples - errors),
    top5Percent: inTop5 === undefined ? null : part(inTop5),
    ...(float === undefined
      ? {}
      : {
          float: {
            net: float.net,
            errors: float.errors,
            accuracyPercent: part(tally.samples - float.errors),
            top5Percent: float.inTop5 === undefined ? null : part(float.inTop5),
            agreementPercent: part(float.agreeing),
            rightAlone: { int8: float.modelAlone, float: float.netAlone },
          },
        }),
    classes: names ?? null,
    ...(classes <= MAX_MATRIX_CLASSES
      ? { confusion: confusionMatrix({ classes, confusion }) }
      : { confusion: null, confusionPairs: confusion }),
    worst: worst.map(describe),
  };
}

function percent(part: number, whole: number, digits = 2): string {
  return ((100 * part) / whole).toFixed(digits);
}

function parseCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(count < 2 ** 31)) throw new InvalidArgumentError("expected a whole number from 0 on.");
  return count;
}
