/**
 * Runs what the packer lays out, tables and stream, in plain loops without the kernels, and checks on the way what the kernels take for
 * granted: so a wrong layout is told apart from a wrong kernel.
 */
import { expect } from "vitest";
import * as layout from "../../assembly/fast/layout.js";
import * as abi from "../../assembly/abi.js";
import type { FastProgram } from "../../host/fast/memory.js";

/** The sum of a place, from what a row's records say. */
type SumAt = (elements: number) => number;

interface Row {
  readonly constant: bigint;
  readonly multiplier: bigint;
  readonly shift: bigint;
  readonly count: number;
}

/** Kinds whose rows the stream has so many of together. */
const DENSE: ReadonlyMap<number, number> = new Map([
  [layout.KIND_CONV_QUADS, 2],
  [layout.KIND_DENSE_ROWS, layout.DENSE_ROWS],
]);

/** Kinds whose kernels begin with the upper half of a product. */
const HIGH: ReadonlySet<number> = new Set([...DENSE.keys(), layout.KIND_CONV_GAPS, layout.KIND_DEPTHWISE]);

/** What the lanes of so many inputs begin with in all. */
const laneBias = (inputs: number): number => Math.ceil(inputs / layout.QUAD_STRETCH) * 2 ** (layout.LANE_BITS - 1);

class Interpreter {
  private readonly memory: Uint8Array;
  private readonly words: DataView;
  private readonly stream: DataView;
  private position = 0;
  private layer = 0;
  private readonly outputs = new Map<number, number>();

  constructor(private readonly program: FastProgram) {
    // Whatever stood in the arena before a run must not matter.
    this.memory = new Uint8Array(program.memory.bytes).fill(0xa5);
    this.memory.set(program.control);
    this.memory.set(program.tables, program.memory.tablesPtr);
    this.words = new DataView(this.memory.buffer);
    this.stream = new DataView(program.stream.buffer, program.stream.byteOffset, program.stream.length);
  }

  /** @param isFirst whether the states are to be filled */
  run(inputs: readonly Int8Array[], isFirst: boolean): Int8Array[] {
    const outputs: Int8Array[] = [];
    this.position = 0;
    inputs.forEach((input, tensor) => {
      if (this.comingLines(tensor) === 0) this.writeInput(tensor, input);
    });
    let given = 0;
    const { statesPtr } = this.program.memory;
    this.layer = isFirst ? statesPtr : this.words.getUint32(layout.CONTROL_LAYERS_PTR, true);
    let turn = 0;
    let layer = 0;
    let isByLines = false;
    for (; this.word(layout.LAYER_KIND) !== layout.KIND_END; this.layer += layout.LAYER_ENTRY_BYTES) {
      const kind = this.word(layout.LAYER_KIND);
      if (kind === layout.KIND_LINES) {
        layer = Math.floor(this.word(layout.LINES_HEIGHT) / 2 ** 16);
        isByLines = true;
        if (this.directLines(turn) === 0) this.layer += layout.LAYER_ENTRY_BYTES;
        continue;
      }
      if (kind === layout.KIND_INPUT) {
        given += this.giveLines(inputs[0], given);
        continue;
      }
      if (kind === layout.KIND_TURN) {
        this.position = this.word(layout.LINES_STREAM);
        layer = Math.floor(this.word(layout.LINES_HEIGHT) / 2 ** 16);
        isByLines = false;
        if (++turn < this.word(layout.TURN_COUNT)) this.layer = this.word(layout.TURN_BACK) - layout.LAYER_ENTRY_BYTES;
        continue;
      }
      const table = kind === layout.KIND_LUT ? this.take(layout.LUT_BYTES) : 0;
      const together = DENSE.get(kind);
      if (together !== undefined) this.computeTogether(kind, together);
      for (let row = 0; together === undefined && row < this.word(layout.LAYER_ROWS); row++) {
        if (kind === layout.KIND_BORDER) this.fillBorder(row);
        else if (kind === layout.KIND_COPY) this.mapRow(row, (byte) => byte);
        else if (kind === layout.KIND_LUT) this.mapRow(row, (byte) => this.stream.getUint8(table + byte));
        else if (kind === layout.KIND_RESIZE) this.resizeRow(row);
        else this.computeRow(row);
      }
      for (const [address, byte] of this.outputs) this.memory[address] = byte;
      this.outputs.clear();
      // What goes by lines is never there as a whole.
      if (kind < layout.KIND_BORDER) outputs[layer] = isByLines ? new Int8Array(0) : this.readOutput(layer++);
    }
    expect(this.position, "stream bytes used").toBe(this.stream.byteLength);
    expect(outputs.length).toBe(this.words.getUint32(abi.CONTROL_LAYER_COUNT, true));
    return outputs;
  }

