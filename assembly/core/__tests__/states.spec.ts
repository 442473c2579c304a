/** Tensors that keep their values from one run to the next, and several ends of the graph. */
import {
  CONTROL_LAYERS_DONE,
  CONTROL_OUTPUT_TENSOR,
  CONTROL_WORK,
  STATUS_BUSY,
  STATUS_DONE,
  STATUS_RANGE,
  STATUS_SHAPE,
  STATUS_STATE,
  TENSOR_IS_END,
  TENSOR_IS_STATE,
  TENSOR_STATE,
} from "../../abi";
import { FLAG_END, FLAG_SIZE, FLAG_STATE, OP_MAXPOOL } from "../../format";
import { open, reset, start, step } from "../graph";
import { borderOf, tensorAt } from "../tensor";
import { beginFile, endFile, MEMORY_BYTES, putBits, putVarint, putVarints } from "./file-builder";

const INPUT: u32 = 0;
const OTHER_INPUT: u32 = 1;
const STATE: u32 = 2;
const LAST: u32 = 3;
const BEFORE: u32 = 4;
const OTHER: u32 = 5;

/** Flags of the six tensors, and the state's source and height, which tests change. */
const flags = new StaticArray<u32>(6);
let source: u32 = 0;
let stateHeight: u32 = 0;

function tensor(index: u32, height: u32, width: u32, border: u32, zeroPoint: u32, offset: u32): void {
  putVarint(2);
  putBits(flags[index] | FLAG_SIZE | border, 8);
  putVarints([height, width]);
  if (flags[index] & FLAG_END) putBits(reinterpret<u32>(<f32>1), 32);
  putBits(zeroPoint, 8);
  putVarint(offset);
  if (flags[index] & FLAG_STATE) putVarint(source);
}

/** Two inputs; a state that becomes the first of them; outputs that are the input, the state and the second input. [2, 3, 5] all. */
function putModel(): void {
  beginFile();
  putVarints([1 << OP_MAXPOOL, 0, 6, 3, 16, 0, 63]);
  tensor(INPUT, 3, 5, 0, 7, 0);
  tensor(OTHER_INPUT, 3, 5, 1, 7, 32);
  tensor(STATE, stateHeight, 5, 2, 9, 104);
  tensor(LAST, 3, 5, 0, 7, 240);
  tensor(BEFORE, 3, 5, 3, 7, 272);
  tensor(OTHER, 3, 5, 0, 7, 472);
  putPool(2);
  putPool(1);
  putPool(3);
  endFile();
}

/** A pool of one element, which copies the tensor. */
function putPool(distance: u32): void {
  putBits(OP_MAXPOOL, 8);
  putVarints([distance, 2, 2, 0, 0]);
}

function reload(): i32 {
  putModel();
  return finish(open(MEMORY_BYTES));
}

function finish(begun: i32): i32 {
  let status = begun;
  while (status == STATUS_BUSY) status = step(0);
  return status;
}

/** Address of element (c, y, x) of a [2, 3, 5] tensor. */
function element(index: u32, c: u32, y: u32, x: u32): usize {
  let entry = tensorAt(index);
  let border = borderOf(entry);
  return load<u32>(entry) + (c * (3 + 2 * border) + y) * (5 + 2 * border) + x;
}

function put(index: u32, first: i32): void {
  for (let i = 0; i < 30; i++) store<i8>(element(index, i / 15, (i / 5) % 3, i % 5), first + i);
}

function expectElements(index: u32, first: i32, more: i32 = 1): void {
  for (let i = 0; i < 30; i++) {
    expect(load<i8>(element(index, i / 15, (i / 5) % 3, i % 5))).toBe(<i8>(first + more * i), i.toString());
  }
}

/** The cells of a state with its border, of 2. */
function expectStateCells(elements: i32): void {
  let begin = element(STATE, 0, 0, 0) - 2 * 9 - 2;
  for (let i: u32 = 0; i < 2 * 7 * 9; i++) {
    let isInside = (i % 9) - 2 < 5 && ((i / 9) % 7) - 2 < 3;
    expect(load<i8>(begin + i)).toBe(<i8>(isInside ? elements : 9), i.toString());
  }
}

/** Takes back what tests change, and fills the memory of the plan. */
function asItIs(): void {
  flags[INPUT] = flags[OTHER_INPUT] = FLAG_END;
  flags[STATE] = FLAG_STATE;
  flags[LAST] = 0;
  flags[BEFORE] = flags[OTHER] = FLAG_END;
  source = LAST;
  stateHeight = 3;
  memory.fill(256, 0x55, MEMORY_BYTES - 256);
}

