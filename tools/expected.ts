/** `--expected`: what another runtime gave for the same samples, beside what the model gives. */
import { isZip } from "../host/data/file-kind.js";
import { readNpy, type NumberArray } from "../host/data/npy.js";
import { beginsStream, sampleEndedBy } from "../host/data/sequences.js";
import type { Engine } from "../host/engines/engine.js";
import { MoteError } from "../host/errors.js";
import type { ImportedNet, NetEnd, SoftmaxGroups, TensorScale } from "../host/import/net.js";
import { bitsOf, type Elements } from "../host/model/elements.js";
import type { NetSamples } from "../host/import/net-samples.js";
import { planarIndex } from "../host/import/view.js";
import { openNpz } from "../host/data/npz.js";
import { readFile } from "../host/node/read-file.js";
import { decibels, share } from "./error-table.js";
import { grouped } from "./model-file.js";
import type { Output } from "./output.js";

/** Of one output over all samples. */
export interface ExpectedResult {
  readonly name: string;
  readonly samples: number;
  readonly elements: number;
  /** Elements that are more than half a step away. */
  readonly differing: number;
  /** The largest difference, in steps of the output. */
  readonly largest: number;
  /** dB */
  readonly snr: number;
  /** Samples whose largest element is the same. */
  readonly sameTop: number;
}

/** A softmax without a scale of its own. */
const PROBABILITY_STEP = 1 / 256;

/**
 * Runs the samples, each stream of them from a reset on; of sequences the last step's outputs count.
 * @param net arranged
 * @param path .npy of a net with one output, or .npz with an array for each, [samples, …] as the other runtime gives them: real numbers, or the
 *   output's own int8, uint8 or int16
 * @throws MoteError FILE, FORMAT, MISMATCH
 */
export function compareExpected(
  net: ImportedNet,
  engine: Engine,
  path: string,
  runs: Pick<NetSamples, "count" | "perSample" | "perStream">,
  inputs: (index: number) => readonly Elements[],
): ExpectedResult[] {
  const arrays = readArrays(path, net.outputs);
  const tensors = [...new Set(net.outputs.map(({ tensor }) => tensor))].sort((a, b) => order(net, a) - order(net, b));
  const { count, perSample } = runs;
  const samples = count / perSample;
  const sides = net.outputs.map((end, index) => {
    const result = tensors.indexOf(end.tensor);
    return new Side(end, arrays[index], engine.outputs[result], result, samples);
  });
  for (let run = 0; run < count; run++) {
    if (beginsStream(run, runs)) engine.reset();
    engine.run(inputs(run));
    const sample = sampleEndedBy(run, runs);
    if (sample === undefined) continue;
    for (const side of sides) side.add(sample, engine.result(side.result));
  }
  return sides.map((side) => side.summary());
}

const order = ({ layers }: ImportedNet, tensor: number): number => layers.findIndex(({ output }) => output === tensor);

/** What both sides have of one output. */
class Side {
  readonly #size: number;
  readonly #place: (i: number) => number;
  readonly #expected: ArrayLike<number>;
  /** Of the expected elements, where these are integers. */
  readonly #integer: TensorScale | undefined;
  readonly #step: number;
  #samples = 0;
  #differing = 0;
  #largest = 0;
  #signal = 0;
  #noise = 0;
  #sameTop = 0;

  constructor(
    readonly end: NetEnd,
    array: NumberArray,
    readonly output: Engine["output"],
    /** Index of the model's output. */
    readonly result: number,
    samples: number,
  ) {
    const { shape } = output;
    this.#size = shape[0] * shape[1] * shape[2];
    this.#place = planarIndex(end.order, shape);
    this.#expected = array.values;
    const [count = 1] = array.shape;
    if (count < samples || array.values.length !== count * this.#size) {
      throw new MoteError(
        "MISMATCH",
        `--expected: output ${end.name} is [${array.shape.join(", ")}], expected [${samples}, ${end.dims.slice(1).join(", ")}], one for each sample`,
      );
    }
    const own = end.softmax === undefined ? output : end.softmax.quantization;
    const integers = bitsOf(output) === 16 ? ["int16"] : ["int8", "uint8"];
    if (integers.includes(array.type)) {
      if (own === undefined) {
        throw new MoteError("MISMATCH", `--expected: output ${end.name} has integers, expected real numbers`);
      }
      const bias = array.type === "uint8" ? 128 : 0;
      this.#integer = { scale: own.scale, zeroPoint: own.zeroPoint + bias };
    }
    this.#step = own?.scale ?? PROBABILITY_STEP;
  }