  /** What KIND_LINES does. @returns the lines that the entry behind it makes */
  private directLines(turns: number): number {
    const lines = this.layer;
    const word = (offset: number): number => this.words.getUint32(lines + offset, true);
    const byte = (offset: number): number => this.words.getUint8(lines + offset);
    const entry = lines + layout.LAYER_ENTRY_BYTES;
    const every = 2 ** byte(layout.LINES_SHIFT);
    if ((turns + 1) % every !== 0) return 0;
    const turn = Math.floor(turns / every);
    const pitch = this.words.getUint32(entry + layout.LAYER_OUTPUT_PITCH, true);
    const first = turn * byte(layout.LINES_COUNT) - byte(layout.LINES_ABOVE);
    const end = Math.min(first + byte(layout.LINES_COUNT), word(layout.LINES_HEIGHT) % 2 ** 16);
    const [kept, added] = [word(layout.LINES_KEPT), word(layout.LINES_NEW)];
    for (let row = 0; added > 0 && row < word(layout.LAYER_ROWS); row++) {
      const begin = word(layout.LAYER_OUTPUT) + row * word(layout.LAYER_OUTPUT_PLANE);
      this.memory.copyWithin(begin, begin + added, begin + added + kept);
      const valid = turn === 0 ? -kept : Math.max(0, end - first) * pitch;
      this.memory.fill(byte(layout.LINES_ZERO), begin + kept + valid, begin + kept + added);
    }
    const from = Math.max(first, 0);
    const put = (offset: number, begin: number, step: number, across: number): void => {
      this.words.setUint32(entry + offset, begin + turn * step + (from - first) * across, true);
    };
    put(layout.LAYER_OUTPUT, word(layout.LINES_TARGET), word(layout.LINES_TARGET_STEP), pitch);
    put(layout.LAYER_INPUT, word(layout.LINES_SOURCE), word(layout.LINES_SOURCE_STEP), word(layout.LINES_SOURCE_PITCH));
    if (word(layout.LINES_OTHER) > 0) {
      const otherPitch = this.words.getUint32(entry + layout.LAYER_OTHER_PITCH, true);
      put(layout.LAYER_OTHER, word(layout.LINES_OTHER), word(layout.LINES_OTHER_STEP), otherPitch);
    }
    const height = Math.max(0, end - from);
    this.words.setUint32(entry + layout.LAYER_OUTPUT_HEIGHT, height, true);
    this.position = word(layout.LINES_STREAM);
    return height;
  }

  /** Stores an output once its layer is complete: it may stand where an input does. */
  private put(address: number, byte: number): void {
    this.outputs.set(address, byte);
  }

  /** A word of the entry at hand. */
  private word(offset: number): number {
    return this.words.getUint32(this.layer + offset, true);
  }

  private element(address: number): number {
    if (address < this.program.memory.arenaPtr) throw new Error(`an element at ${address}, expected it in the arena`);
    return this.words.getUint8(address);
  }

  private take(bytes: number): number {
    this.position += bytes;
    return this.position - bytes;
  }

