/** How far an integer model is from the net that it was made of, layer by layer: from its real numbers, or from its own arithmetic where it is quantized. */
import { beginsStream, placeOfRun, type RunPlace, type Streams } from "../data/sequences.js";
import type { Engine } from "../engines/engine.js";
import { freshFloatStates, runFloat, type Convolve } from "./float-run.js";
import { elementRange, elementsFor, wide, type Elements } from "../model/elements.js";
import { valuesOf } from "../model/geometry.js";
import { activationBitsOf, type ImportedNet, type TensorScale } from "./net.js";
import { oracleLayer } from "./oracle.js";

/** An element that is not what was expected, as integers. */
export interface Place extends RunPlace {
  /** Index into the tensor, [C, H, W]. */
  readonly element: number;
  /** Of a net of real numbers with a fraction. */
  readonly expected: number;
  readonly found: number;
}

/** Of all samples. */
export interface TensorError {
  readonly elements: number;
  /** Elements that are another integer than expected. */
  readonly differing: number;
  /** In steps of the tensor's integers. */
  readonly largest: number;
  /** The first place of a difference; beside real numbers that of the largest. */
  readonly place: Place | undefined;
  /** The first that differs by more than a step. */
  readonly beyond: Place | undefined;
  /** Energy of what was expected over that of the difference, dB: Infinity where nothing differs. */
  readonly snr: number;
}

export interface LayerError extends TensorError {
  readonly layer: number;
  /** The node's in the file. */
  readonly name: string;
  readonly op: string;
}

export interface Comparison {
  readonly layers: readonly LayerError[];
  /** Of whole runs, in the order of the net's outputs. */
  readonly outputs: readonly TensorError[];
}

/** Elements of all inputs of a sample, [C, H, W] each, as the net of real numbers has them and as the model has. */
export interface ComparedSample {
  readonly reals: readonly Float32Array[];
  readonly integers: readonly Elements[];
}

/** What a net and its model are run on. */
export interface ComparedRuns<Sample> extends Streams {
  readonly count: number;
  /** Of each run below `count`. */
  readonly sample: (index: number) => Sample;
}

/** Takes what a tensor should hold and what it does, run by run. */
export class ErrorTally {
  #elements = 0;
  #differing = 0;
  #largest = 0;
  #place: Place | undefined;
  #beyond: Place | undefined;
  #signal = 0;
  #noise = 0;

  constructor(readonly scale: TensorScale) {}

  addIntegers(run: RunPlace, expected: Elements, found: Elements): void {
    this.#elements += expected.length;
    for (let element = 0; element < expected.length; element++) {
      const centred = expected[element] - this.scale.zeroPoint;
      this.#signal += centred * centred;
      if (expected[element] === found[element]) continue;
      const steps = Math.abs(expected[element] - found[element]);
      const place = { ...run, element, expected: expected[element], found: found[element] };
      this.#differing++;
      this.#noise += steps * steps;
      this.#place ??= place;
      if (steps > 1) this.#beyond ??= place;
      this.#largest = Math.max(this.#largest, steps);
    }
  }

