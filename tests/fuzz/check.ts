/**
 * What must hold for any bytes whatsoever: the core answers with a status, in bounded work, touches nothing beyond its
 * memory, does not depend on what lies there nor on how its work is sliced; and it accepts and computes what the strict
 * reader and the reference do.
 */
import * as abi from "../../assembly/abi.js";
import { MAX_LAYERS, MAX_SMALL_WEIGHTS } from "../../assembly/format.js";
import { readContainer, type Container } from "../../host/container/read.js";
import { isSmallMote } from "../../host/data/file-kind.js";
import { MoteError } from "../../host/errors.js";
import { statesOf } from "../../host/model/edges.js";
import {
  activationBits,
  elementsFor,
  fillRandom,
  wide,
  type ElementBits,
  type Elements,
} from "../../host/model/elements.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { Shape } from "../../host/model/model.js";
import { Random } from "../../host/rng.js";
import { openReference } from "../../host/engines/reference.js";
import { statusText } from "../../host/engines/driver.js";
import type { CoreMachines, Machine } from "./machine.js";
import type { FuzzCase } from "./mutate.js";

/** What the reader says of rules that a core need not check. */
const LEFT_TO_HOSTS = [
  /, overlaps its input, tensor \d+, in the arena/,
  /which is read after it/,
  /both are there before a run/,
  /, but the layers have 0x/,
  / twice, expected one number for both axes/,
  /states a size of 1 × 1/,
  /nominalChannels is/,
  /is read by no layer and no state/,
  /its source, tensor \d+, is a state/,
  /metadata|label|number of names|name \d+ is|preprocessing/,
];

/** A broken promise; the message says which. */
export class Finding extends Error {}

/** How far a case came, for the tally. */
export type Reached = "refused" | "ran into an error" | "ran" | "cut off";

/** Steps and work units of one run, above which a case is cut off: a legal file of few bytes can ask for hours of work. */
const MAX_STEPS = 20_000;
const MAX_WORK = 400_000;
const MAX_WEIGHTS = 1 << 20;
/** More than it takes: steps, whatever the slices, to sum up and check a byte; to build and drop the tables of a layer. */
const LOAD_STEPS_PER_BYTE = 16;
const LOAD_STEPS_PER_LAYER = 1 << 15;

interface Outcome {
  readonly load: number;
  /** STATUS_BUSY when it was cut off; undefined when nothing was loaded. */
  readonly run: number | undefined;
  readonly errorOffset: number;
  readonly windowFailed: boolean;
  /** Of each run that was done, all outputs of the model. */
  readonly outputs: readonly (readonly number[])[];
}

const GARBAGE = [1, 2].map((seed) => {
  const random = new Random(0x6a72, seed);
  return Uint8Array.from({ length: 65536 }, () => random.integer(256));
});

/** A tensor as the core's table has it: pitch and plane in bytes. */
interface TableEntry {
  readonly shape: Shape;
  readonly ptr: number;
  readonly pitch: number;
  readonly plane: number;
  readonly border: number;
  readonly isEnd: boolean;
  readonly isState: boolean;
}

/** What a case came to; `status` is the last one. */
export interface Result {
  readonly reached: Reached;
  readonly status: number;
}

/** @throws Finding for a broken promise */
export function checkCase(machines: CoreMachines, fuzzCase: FuzzCase): Result {
  const read = readStrictly(fuzzCase.bytes);
  const session = new Session(machines, fuzzCase);
  try {
    const first = session.run(GARBAGE[0], fuzzCase.budget);
    // The same instance opened again, other garbage around the model, other slices: nothing may change.
    const second = session.run(GARBAGE[1], fuzzCase.budget === 1 ? 1000 : 3 * (fuzzCase.budget % 1000) + 1);
    if (first.run !== abi.STATUS_BUSY && second.run !== abi.STATUS_BUSY) expectSame(first, second);
    // A run that was cut off goes on: nothing can be reset, and of the first the window's failure is all that is known.
    const goesOn = second.run === abi.STATUS_BUSY;
    const answer = first.windowFailed && !goesOn ? session.recover(first) : first;
    if (fuzzCase.swapAt < 0 && !answer.windowFailed) compareWithReader(fuzzCase, answer, read);
    return { reached: reached(first), status: first.run ?? first.load };
  } finally {
    session.close();
  }
}