  private writeInput(tensor: number, input: Int8Array): void {
    const addresses = this.addresses(tensor);
    addresses.forEach((address, at) => (this.memory[address] = input[at] + 128));
    expect(addresses.length).toBe(input.length);
  }

  /** Of an input that comes by lines: so many at a time; else 0. */
  private comingLines(tensor: number): number {
    const entry = this.words.getUint32(abi.CONTROL_TENSORS_PTR, true) + tensor * abi.TENSOR_ENTRY_BYTES;
    const state = this.words.getUint32(entry + abi.TENSOR_STATE, true);
    return state & abi.TENSOR_IS_BY_LINES ? (state >>> abi.TENSOR_LINES_SHIFT) & 0xff : 0;
  }

  /** Writes the next lines of the input where the table says. @returns how many */
  private giveLines(input: Int8Array, first: number): number {
    const entry = this.words.getUint32(abi.CONTROL_TENSORS_PTR, true);
    const word = (offset: number): number => this.words.getUint32(entry + offset, true);
    const [height, width] = [word(abi.TENSOR_HEIGHT), word(abi.TENSOR_WIDTH)];
    const lines = Math.min(this.comingLines(0), height - first);
    expect(lines).toBe(this.word(layout.LAYER_OUTPUT_HEIGHT));
    expect(word(abi.TENSOR_PTR)).toBe(this.word(layout.LAYER_OUTPUT));
    for (let channel = 0; channel < word(abi.TENSOR_CHANNELS); channel++) {
      for (let y = 0; y < lines; y++) {
        const at = word(abi.TENSOR_PTR) + channel * word(abi.TENSOR_PLANE) + y * word(abi.TENSOR_PITCH);
        for (let x = 0; x < width; x++) {
          this.memory[at + x] = input[(channel * height + first + y) * width + x] + 128;
        }
      }
    }
    return lines;
  }

  /** Of a tensor's elements, as its table has them. */
  private addresses(tensor: number): number[] {
    const entry = this.words.getUint32(abi.CONTROL_TENSORS_PTR, true) + tensor * abi.TENSOR_ENTRY_BYTES;
    const word = (offset: number): number => this.words.getUint32(entry + offset, true);
    const addresses: number[] = [];
    for (let channel = 0; channel < word(abi.TENSOR_CHANNELS); channel++) {
      for (let y = 0; y < word(abi.TENSOR_HEIGHT); y++) {
        const line = word(abi.TENSOR_PTR) + channel * word(abi.TENSOR_PLANE) + y * word(abi.TENSOR_PITCH);
        for (let x = 0; x < word(abi.TENSOR_WIDTH); x++) addresses.push(line + x);
      }
    }
    return addresses;
  }

  private eachOutput(row: number, visit: (address: number, x: number, y: number) => void): void {
    const plane = this.word(layout.LAYER_OUTPUT) + row * this.word(layout.LAYER_OUTPUT_PLANE);
    for (let y = 0; y < this.word(layout.LAYER_OUTPUT_HEIGHT); y++) {
      for (let x = 0; x < this.word(layout.LAYER_OUTPUT_WIDTH); x++) {
        visit(plane + y * this.word(layout.LAYER_OUTPUT_PITCH) + x, x, y);
      }
    }
  }

  private readOutput(layer: number): Int8Array {
    const control = (word: number): number => this.words.getUint32(word, true);
    const tensor = control(abi.CONTROL_TENSOR_COUNT) - control(abi.CONTROL_LAYER_COUNT) + layer;
    return Int8Array.from(this.addresses(tensor), (address) => this.memory[address] - 128);
  }

