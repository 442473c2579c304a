/** Tensors where an instance has them: in its linear memory, found through its own tensor table (SPEC.md, "The core's interface"). */
import * as abi from "../../assembly/abi.js";
import { MoteError } from "../errors.js";
import { offsetOf, type Layout } from "../model/geometry.js";
import type { Shape } from "../model/model.js";
import type { CoreInstance } from "./driver.js";

/** An entry of the tensor table. Address and steps in bytes. */
export interface TensorEntry extends Layout {
  /** Of the first element inside the border. */
  readonly address: number;
  readonly shape: Shape;
  readonly zeroPoint: number;
  /** Whether it is an input or an output of the model. */
  readonly isEnd: boolean;
}

export function readEntry(instance: CoreInstance, entryPtr: number): TensorEntry {
  const bytes = instance.read(entryPtr, abi.TENSOR_ENTRY_BYTES);
  const entry = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (offset: number): number => entry.getUint32(offset, true);
  return {
    address: word(abi.TENSOR_PTR),
    shape: [word(abi.TENSOR_CHANNELS), word(abi.TENSOR_HEIGHT), word(abi.TENSOR_WIDTH)],
    pitch: word(abi.TENSOR_PITCH),
    plane: word(abi.TENSOR_PLANE),
    zeroPoint: word(abi.TENSOR_ZERO_POINT) | 0,
    isEnd: (word(abi.TENSOR_STATE) & abi.TENSOR_IS_END) !== 0,
  };
}

/** Where the rows of a tensor, [C × H] of W elements each, stand in linear memory. */
interface Rows {
  readonly address: number;
  readonly count: number;
  readonly width: number;
  /** Bytes from the tensor's first element to the first of a row. */
  readonly start: (row: number) => number;
}

/**
 * A tensor of the table. Elements stand in memory as bytes, `bias` above their int8 value. Reading and writing throw MoteError ENGINE when the
 * table states another shape.
 */
export class LinearTensor {
  constructor(
    private readonly instance: CoreInstance,
    private readonly entryPtr: number,
    private readonly shape: Shape,
    private readonly bias: number,
    /** For errors: "v8: tensor 0". */
    private readonly title: string,
  ) {}

  /** @param values as many as the tensor has elements, [C, H, W] without borders */
  write(values: Int8Array): void {
    const { address, count, width, start } = this.rows();
    // One write with what stands between the rows, instead of one a row.
    const first = address + start(0);
    const bytes = this.instance.read(first, start(count - 1) + width);
    for (let row = 0; row < count; row++) {
      for (let x = 0, at = start(row); x < width; x++) bytes[at + x] = values[row * width + x] + this.bias;
    }
    this.instance.write(first, bytes);
  }

  /** A copy, [C, H, W] without borders. */
  read(): Int8Array {
    const { address, count, width, start } = this.rows();
    const bytes = this.instance.read(address, start(count - 1) + width);
    const values = new Int8Array(count * width);
    for (let row = 0; row < count; row++) {
      for (let x = 0, at = start(row); x < width; x++) values[row * width + x] = bytes[at + x] - this.bias;
    }
    return values;
  }

  private rows(): Rows {
    const { address, shape, ...layout } = readEntry(this.instance, this.entryPtr);
    const [channels, height, width] = this.shape;
    if (shape.join() !== this.shape.join()) {
      throw new MoteError("ENGINE", `${this.title} has another shape than in the container`);
    }
    return {
      address,
      count: channels * height,
      width,
      start: (row) => offsetOf(layout, Math.floor(row / height), row % height, 0),
    };
  }
}
