/** What `mote run` says of each sample: its best classes, or where a net tells no classes apart what its outputs are. */
import { reasonsToDoubt, topClasses, type Classification } from "../host/engines/classify.js";
import type { Engine, TensorInfo } from "../host/engines/engine.js";
import type { Elements } from "../host/model/elements.js";
import { valuesOf } from "../host/model/geometry.js";
import type { SampleSet } from "../host/data/data-set.js";
import type { Output } from "./output.js";

/** Without `--top` so many classes at most, and behind the first none of less than a hundredth. */
const USUAL_TOP = 3;
const LEAST_PROBABILITY = 0.01;
/** An output of no more elements is listed. */
const MAX_VALUES = 8;

export type Result = { readonly top: readonly Classification[] } | { readonly outputs: readonly OutputSummary[] };

/** Real numbers. */
interface OutputSummary {
  readonly name: string;
  readonly shape: readonly number[];
  readonly least: number;
  readonly mean: number;
  readonly most: number;
  /** Of an output of some elements. */
  readonly values?: readonly number[];
}

/** Whether the elements of the model's output are classes: they have labels, or are a single vector of several, but not of as many as the input has. */
export function tellsClasses({ input, outputs: [first, ...others] }: Engine): boolean {
  const [channels, height, width] = first.shape;
  const isVector = height * width === 1 && channels > 1 && channels !== valuesOf(input.shape);
  return first.labels !== undefined || (others.length === 0 && isVector);
}

/** @param logits that the engine has given just now */
export function resultOf(engine: Engine, logits: Elements, top: number | undefined): Result {
  if (!tellsClasses(engine)) {
    return { outputs: engine.outputs.map((info, index) => summarize(engine.result(index), info, index)) };
  }
  const best = topClasses(logits, top ?? USUAL_TOP, engine.output);
  const isLikely = ({ probability }: Classification, place: number): boolean =>
    place === 0 || probability >= LEAST_PROBABILITY;
  return { top: top === undefined ? best.filter(isLikely) : best };
}

function summarize(elements: Elements, { name, shape, scale, zeroPoint }: TensorInfo, index: number): OutputSummary {
  const values = Array.from(elements, (q) => scale * (q - zeroPoint));
  const sum = values.reduce((total, value) => total + value, 0);
  return {
    name: name ?? `output ${index}`,
    shape,
    least: values.reduce((a, b) => Math.min(a, b)),
    mean: sum / values.length,
    most: values.reduce((a, b) => Math.max(a, b)),
    ...(values.length > MAX_VALUES ? {} : { values }),
  };
}

type Names = readonly string[] | undefined;

export function describeResults(inputs: SampleSet, results: readonly Result[], names: Names): object[] {
  return results.map((result, i) => ({
    ...(inputs.names === undefined ? { index: i } : { file: inputs.names[i] }),
    ...("outputs" in result ? { outputs: result.outputs } : describeClasses(inputs, i, result.top, names)),
  }));
}

function describeClasses(inputs: SampleSet, index: number, top: readonly Classification[], names: Names): object {
  const described = top.map((one) => ({
    class: one.class,
    ...(names === undefined ? {} : { name: names[one.class] }),
    probability: Number(one.probability.toFixed(4)),
  }));
  const doubts = inputs.doubts?.[index];
  return {
    ...described[0],
    ...(top.length === 1 ? {} : { others: described.slice(1) }),
    ...(inputs.labels === undefined ? {} : { label: inputs.labels[index] }),
    ...(doubts === undefined ? {} : asUnsure(reasonsToDoubt(doubts, top[0]))),
  };
}

function asUnsure(reasons: readonly string[]): object {
  return reasons.length === 0 ? { unsure: false } : { unsure: true, reason: reasons.join(", ") };
}

export function printResults(inputs: SampleSet, results: readonly Result[], names: Names, output: Output): void {
  const nameOf = (index: number): string => names?.[index] ?? String(index);
  results.forEach((result, i) => {
    const name = inputs.names?.[i] ?? `${inputs.source} ${i}`;
    if ("outputs" in result) {
      for (const summary of result.outputs) output.lines([`${name}: ${describeOutput(summary)}`], 2);
      return;
    }
    const [first] = result.top;
    const label = inputs.labels?.[i];
    const wrong = label === undefined || label === first.class ? "" : `  wrong, it is ${nameOf(label)}`;
    const reasons = inputs.doubts === undefined ? [] : reasonsToDoubt(inputs.doubts[i], first);
    const unsure = reasons.length === 0 ? "" : `  unsure: ${reasons.join(", ")}`;
    const classes = result.top.map((one) => `${nameOf(one.class)}  ${(100 * one.probability).toFixed(1)} %`);
    output.lines([`${name}: ${classes.join(", ")}${unsure}${wrong}`], 2);
  });
}

function describeOutput({ name, shape, least, mean, most, values }: OutputSummary): string {
  const number = (value: number): string => String(Number(value.toPrecision(4)));
  if (values !== undefined) return `${name} ${values.map(number).join(", ")}`;
  const sizes = shape.filter((size, axis) => axis === 0 || size > 1).join(" × ");
  return `${name} [${sizes}]: ${number(least)} … ${number(most)}, mean ${number(mean)}`;
}