  private fillBorder(row: number): void {
    const border = this.word(layout.LAYER_BORDER);
    const value = this.word(layout.LAYER_CLAMP_MIN);
    const [height, width] = [this.word(layout.LAYER_OUTPUT_HEIGHT), this.word(layout.LAYER_OUTPUT_WIDTH)];
    const plane = this.word(layout.LAYER_OUTPUT) + row * this.word(layout.LAYER_OUTPUT_PLANE);
    if (height === 0) this.memory.fill(value, plane, plane + this.word(layout.LAYER_OUTPUT_PLANE));
    for (let y = -border; y < height + border; y++) {
      for (let x = -border; x < width + border; x++) {
        const isInside = y >= 0 && y < height && x >= 0 && x < width;
        if (!isInside) this.memory[plane + y * this.word(layout.LAYER_OUTPUT_PITCH) + x] = value;
      }
    }
  }

  /** The element at a place of a row's channel of the input. */
  private inputElement(row: number, x: number, y: number): number {
    const plane = this.word(layout.LAYER_INPUT) + row * this.word(layout.LAYER_INPUT_PLANE);
    return this.element(plane + y * this.word(layout.LAYER_INPUT_PITCH) + x);
  }

  private mapRow(row: number, map: (byte: number) => number): void {
    this.eachOutput(row, (address, x, y) => this.put(address, map(this.inputElement(row, x, y))));
  }

  private resizeRow(row: number): void {
    const [factorY, factorX] = [this.word(layout.LAYER_FACTOR_Y), this.word(layout.LAYER_FACTOR_X)];
    this.eachOutput(row, (address, x, y) => {
      this.put(address, this.inputElement(row, Math.floor(x / factorX), Math.floor(y / factorY)));
    });
  }

  private combineRow(index: number, row: Row): void {
    expect(row.count).toBe(layout.FACTOR_BYTES);
    const factors = this.take(layout.FACTOR_BYTES);
    const [factor, otherFactor] = [this.stream.getInt32(factors, true), this.stream.getInt32(factors + 4, true)];
    const pitch = this.word(layout.LAYER_OTHER_PITCH);
    const plane = this.word(layout.LAYER_OTHER) + index * this.word(layout.LAYER_OTHER_PLANE);
    this.eachOutput(index, (address, x, y) => {
      const a = this.inputElement(index, x, y);
      const b = this.element(pitch === 0 ? plane : plane + y * pitch + x);
      const product = this.word(layout.LAYER_KIND) === layout.KIND_MUL ? a * b : 0;
      this.store(address, a * factor + b * otherFactor + product, row);
    });
  }

  /** Rows that the stream has a few together, a byte of each in turn: heads before the weights or behind them. */
  private computeTogether(kind: number, together: number): void {
    const places = kind === layout.KIND_DENSE_ROWS ? this.denseInputs() : this.quadInputs();
    const turn = kind === layout.KIND_DENSE_ROWS ? layout.DENSE_TURN : layout.QUAD_TURN;
    const filled = Math.ceil(places.length / turn) * turn;
    const rows = this.word(layout.LAYER_ROWS);
    for (let first = 0; first < rows; first += together) {
      const headBytes = together * layout.ROW_BYTES;
      const begin = this.take(headBytes + together * filled);
      const [heads, weights] =
        kind === layout.KIND_CONV_QUADS ? [begin, begin + headBytes] : [begin + together * filled, begin];
      if (kind === layout.KIND_CONV_QUADS) this.checkStretches(this.rowAt(heads).count, weights, filled);
      for (let at = 0; at < Math.min(together, rows - first); at++) {
        const row = this.rowAt(heads + at * layout.ROW_BYTES);
        const bias = kind === layout.KIND_CONV_QUADS ? laneBias(filled) : 0;
        this.eachOutput(first + at, (address, x, y) => {
          const sum = places.reduce((acc, place, input) => {
            const byte = weights + together * input + at;
            const weight =
              kind === layout.KIND_CONV_QUADS
                ? this.stream.getInt8(byte)
                : this.stream.getUint8(byte) - layout.WEIGHT_BIAS;
            return acc + weight * this.element(place + this.placeOffset(x, y));
          }, bias);
          this.store(address, sum, row);
        });
      }
      for (let filler = together * places.length; filler < together * filled; filler++) {
        if (this.stream.getInt8(weights + filler) !== 0) throw new Error("a filler that is not zero");
      }
    }
  }