function reached({ load, run }: Outcome): Reached {
  if (run === abi.STATUS_BUSY) return "cut off";
  if (load !== abi.STATUS_DONE) return "refused";
  return run === abi.STATUS_DONE ? "ran" : "ran into an error";
}

/** One instance with one model behind its window or in its memory. */
class Session {
  private readonly machine: Machine;
  private windowCalls = 0;
  private windowFailed = false;
  private windowProblem: string | undefined;
  private failAt: number;

  constructor(
    machines: CoreMachines,
    private readonly fuzzCase: FuzzCase,
  ) {
    const memoryBytes = Math.max(fuzzCase.memoryBytes, abi.PLAN_BASE);
    this.machine = machines[fuzzCase.bits](memoryBytes, (offset, target, length) =>
      this.fillWindow(offset, target, length),
    );
    this.failAt = fuzzCase.failAt;
  }

  close(): void {
    this.machine.close();
  }

  /** Loads the model and, if that succeeds, runs it. */
  run(garbage: Uint8Array, budget: number): Outcome {
    const { bytes, memoryBytes, modelPtr } = this.fuzzCase;
    const { machine } = this;
    machine.store(abi.PLAN_BASE, garbage.subarray(abi.PLAN_BASE, machine.memoryBytes));
    // A model that does not fit is cut off: the core must refuse it before it looks.
    if (modelPtr !== 0 && modelPtr < machine.memoryBytes) {
      machine.store(modelPtr, bytes.subarray(0, machine.memoryBytes - modelPtr));
    }
    this.setWord(abi.CONTROL_MODEL_PTR, modelPtr);
    this.setWord(abi.CONTROL_MODEL_BYTES, bytes.length);
    this.windowCalls = 0;
    this.windowFailed = false;

    const end = Math.max(memoryBytes, abi.PLAN_BASE);
    const beyond = machine.load(end, machine.memoryBytes - end).slice();
    const outcome = this.loadAndRun(budget);
    if (this.windowProblem !== undefined) throw new Finding(this.windowProblem);
    if (Buffer.compare(machine.load(end, beyond.length), beyond) !== 0) {
      throw new Finding(`bytes beyond ${end} were written`);
    }
    return outcome;
  }

  /** After a window that failed, a reset, or open, with a sound one does what it would have done at first. */
  recover(failed: Outcome): Outcome {
    this.failAt = -1;
    this.windowFailed = false;
    const loaded = failed.load === abi.STATUS_DONE;
    if (loaded) this.reset(1 << 16);
    const outcome = loaded ? this.runs(1 << 16) : this.loadAndRun(1 << 16);
    this.failAt = this.fuzzCase.failAt;
    return outcome;
  }

  private loadAndRun(budget: number): Outcome {
    const { bytes, memoryBytes } = this.fuzzCase;
    const opened = this.machine.open(memoryBytes);
    const decoded = isSmallMote(bytes) ? MAX_SMALL_WEIGHTS : 0;
    const loadSteps = decoded + bytes.length * LOAD_STEPS_PER_BYTE + LOAD_STEPS_PER_LAYER * (layerBound(bytes) + 1);
    const load = this.finish(opened, budget, loadSteps);
    if (load === abi.STATUS_BUSY) throw new Finding(`loading did not end within ${loadSteps} steps`);
    if (load !== abi.STATUS_DONE) {
      for (const call of ["start", "reset"] as const) {
        const state = this.machine[call]();
        if (state !== abi.STATUS_STATE) throw new Finding(`${call} after a failed load gave ${statusText(state)}`);
      }
      return this.outcome(load, undefined, []);
    }
    this.expectTensorsInside();
    return this.runs(budget);
  }