  addReals(run: RunPlace, expected: ArrayLike<number>, found: Elements): void {
    const { scale, zeroPoint } = this.scale;
    const [least, most] = elementRange(wide(found instanceof Int16Array ? 16 : 8));
    this.#elements += expected.length;
    for (let element = 0; element < expected.length; element++) {
      const exact = expected[element] / scale;
      const error = exact - (found[element] - zeroPoint);
      const steps = Math.abs(error);
      this.#signal += exact * exact;
      this.#noise += error * error;
      if (steps > 0.5 && Math.min(most, Math.max(least, Math.round(exact) + zeroPoint)) !== found[element]) {
        this.#differing++;
      }
      if (steps <= this.#largest) continue;
      this.#largest = steps;
      this.#place = { ...run, element, expected: exact + zeroPoint, found: found[element] };
    }
  }

  error(): TensorError {
    return {
      elements: this.#elements,
      differing: this.#differing,
      largest: this.#largest,
      place: this.#place,
      beyond: this.#beyond,
      snr: this.#noise === 0 ? Infinity : 10 * Math.log10(this.#signal / this.#noise),
    };
  }
}

/**
 * Whole runs: a layer's error is what came of those before it, and its own.
 * @param net of real numbers, arranged
 * @param scales of the model's tensors, in its order: inputs, then states, then outputs of layers
 * @param engine with the model that was made of the net open
 * @param convolve how the net's convolutions are worked out; default: in plain loops
 */
export async function compareReals(
  net: ImportedNet,
  scales: readonly TensorScale[],
  engine: Engine,
  runs: ComparedRuns<ComparedSample>,
  report: (done: number) => Promise<void>,
  convolve?: Convolve,
): Promise<Comparison> {
  const tallies = scales.slice(net.inputs.length + net.states.length).map((scale) => new ErrorTally(scale));
  const layerOf = new Map(net.layers.map(({ output }, layer) => [output, layer]));
  let states = freshFloatStates(net);
  for (let index = 0; index < runs.count; index++) {
    if (beginsStream(index, runs)) {
      states = freshFloatStates(net);
      engine.reset();
    }
    const { reals, integers } = runs.sample(index);
    const place = placeOfRun(index, runs);
    const found: Elements[] = [];
    engine.run(integers, (layer, elements) => (found[layer] = elements));
    const add = (tensor: number, expected: Float32Array): void => {
      const layer = layerOf.get(tensor);
      if (layer !== undefined) tallies[layer].addReals(place, expected, found[layer]);
    };
    runFloat(net, reals, add, convolve, states);
    await report(index + 1);
  }
  return {
    layers: layerErrors(net, tallies),
    outputs: net.outputs.map(({ tensor }) => tallies[layerOf.get(tensor)!].error()),
  };
}

/**
 * Each layer of a quantized net by itself: the oracle gets what the layers before gave in the model, so that a difference is the layer's own. Outputs
 * are those of whole runs.
 * @param net quantized and arranged
 * @param report called after each run, also with the outputs of whole runs, expected and found
 */
export async function compareIntegers(
  net: ImportedNet,
  engine: Engine,
  runs: ComparedRuns<readonly Elements[]>,
  report: (done: number, expected: readonly Elements[], found: readonly Elements[]) => Promise<void>,
): Promise<Comparison> {
  const tallyOf = (tensor: number): ErrorTally => new ErrorTally(net.tensors[tensor].quantization!);
  const tallies = net.layers.map(({ output }) => tallyOf(output));
  const ends = net.outputs.map(({ tensor }) => tallyOf(tensor));
  // What states hold in the model, and in whole runs of the oracle.
  const fresh = net.states.map(({ tensor }): readonly [number, Elements] => {
    const { shape, quantization } = net.tensors[tensor];
    return [tensor, elementsFor(wide(activationBitsOf(net)), valuesOf(shape)).fill(quantization!.zeroPoint)];
  });
  let held = fresh;
  let wholeHeld = fresh;
  for (let index = 0; index < runs.count; index++) {
    if (beginsStream(index, runs)) {
      [held, wholeHeld] = [fresh, fresh];
      engine.reset();
    }
    const inputs = runs.sample(index);
    const place = placeOfRun(index, runs);
    const layers: Elements[] = [];
    engine.run(inputs, (layer, elements) => (layers[layer] = elements));
    const found = new Map([...held, ...net.layers.map(({ output }, layer) => [output, layers[layer]] as const)]);
    net.inputs.forEach(({ tensor }, at) => found.set(tensor, inputs[at]));
    // What whole runs of the oracle have; the same arrays as found as long as nothing has differed.
    const whole = new Map([...wholeHeld, ...net.inputs.map(({ tensor }) => [tensor, found.get(tensor)!] as const)]);
    net.layers.forEach((layer, at) => {
      const given = layer.inputs.map((input) => found.get(input)!);
      const expected = oracleLayer(net, layer, given);
      const own = found.get(layer.output)!;
      tallies[at].addIntegers(place, expected, own);
      const wholeInputs = layer.inputs.map((input) => whole.get(input)!);
      const isSame = wholeInputs.every((elements, i) => elements === given[i]);
      const result = isSame ? expected : oracleLayer(net, layer, wholeInputs);
      whole.set(layer.output, isEqual(result, own) ? own : result);
    });
    [held, wholeHeld] = [found, whole].map((of) =>
      net.states.map(({ tensor, source }) => [tensor, of.get(source)!] as const),
    );
    const [expected, own] = [whole, found].map((of) => net.outputs.map(({ tensor }) => of.get(tensor)!));
    ends.forEach((tally, at) => tally.addIntegers(place, expected[at], own[at]));
    await report(index + 1, expected, own);
  }
  return { layers: layerErrors(net, tallies), outputs: ends.map((tally) => tally.error()) };
}

function layerErrors(net: ImportedNet, tallies: readonly ErrorTally[]): LayerError[] {
  return net.layers.map(({ name, op }, layer) => ({ layer, name, op, ...tallies[layer].error() }));
}

function isEqual(a: Elements, b: Elements): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}