  /** Of two filters: sums of so many inputs keep to lanes that begin in their middle. */
  private checkStretches(stretch: number, weights: number, inputs: number): void {
    expect(stretch % layout.LOT_STRETCH).toBe(0);
    expect(stretch).toBeLessThanOrEqual(layout.LOT_MOST_STRETCH);
    const sums = { least: 0, most: 0 };
    for (let filter = 0; filter < 2; filter++) {
      for (let begin = 0; begin < inputs; begin += stretch) {
        let [least, most] = [0, 0];
        for (let input = begin; input < Math.min(inputs, begin + stretch); input++) {
          const weight = this.stream.getInt8(weights + 2 * input + filter);
          least += Math.min(weight, 0);
          most += Math.max(weight, 0);
        }
        sums.least = Math.min(sums.least, 255 * least);
        sums.most = Math.max(sums.most, 255 * most);
      }
    }
    expect(sums.least).toBeGreaterThanOrEqual(-(2 ** (layout.LOT_LANE_BITS - 1)));
    expect(sums.most).toBeLessThan(2 ** (layout.LOT_LANE_BITS - 1));
  }

  private denseInputs(): number[] {
    return Array.from({ length: this.word(layout.LAYER_DENSE_INPUTS) }, (_, at) => this.word(layout.LAYER_INPUT) + at);
  }

  /** Addresses of what a filter looks at from its first place, in the order of its weights. */
  private quadInputs(): number[] {
    const [step0, step1, step2] = [layout.LAYER_QUAD_STEP_0, layout.LAYER_QUAD_STEP_1, layout.LAYER_QUAD_STEP_2].map(
      (word) => this.word(word),
    );
    const [count0, count1, count2] = [
      layout.LAYER_QUAD_COUNT_0,
      layout.LAYER_QUAD_COUNT_1,
      layout.LAYER_QUAD_COUNT_2,
    ].map((word) => this.words.getUint16(this.layer + word, true));
    expect(count0 * count1 * count2).toBeLessThanOrEqual(layout.QUAD_INPUTS);
    return Array.from({ length: count0 * count1 * count2 }, (_, input) => {
      const line = Math.floor(input / count0);
      const offset = (input % count0) * step0 + (line % count1) * step1 + Math.floor(line / count1) * step2;
      return this.word(layout.LAYER_INPUT) + offset;
    });
  }

  /** From what the first output looks at to what output (x, y) does. */
  private placeOffset(x: number, y: number): number {
    if (this.word(layout.LAYER_KIND) === layout.KIND_DENSE_ROWS) return 0;
    return y * this.word(layout.LAYER_DOWN) + x * this.words.getUint8(this.layer + layout.LAYER_QUAD_ACROSS);
  }

  private gapRow(index: number, row: Row): void {
    const places = this.quadInputs();
    const weights: (readonly [place: number, weight: number])[] = [];
    let input = 0;
    expect(row.count % layout.PAIRS_AT_ONCE).toBe(0);
    for (let left = row.count; left > 0; left--) {
      const pair = this.take(layout.PAIR_BYTES);
      input += this.stream.getUint8(pair);
      weights.push([places[input], this.stream.getInt8(pair + 1)]);
    }
    this.eachOutput(index, (address, x, y) => {
      const offset = this.placeOffset(x, y);
      const sum = weights.reduce(
        (acc, [place, weight]) => acc + weight * this.element(place + offset),
        laneBias(row.count),
      );
      this.store(address, sum, row);
    });
  }