  add(sample: number, elements: Elements): void {
    const { scale, zeroPoint } = this.output;
    const reals = Float64Array.from(elements, (_, i) => scale * (elements[this.#place(i)] - zeroPoint));
    const found = this.end.softmax === undefined ? reals : softmax(reals, this.end.softmax);
    const expected = Float64Array.from(found, (_, i) => {
      const value = this.#expected[sample * this.#size + i];
      return this.#integer === undefined ? value : this.#integer.scale * (value - this.#integer.zeroPoint);
    });
    found.forEach((value, i) => {
      const difference = Math.abs(value - expected[i]);
      // The scales are products of floats: a step is one to six digits.
      const steps = Math.round((1e6 * difference) / this.#step) / 1e6;
      this.#signal += expected[i] ** 2;
      this.#noise += difference ** 2;
      if (!(steps <= 0.5)) this.#differing++;
      if (!(steps <= this.#largest)) this.#largest = steps;
    });
    if (expected[found.indexOf(Math.max(...found))] === Math.max(...expected)) this.#sameTop++;
    this.#samples++;
  }

  summary(): ExpectedResult {
    return {
      name: this.end.name,
      samples: this.#samples,
      elements: this.#samples * this.#size,
      differing: this.#differing,
      largest: this.#largest,
      snr: this.#noise === 0 ? Infinity : 10 * Math.log10(this.#signal / this.#noise),
      sameTop: this.#sameTop,
    };
  }
}

/** @param values in the file's order */
export function softmax(values: Float64Array, { size, pitch }: SoftmaxGroups): Float64Array {
  const [most, sums] = [new Map<number, number>(), new Map<number, number>()];
  const groupOf = (i: number): number => Math.floor(i / (size * pitch)) * pitch + (i % pitch);
  values.forEach((value, i) => most.set(groupOf(i), Math.max(value, most.get(groupOf(i)) ?? -Infinity)));
  const powers = values.map((value, i) => Math.exp(value - most.get(groupOf(i))!));
  powers.forEach((power, i) => sums.set(groupOf(i), power + (sums.get(groupOf(i)) ?? 0)));
  return powers.map((power, i) => power / sums.get(groupOf(i))!);
}

/** One for each output, by its name, or in order where the archive has as many and none is named so. */
function readArrays(path: string, outputs: readonly NetEnd[]): NumberArray[] {
  const names = outputs.map(({ name }) => name);
  if (new Set(names).size !== names.length) {
    throw new MoteError("UNSUPPORTED", "--expected: the net puts its output together of several of the model's");
  }
  const file = readFile(path);
  if (!isZip(file)) {
    if (outputs.length === 1) return [readNpy(file, path)];
    throw new MoteError("MISMATCH", `${path}: one array, expected an .npz with ${names.join(", ")}`);
  }
  const npz = openNpz(file, path);
  if (names.every((name) => npz.names.includes(name))) return names.map((name) => npz.array(name));
  if (npz.names.length === names.length) return npz.names.map((name) => npz.array(name));
  throw new MoteError("MISMATCH", `${path}: arrays ${npz.names.join(", ")}, expected ${names.join(", ")}`);
}

export function printExpected(results: readonly ExpectedResult[], output: Output): void {
  output.line();
  output.line("Beside the expected outputs:");
  output.table([
    ["output", "elements", "differ, %", "most, steps", "SNR, dB", "same first, %"],
    ...results.map(({ name, samples, elements, differing, largest, snr, sameTop }) => [
      name,
      grouped(elements),
      share(differing, elements),
      String(Number(largest.toFixed(2))),
      decibels(snr),
      ((100 * sameTop) / samples).toFixed(2),
    ]),
  ]);
}