  /** A run; of a model with states another, which goes on from it, and after a reset the first one again. */
  private runs(budget: number): Outcome {
    const outputs: number[][] = [];
    const hasStates = this.tensors().some(({ isState }) => isState);
    for (let run = 0; run < (hasStates ? 2 : 1); run++) {
      const status = this.runOnce(budget);
      if (status !== abi.STATUS_DONE) return this.outcome(abi.STATUS_DONE, status, outputs);
      outputs.push(this.readOutputs());
    }
    if (hasStates) {
      this.reset(budget);
      const status = this.runOnce(budget);
      if (status !== abi.STATUS_DONE) return this.outcome(abi.STATUS_DONE, status, outputs);
      if (this.fuzzCase.swapAt < 0 && String(this.readOutputs()) !== String(outputs[0])) {
        throw new Finding("after a reset the model does not do what it did at first");
      }
    }
    return this.outcome(abi.STATUS_DONE, abi.STATUS_DONE, outputs);
  }

  /** It reads nothing of the file, and does not fail. */
  private reset(budget: number): void {
    const status = this.finish(this.machine.reset(), budget, this.machine.memoryBytes);
    if (status !== abi.STATUS_DONE) throw new Finding(`reset gave ${statusText(status)}`);
  }

  /** @returns STATUS_BUSY when it was cut off */
  private runOnce(budget: number): number {
    this.writeInputs();
    const started = this.machine.start();
    // A slice does its budget's work, or ends with a layer, the inputs' borders or the states. Of a file that changes nothing is said.
    const said = this.word(abi.CONTROL_WORK);
    const work = this.fuzzCase.swapAt < 0 && said < 2 ** 32 - 1 ? said : Infinity;
    const ends = this.word(abi.CONTROL_LAYER_COUNT) + 2;
    const most = ends + Math.floor(work / budget);
    const affordable = Math.min(MAX_STEPS, ends + Math.ceil(MAX_WORK / Math.min(budget, 1 << 16)));
    const status = this.finish(started, budget, Math.min(most, affordable));
    if (status === abi.STATUS_STATE) throw new Finding("STATUS_STATE from a run after a load that was done");
    if (status === abi.STATUS_BUSY && most <= affordable)
      throw new Finding(`the run takes more than ${work} units of work, which is what the core said`);
    return status;
  }

  private outcome(load: number, run: number | undefined, outputs: readonly (readonly number[])[]): Outcome {
    const failed = load < 0 || (run !== undefined && run < 0);
    return {
      load,
      run,
      errorOffset: failed ? this.word(abi.CONTROL_ERROR_OFFSET) : 0,
      windowFailed: this.windowFailed,
      outputs,
    };
  }

  /** Steps until done or failed; BUSY when `maxSteps` did not suffice. */
  private finish(status: number, budget: number, maxSteps: number): number {
    let last = status;
    for (let steps = 0; last > abi.STATUS_DONE; steps++) {
      if (steps > maxSteps) return abi.STATUS_BUSY;
      last = this.machine.step(budget);
    }
    if (last > abi.STATUS_BUSY || last < abi.STATUS_STATE) throw new Finding(`step gave ${last}`);
    // Not always STATUS_READ: another error may have come first within the same slice.
    if (this.windowFailed && last >= 0) throw new Finding(`the window failed, the status is ${last}`);
    if (last === abi.STATUS_READ && !this.windowFailed) throw new Finding("STATUS_READ, but the window did not fail");
    return last;
  }