  private bitRow(index: number, row: Row): void {
    const half = (at: number): number => this.words.getUint16(this.layer + at, true);
    const [width, height, channels] = [
      layout.LAYER_BITS_WIDTH,
      layout.LAYER_BITS_HEIGHT,
      layout.LAYER_BITS_CHANNELS,
    ].map(half);
    const pool = this.words.getUint8(this.layer + layout.LAYER_BITS_POOL);
    const weights = width * height * channels;
    expect(row.count).toBe(Math.ceil(weights / 64) * layout.BITS_WORD_BYTES);
    expect(row.count).toBeLessThanOrEqual(layout.BITS_PLACE_BYTES);
    const bits = this.take(row.count);
    const [pitch, plane] = [this.word(layout.LAYER_BITS_PITCH), this.word(layout.LAYER_BITS_PLANE)];
    const differ = (first: number): number => {
      let count = 0;
      for (let at = 0; at < 8 * row.count; at++) {
        const weight = (this.stream.getUint8(bits + (at >> 3)) >> (at & 7)) & 1;
        if (at >= weights) {
          expect(weight).toBe(0);
          continue;
        }
        const line = Math.floor(at / width);
        const offset = (at % width) + (line % height) * pitch + Math.floor(line / height) * plane;
        const element = this.element(first + offset) - layout.ELEMENT_BIAS;
        if (element !== 0 && element !== 1) throw new Error(`an element of ${element}, expected 0 or 1`);
        count += weight ^ element;
      }
      return count;
    };
    this.eachOutput(index, (address, x, y) => {
      const first =
        this.word(layout.LAYER_INPUT) + y * this.word(layout.LAYER_DOWN) + x * this.word(layout.LAYER_ACROSS);
      const places = Array.from({ length: pool ** 2 }, (_, at) => first + Math.floor(at / pool) * pitch + (at % pool));
      this.store(address, -Math.min(...places.map(differ)), row);
    });
  }

  private depthRow(index: number, row: Row): void {
    const byte = (at: number): number => this.words.getUint8(this.layer + at);
    const half = (at: number): number => this.words.getUint16(this.layer + at, true);
    const [height, width] = [byte(layout.LAYER_DEPTH_HEIGHT), byte(layout.LAYER_DEPTH_WIDTH)];
    const [down, across] = [byte(layout.LAYER_DEPTH_STRIDE_Y), byte(layout.LAYER_DEPTH_STRIDE_X)];
    const outputs = this.word(layout.LAYER_OUTPUT_HEIGHT);
    expect(row.count).toBe(height * width);
    expect(row.count).toBeLessThanOrEqual(layout.QUAD_STRETCH);
    // Two strips cover all lines, without a gap between them; where there are more, their last ones move back.
    const lines = half(layout.LAYER_DEPTH_LINES);
    expect(lines).toBeGreaterThan(0);
    if (outputs > 1) expect(lines).toBeLessThan(outputs);
    const inputLines = half(layout.LAYER_DEPTH_INPUT_HEIGHT);
    const elements = half(layout.LAYER_DEPTH_INPUT_WIDTH) & ~layout.DEPTH_IS_DOWN;
    const pads = byte(layout.LAYER_DEPTH_PADS);
    const [top, left] = [pads % layout.DEPTH_LEFT, Math.floor(pads / layout.DEPTH_LEFT)];
    const taps = this.take(row.count);
    this.eachOutput(index, (address, x, y) => {
      let sum = laneBias(row.count);
      for (let tap = 0; tap < row.count; tap++) {
        const [ky, kx] = [Math.floor(tap / width), tap % width];
        const [line, column] = [y * down + ky - top, x * across + kx - left];
        const isInside = line >= 0 && line < inputLines && column >= 0 && column < elements;
        const element = isInside ? this.inputElement(index, column, line) : byte(layout.LAYER_DEPTH_ZERO);
        sum += this.stream.getInt8(taps + tap) * element;
      }
      this.store(address, sum, row);
    });
  }

  /** What stands in a row's head. The shift is less by 32 for kernels that begin with the upper half of a product. */
  private rowAt(head: number): Row {
    const shiftAndCount = this.stream.getUint32(head + 12, true);
    const more = HIGH.has(this.word(layout.LAYER_KIND)) ? 32n : 0n;
    const multiplier = this.stream.getUint32(head + 8, true);
    if (more > 0n) expect(multiplier).toBeLessThan(2 ** 31);
    return {
      constant: this.stream.getBigInt64(head, true),
      multiplier: BigInt(multiplier),
      shift: BigInt(shiftAndCount & 0xff) + more,
      count: shiftAndCount >>> 8,
    };
  }