describe("states", () => {
  beforeEach(() => {
    asItIs();
  });

  it("are their zero points after loading, and their sources after a run", () => {
    expect(reload()).toBe(STATUS_DONE);
    expectStateCells(9);
    for (let run = 0; run < 3; run++) {
      put(INPUT, 10 * run);
      put(OTHER_INPUT, -10 * run);
      expect(finish(start())).toBe(STATUS_DONE);
      expectElements(STATE, 10 * run);
      if (run) expectElements(BEFORE, 10 * (run - 1));
      else expectElements(BEFORE, 9, 0);
      expectElements(OTHER, -10 * run);
      // Outputs are the host's until the next run, wherever their values go.
      expectElements(LAST, 10 * run);
      expect(load<u32>(CONTROL_OUTPUT_TENSOR)).toBe(BEFORE);
      expect(load<u32>(CONTROL_LAYERS_DONE)).toBe(3);
    }
    expect(load<u8>(element(STATE, 0, 0, 0) - 1)).toBe(9);
    expect(reset()).toBe(STATUS_BUSY);
    expect(start()).toBe(STATUS_STATE);
    expect(reset()).toBe(STATUS_STATE);
    expect(finish(STATUS_BUSY)).toBe(STATUS_DONE);
    expectStateCells(9);
    expect(finish(start())).toBe(STATUS_DONE);
  });

  it("may come from an input", () => {
    source = OTHER_INPUT;
    expect(reload()).toBe(STATUS_DONE);
    put(OTHER_INPUT, 50);
    expect(finish(start())).toBe(STATUS_DONE);
    expectElements(STATE, 50);
  });

  it("are copied within the work that is said", () => {
    reload();
    let most = load<u32>(CONTROL_WORK);
    flags[STATE] = FLAG_END;
    // An input more instead of a state: its border is filled, and no copy.
    expect(reload()).toBe(STATUS_DONE);
    expect(load<u32>(CONTROL_WORK)).toBe(most);
  });

  it("tell in the tensor table what they are", () => {
    reload();
    let kinds: StaticArray<u32> = [TENSOR_IS_END, TENSOR_IS_END, TENSOR_IS_STATE, 0, TENSOR_IS_END, TENSOR_IS_END];
    for (let i = 0; i < 6; i++) {
      expect(load<u32>(tensorAt(i), TENSOR_STATE) & (TENSOR_IS_END | TENSOR_IS_STATE)).toBe(kinds[i]);
    }
  });

  it("are reset when a model is loaded and at rest only", () => {
    putModel();
    expect(open(MEMORY_BYTES)).toBe(STATUS_BUSY);
    expect(reset()).toBe(STATUS_STATE);
    expect(finish(STATUS_BUSY)).toBe(STATUS_DONE);
    start();
    expect(reset()).toBe(STATUS_STATE);
    expect(finish(STATUS_BUSY)).toBe(STATUS_DONE);
    expect(finish(reset())).toBe(STATUS_DONE);
  });

  it("have the shape of a source that there is", () => {
    stateHeight = 2;
    expect(reload()).toBe(STATUS_SHAPE);
    stateHeight = 3;
    source = 6;
    expect(reload()).toBe(STATUS_RANGE);
  });

  it("stand behind the inputs, of which there is one, and are nothing else", () => {
    flags[OTHER_INPUT] = FLAG_STATE;
    expect(reload()).toBe(STATUS_DONE);
    flags[STATE] = FLAG_END;
    expect(reload()).toBe(STATUS_RANGE);
    flags[STATE] = FLAG_STATE;
    flags[INPUT] = FLAG_STATE;
    expect(reload()).toBe(STATUS_RANGE);
    flags[INPUT] = FLAG_END | FLAG_STATE;
    expect(reload()).toBe(STATUS_RANGE);
    flags[INPUT] = 0;
    expect(reload()).toBe(STATUS_RANGE);
    flags[INPUT] = FLAG_END;
    flags[LAST] = FLAG_STATE;
    expect(reload()).toBe(STATUS_RANGE);
  });
});

describe("a model", () => {
  beforeEach(() => {
    asItIs();
  });

  it("has an output", () => {
    flags[BEFORE] = 0;
    flags[OTHER] = 0;
    flags[LAST] = 0;
    expect(reload()).toBe(STATUS_RANGE);
    flags[LAST] = FLAG_END;
    expect(reload()).toBe(STATUS_DONE);
    expect(load<u32>(CONTROL_OUTPUT_TENSOR)).toBe(LAST);
  });

  it("without states is reset at once", () => {
    flags[STATE] = FLAG_END;
    expect(reload()).toBe(STATUS_DONE);
    expect(reset()).toBe(STATUS_DONE);
    expect(finish(start())).toBe(STATUS_DONE);
  });
});