  private fillWindow(offset: number, target: number, length: number): number {
    const { memoryBytes, modelPtr, swapAt, swapped } = this.fuzzCase;
    const call = this.windowCalls++;
    const bytes = swapAt >= 0 && call >= swapAt ? swapped : this.fuzzCase.bytes;
    if (call === this.failAt) {
      this.windowFailed = true;
      return call % 2 === 0 ? 1 : -1;
    }
    const inFile = offset >= 0 && length > 0 && offset + length <= bytes.length;
    const inMemory = target >= abi.PLAN_BASE && target + length <= memoryBytes;
    if (!inFile || !inMemory || modelPtr !== 0) {
      this.windowProblem ??= `the window was asked for ${length} bytes at ${offset} of ${bytes.length}, to ${target} of ${memoryBytes}`;
      return 1;
    }
    this.machine.store(target, bytes.subarray(offset, offset + length));
    return 0;
  }

  /** Hosts write and read tensors by this table: what it says must be inside, borders included. */
  private expectTensorsInside(): void {
    this.tensors().forEach(({ shape: [channels, height, width], ptr, pitch, plane, border }, tensor) => {
      const start = ptr - border * (pitch + this.elementBytes);
      const consistent =
        start % this.elementBytes === 0 &&
        pitch === (width + 2 * border) * this.elementBytes &&
        plane === pitch * (height + 2 * border);
      if (!consistent || start < abi.PLAN_BASE || start + channels * plane > this.fuzzCase.memoryBytes) {
        throw new Finding(`tensor ${tensor} is not inside the memory: ${channels} × ${height} × ${width} at ${start}`);
      }
    });
  }

  private writeInputs(): void {
    this.ends().inputs.forEach((tensor, index) => {
      const elements = inputFor(tensor.shape, this.fuzzCase.bits, index);
      this.eachRow(tensor, (address, at, length) => {
        this.machine.store(address, new Uint8Array(elements.buffer, at, length));
      });
    });
  }

  /** One behind the other. */
  private readOutputs(): number[] {
    return this.ends().outputs.flatMap((tensor) => {
      const elements = elementsFor(wide(this.fuzzCase.bits), valuesOf(tensor.shape));
      const bytes = new Uint8Array(elements.buffer);
      this.eachRow(tensor, (address, at, length) => bytes.set(this.machine.load(address, length), at));
      return [...elements];
    });
  }

  private ends(): { readonly inputs: readonly TableEntry[]; readonly outputs: readonly TableEntry[] } {
    const tensors = this.tensors();
    const given = tensors.length - this.word(abi.CONTROL_LAYER_COUNT);
    const outputs = tensors.slice(given).filter(({ isEnd }) => isEnd);
    const first = this.word(abi.CONTROL_OUTPUT_TENSOR);
    if (tensors[first] !== outputs[0] && this.word(abi.CONTROL_LAYERS_DONE) === tensors.length - given) {
      throw new Finding(`tensor ${first} is said to be the first output`);
    }
    return { inputs: tensors.slice(0, given).filter(({ isEnd }) => isEnd), outputs };
  }

  /** What the table says. */
  private tensors(): readonly TableEntry[] {
    const table = this.word(abi.CONTROL_TENSORS_PTR);
    return Array.from({ length: this.word(abi.CONTROL_TENSOR_COUNT) }, (_, tensor) => {
      const entry = table + tensor * abi.TENSOR_ENTRY_BYTES;
      const at = (field: number): number => this.word(entry + field);
      const state = at(abi.TENSOR_STATE);
      return {
        shape: [at(abi.TENSOR_CHANNELS), at(abi.TENSOR_HEIGHT), at(abi.TENSOR_WIDTH)],
        ptr: at(abi.TENSOR_PTR),
        pitch: at(abi.TENSOR_PITCH),
        plane: at(abi.TENSOR_PLANE),
        border: state & abi.TENSOR_BORDER_MASK,
        isEnd: (state & abi.TENSOR_IS_END) !== 0,
        isState: (state & abi.TENSOR_IS_STATE) !== 0,
      };
    });
  }