  private computeRow(index: number): void {
    const row = this.rowAt(this.take(layout.ROW_BYTES));
    const kind = this.word(layout.LAYER_KIND);
    if (kind === layout.KIND_DEPTHWISE) return this.depthRow(index, row);
    if (kind === layout.KIND_BITS) return this.bitRow(index, row);
    if (kind === layout.KIND_CONV_GAPS) return this.gapRow(index, row);
    if (kind === layout.KIND_ADD || kind === layout.KIND_MUL) return this.combineRow(index, row);
    if (kind === layout.KIND_DENSE || kind === layout.KIND_DENSE_VALUES) {
      const sum = kind === layout.KIND_DENSE ? this.densePairs(row.count) : this.denseGroups(row.count);
      this.eachOutput(index, (address) => this.store(address, sum, row));
      return;
    }
    const isConv = kind <= layout.KIND_CONV_PLACES;
    const sumAt: SumAt = isConv ? this.chunks(row.count) : (elements) => this.element(elements);
    const plane = isConv ? 0 : index * this.word(layout.LAYER_INPUT_PLANE);
    this.eachOutput(index, (address, x, y) => {
      const sums = this.window(x, y, plane).map(sumAt);
      const isSum = kind === layout.KIND_AVGPOOL;
      this.store(address, isSum ? sums.reduce((a, b) => a + b) : Math.max(...sums), row);
    });
  }

  /** Addresses of the places under the pool of output (x, y). */
  private window(x: number, y: number, plane: number): number[] {
    const kind = this.word(layout.LAYER_KIND);
    const isBlockwise = kind === layout.KIND_CONV_POOLED || kind === layout.KIND_CONV_BLOCKS;
    const width = this.words.getUint16(this.layer + layout.LAYER_POOL_WIDTH, true);
    const places =
      kind === layout.KIND_CONV_PLACES
        ? this.word(layout.LAYER_PLACES)
        : width * (isBlockwise ? width : this.words.getUint16(this.layer + layout.LAYER_POOL_HEIGHT, true));
    const pitch = this.word(layout.LAYER_INPUT_PITCH);
    const step = kind === layout.KIND_CONV_PLACES ? this.word(layout.LAYER_PLACE_STEP) : 1;
    // Blocks and tiles have no gaps between their pools.
    const [down, across] = isBlockwise
      ? [pitch * width, width]
      : [this.word(layout.LAYER_DOWN), this.word(layout.LAYER_ACROSS)];
    const first = this.word(layout.LAYER_INPUT) + plane + y * down + x * across;
    return Array.from(
      { length: places },
      (_, place) => first + Math.floor(place / width) * pitch + (place % width) * step,
    );
  }

  private densePairs(count: number): number {
    let address = this.word(layout.LAYER_INPUT);
    let sum = 0;
    expect(count % layout.PAIRS_AT_ONCE).toBe(0);
    for (let left = count; left > 0; left--) {
      const pair = this.take(layout.PAIR_BYTES);
      address += this.stream.getUint8(pair);
      sum += this.stream.getInt8(pair + 1) * this.element(address);
    }
    return sum;
  }

  private denseGroups(bytes: number): number {
    let sum = 0;
    expect(bytes).toBeGreaterThan(0);
    const end = this.position + bytes;
    while (this.position < end) {
      const head = this.take(layout.GROUP_HEAD_BYTES);
      const word = this.stream.getUint16(head + 1, true);
      const bits = this.word(layout.LAYER_GROUP_BITS);
      const gaps = this.take(word % 2 ** bits);
      expect(this.position - gaps).toBeLessThanOrEqual(layout.GROUP_GAPS);
      let address = this.word(layout.LAYER_INPUT) + (word >>> bits);
      let elements = this.element(address);
      for (let gap = gaps; gap < this.position; gap++) {
        address += this.stream.getUint8(gap);
        elements += this.element(address);
      }
      sum += this.stream.getInt8(head) * elements;
    }
    expect(this.position).toBe(end);
    return sum;
  }

