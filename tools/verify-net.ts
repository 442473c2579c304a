/** `mote verify NET MODEL`: a model beside the net of another format that it was made of, layer by layer. */
import { readContainer } from "../host/container/read.js";
import { ONE_STREAM } from "../host/data/sequences.js";
import { inputElements, type Engine, type EngineOptions } from "../host/engines/engine.js";
import { MoteError } from "../host/errors.js";
import type { Optimization } from "../host/fast/optimization.js";
import { arrange } from "../host/import/arrange.js";
import {
  compareIntegers,
  compareReals,
  type ComparedRuns,
  type ComparedSample,
  type Comparison,
} from "../host/import/layer-errors.js";
import { matchModel, modelScales } from "../host/import/model-scales.js";
import type { ImportedNet } from "../host/import/net.js";
import { fillRandom, type Elements } from "../host/model/elements.js";
import { Progress } from "../host/node/progress.js";
import { readFile } from "../host/node/read-file.js";
import { Random } from "../host/rng.js";
import { nextTurn } from "../host/turn.js";
import type { DataFlags, StepsFlag } from "./data-flags.js";
import { comparisonJson, decibels, describePlace, printLayerErrors } from "./error-table.js";
import { compareExpected, printExpected, type ExpectedResult } from "./expected.js";
import type { Shapes } from "./inspect-graph.js";
import {
  containerOf,
  countedInputs,
  fastestFor,
  grouped,
  inputsJson,
  namingFile,
  openModel,
  optimizedModel,
} from "./model-file.js";
import { comparedSamples, dequantized } from "../host/import/net-samples.js";
import { loadNet, loadSamples } from "./net-samples.js";
import type { Output } from "./output.js";

export interface VerifyNetFlags extends DataFlags, StepsFlag {
  readonly random?: number;
  readonly seed: number;
  readonly optimize: Optimization;
  readonly shape?: Shapes;
  readonly expected?: string;
  readonly tolerance: number;
  readonly snr: number;
}

/** Random inputs where nothing says how many: the oracle works in plain loops. */
const DEFAULT_RANDOM = 16;

interface SampleSource extends ComparedRuns<ComparedSample> {
  readonly source: string;
}

/** @throws MoteError MISMATCH where the model is of another net, or differs by more than the flags allow */
export async function verifyNet(
  netPath: string,
  modelPath: string,
  flags: VerifyNetFlags,
  options: EngineOptions,
  output: Output,
): Promise<void> {
  const net = namingFile(netPath, () => arrange(loadNet(netPath, undefined, flags.shape)));
  const fast = await optimizedModel(modelPath, flags.optimize);
  const asDevice = fast !== undefined || options.memoryLimit !== undefined;
  const { engine } = openModel(modelPath, asDevice ? "v8" : fastestFor(modelPath), options, fast);
  try {
    const { model } = namingFile(modelPath, () => readContainer(containerOf(readFile(modelPath))));
    namingFile(modelPath, () => matchModel(net, model));
    if (flags.expected !== undefined && flags.data === undefined) {
      throw new MoteError("ARGUMENT", "--expected: expected --data, the samples that these are the outputs of");
    }
    const samples =
      flags.data === undefined ? randomSamples(engine, flags) : dataSamples(engine, net, flags.data, flags);
    const progress = new Progress("verify", samples.count);
    const report = async (done: number): Promise<void> => {
      progress.update(done);
      await nextTurn(); // so that Ctrl-C is heard
    };
    const integers = (index: number): readonly Elements[] => samples.sample(index).integers;
    const comparison = net.isQuantized
      ? await compareIntegers(net, engine, { ...samples, sample: integers }, report)
      : await compareReals(net, modelScales(net, model), engine, samples, report);
    progress.finish();
    const expected =
      flags.expected === undefined ? undefined : compareExpected(net, engine, flags.expected, samples, integers);
    const inputs = `${countedInputs(samples)} (${samples.source})`;
    const how = net.isQuantized ? "in its own arithmetic, each layer by itself" : "in real numbers";
    output.lines([`${modelPath} beside ${netPath}, ${how}: ${inputs}`], 2);
    output.line();
    printLayerErrors(comparison.layers, !net.isQuantized, output);
    output.line();
    output.lines(net.isQuantized ? integerVerdict(net, comparison) : realVerdict(net, comparison), 0);
    if (expected !== undefined) printExpected(expected, output);
    const failure = failureOf(net, comparison, expected, flags);
    output.json(() => ({
      net: netPath,
      model: modelPath,
      isQuantized: net.isQuantized,
      ...inputsJson(samples),
      source: samples.source,
      ...comparisonJson(comparison),
      expected: expected ?? null,
      passed: failure === undefined,
    }));
    if (failure !== undefined) throw new MoteError("MISMATCH", `${modelPath}: ${failure}`);
  } finally {
    engine.close();
  }
}