  /** @param visit takes a row's address, where its bytes begin among all rows', and how many they are */
  private eachRow(
    { shape: [channels, height, width], ptr, pitch, plane }: TableEntry,
    visit: (address: number, at: number, length: number) => void,
  ): void {
    const length = width * this.elementBytes;
    for (let c = 0, at = 0; c < channels; c++) {
      for (let y = 0; y < height; y++, at += length) visit(ptr + c * plane + y * pitch, at, length);
    }
  }

  private get elementBytes(): number {
    return this.fuzzCase.bits / 8;
  }

  private word(address: number): number {
    const [a, b, c, d] = this.machine.load(address, 4);
    return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
  }

  private setWord(address: number, value: number): void {
    this.machine.store(address, Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
  }
}

/** What a model's inputs are in every run. */
function inputFor(shape: Shape, bits: ElementBits, index: number): Elements {
  const elements = elementsFor(wide(bits), valuesOf(shape));
  fillRandom(elements, new Random(0x1234, index));
  return elements;
}

/** Layers that a file can hold at most: each takes four bytes at the least. */
function layerBound(bytes: Uint8Array): number {
  return Math.min(MAX_LAYERS, isSmallMote(bytes) ? bytes.length : Math.floor(bytes.length / 4));
}

function expectSame(first: Outcome, second: Outcome): void {
  // Not the error's offset: it is where the reading stood, and how far that got may depend on what was read.
  for (const field of ["load", "run"] as const) {
    if (first[field] !== second[field]) {
      throw new Finding(`${field} is ${first[field]}, then ${second[field]} with other garbage and slices`);
    }
  }
  if (String(first.outputs) !== String(second.outputs)) {
    throw new Finding("an output depends on garbage in memory or on the slices");
  }
}

function readStrictly(bytes: Uint8Array): Container | MoteError {
  try {
    return readContainer(bytes, { maxWeights: MAX_WEIGHTS });
  } catch (error) {
    if (error instanceof MoteError) return error;
    throw new Finding(`readContainer threw ${String(error)}`);
  }
}

/** The reader and the core must agree on which files of the core's width are sound, the reference and the core on what they compute. */
function compareWithReader({ bytes, bits }: FuzzCase, outcome: Outcome, read: Container | MoteError): void {
  const status = outcome.run ?? outcome.load;
  if (read instanceof MoteError) {
    // Of what the core accepts the reader refuses only sizes, and what spec/container.md leaves to hosts.
    const mayDiffer = read.code === "MEMORY" || LEFT_TO_HOSTS.some((rule) => rule.test(read.message));
    if (status === abi.STATUS_DONE && !mayDiffer) {
      throw new Finding(`the core accepts what the reader refuses: ${read.message}`);
    }
    return;
  }
  const width = activationBits(read.model);
  if (width !== bits) {
    if (![abi.STATUS_MAGIC, abi.STATUS_VERSION, abi.STATUS_MEMORY].includes(outcome.load)) {
      throw new Finding(`the core of ${bits} bits says of a model of ${width}: ${statusText(outcome.load)}`);
    }
    return;
  }
  if (status < 0 && status !== abi.STATUS_MEMORY) {
    throw new Finding(
      `the reader accepts what the core refuses: ${statusText(status)} near byte ${outcome.errorOffset}`,
    );
  }
  const hasStates = statesOf(read.model).length > 0;
  if (outcome.run === abi.STATUS_DONE && outcome.outputs.length !== (hasStates ? 2 : 1)) {
    throw new Finding(`${outcome.outputs.length} runs, of a model that ${hasStates ? "has" : "has no"} states`);
  }
  if (outcome.outputs.length === 0) return;
  const reference = openReference(bytes, { maxWeights: MAX_WEIGHTS });
  const inputs = reference.inputs.map(({ shape }, index) => inputFor(shape, bits, index));
  for (const outputs of outcome.outputs) {
    reference.run(inputs);
    const expected = reference.outputs.flatMap((_, index) => [...reference.result(index)]);
    if (String(expected) !== String(outputs)) throw new Finding("the core's outputs are not the reference's");
  }
}