  private chunks(bytes: number): SumAt {
    const kind = this.word(layout.LAYER_KIND);
    const isBlockwise = kind !== layout.KIND_CONV_PLACES;
    const [mostRecords, mostMagnitude] =
      kind === layout.KIND_CONV_POOLED
        ? [layout.TILE_RECORDS, layout.TILE_MAGNITUDE]
        : [layout.CHUNK_RECORDS, layout.CHUNK_MAGNITUDE];
    expect(bytes).toBeLessThanOrEqual(this.program.memory.windowBytes);
    const chunks: { readonly bias: number; readonly records: (readonly [offset: number, weight: number])[] }[] = [];
    for (const end = this.position + bytes; this.position < end;) {
      const head = this.take(layout.CHUNK_HEAD_BYTES);
      const count = this.stream.getUint16(head, true);
      const records = Array.from({ length: count }, () => {
        const record = this.stream.getUint32(this.take(abi.RECORD_BYTES), true);
        return [record >>> 8, (record << 24) >> 24] as const;
      });
      expect(count).toBeGreaterThan(0);
      if (isBlockwise) {
        expect(count).toBeLessThanOrEqual(mostRecords);
        expect(records.reduce((sum, [, w]) => sum + Math.abs(w), 0)).toBeLessThanOrEqual(mostMagnitude);
      }
      chunks.push({ bias: this.stream.getUint16(head + 2, true), records });
    }
    if (kind !== layout.KIND_CONV_BLOCKS) expect(chunks.length).toBe(1);
    if (!isBlockwise) expect(chunks[0].bias).toBe(0);
    if (chunks.length > 1) expect(this.word(layout.LAYER_IS_WIDE)).toBe(1);
    return (elements) =>
      chunks.reduce((whole, { bias, records }) => {
        const sum = records.reduce((acc, [offset, w]) => acc + w * this.element(elements + offset), bias);
        if (isBlockwise && (sum < 0 || sum > 0xffff)) throw new Error(`a lane of ${sum}, expected 16 bits`);
        return whole + sum;
      }, 0);
  }

  private store(address: number, sum: number, { constant, multiplier, shift }: Row): void {
    let scaled = BigInt(sum) * multiplier + constant;
    const isHalfBelow = scaled >> shift <= BigInt(layout.ELEMENT_BIAS);
    if (this.word(layout.LAYER_KIND) === layout.KIND_AVGPOOL && isHalfBelow) scaled--;
    const value = scaled >> shift;
    if (sum !== (sum | 0)) throw new Error(`a sum of ${sum}, expected an int32`);
    if (scaled !== BigInt.asIntN(64, scaled) || value !== BigInt.asIntN(32, value)) {
      throw new Error(`${sum} gives ${scaled} and ${value}, expected an int64 and an int32`);
    }
    const [least, most] = [this.word(layout.LAYER_CLAMP_MIN), this.word(layout.LAYER_CLAMP_MAX)];
    this.put(address, Math.min(most, Math.max(least, Number(value))));
  }
}

/** A first run of a model with one input. @returns the output of each layer, [C, H, W] */
export function interpret(program: FastProgram, input: Int8Array): Int8Array[] {
  return interpretRuns(program, [[input]])[0];
}

/** @param runs of each the inputs @returns of each the output of each layer, [C, H, W]; of one that goes by lines nothing */
export function interpretRuns(program: FastProgram, runs: readonly (readonly Int8Array[])[]): Int8Array[][] {
  const interpreter = new Interpreter(program);
  return runs.map((inputs, index) => interpreter.run(inputs, index === 0));
}