function integerVerdict(net: ImportedNet, { layers, outputs }: Comparison): string[] {
  const shapeOf = (layer: number) => net.tensors[net.layers[layer].output].shape;
  const first = layers.find(({ place }) => place !== undefined);
  if (first === undefined) return ["Equal: every element of every layer is what the net's own arithmetic gives."];
  const [elements, differing] = (["elements", "differing"] as const).map((key) =>
    outputs.reduce((sum, error) => sum + error[key], 0),
  );
  const most = Math.max(...outputs.map(({ largest }) => largest));
  return [
    `First difference: layer ${first.layer}, ${first.name}, ${describePlace(first.place!, shapeOf(first.layer))}.`,
    differing === 0
      ? `Of whole runs all ${grouped(elements)} outputs are equal.`
      : `Of whole runs ${grouped(differing)} of ${grouped(elements)} outputs differ, by ${most} at most.`,
  ];
}

function realVerdict(net: ImportedNet, { layers, outputs }: Comparison): string[] {
  const worst = layers.reduce((least, error) => (error.snr < least.snr ? error : least));
  const shape = net.tensors[net.layers[worst.layer].output].shape;
  const where = worst.place === undefined ? "" : `; most at ${describePlace(worst.place, shape)}`;
  return [
    `Least exact: layer ${worst.layer}, ${worst.name}, ${decibels(worst.snr)} dB${where}.`,
    `Outputs: ${outputs.map(({ snr }, index) => `${net.outputs[index].name} ${decibels(snr)} dB`).join(", ")}.`,
  ];
}

/** What is beyond what the flags allow, in words. */
function failureOf(
  net: ImportedNet,
  { layers, outputs }: Comparison,
  expected: readonly ExpectedResult[] | undefined,
  { tolerance, snr: leastSnr }: VerifyNetFlags,
): string | undefined {
  if (!net.isQuantized) {
    const index = [...outputs, ...(expected ?? [])].findIndex(({ snr }) => !(snr >= leastSnr));
    if (index < 0) return undefined;
    const { name } = net.outputs[index % outputs.length];
    const beside = index < outputs.length ? "the net's" : "the expected one";
    const { snr } = index < outputs.length ? outputs[index] : expected![index - outputs.length];
    return `output ${name} is ${decibels(snr)} dB beside ${beside}, expected ${leastSnr} or more`;
  }
  const wrong = layers.find(({ largest }) => largest > tolerance);
  if (wrong !== undefined) {
    const shape = net.tensors[net.layers[wrong.layer].output].shape;
    const place = wrong.beyond ?? wrong.place!;
    return `layer ${wrong.layer}, ${wrong.name}, differs by ${wrong.largest} from the net's own arithmetic, first at ${describePlace(place, shape)}`;
  }
  const far = expected?.find(({ largest }) => largest > tolerance);
  if (far === undefined) return undefined;
  return `output ${far.name} differs by ${Number(far.largest.toFixed(2))} steps from the expected one, ${tolerance} allowed`;
}

/** Of the model's integers, for the net as the real numbers that they stand for. */
function randomSamples(engine: Engine, { random = DEFAULT_RANDOM, seed, steps }: VerifyNetFlags): SampleSource {
  const sample = (index: number): ComparedSample => {
    const generator = new Random(seed, index);
    const integers = inputElements(engine);
    for (const elements of integers) fillRandom(elements, generator);
    return { integers, reals: dequantized(engine.inputs, integers) };
  };
  return { ...ONE_STREAM, ...(steps && { perStream: steps }), count: random, source: `random, seed ${seed}`, sample };
}

function dataSamples(engine: Engine, net: ImportedNet, spec: string, flags: VerifyNetFlags): SampleSource {
  const samples = loadSamples(spec, net, flags);
  return { ...samples, sample: comparedSamples(samples, net, engine) };
}
