/** What takes a row's sum of stored elements to an output byte, all that is known beforehand folded into one constant. */
import { ELEMENT_BIAS, ROW_BYTES } from "../../assembly/fast/layout.js";
import { MoteError } from "../errors.js";
import type { Axes, QModel } from "../model/model.js";

/** Elements are stored as the bytes 0 … 255. */
export const MOST_ELEMENT = 255;
/** The head of a row has 24 bits for it. */
const MAX_COUNT = 0xffffff;

/** An output byte is `(sum × multiplier + constant) >> shift`, then clamped. */
export interface Fold {
  readonly constant: bigint;
  readonly multiplier: number;
  readonly shift: number;
}

export const UNCHANGED: Fold = { constant: 0n, multiplier: 1, shift: 0 };

export interface Folded {
  /** What the kernel's sum may be. */
  readonly lowest: number;
  readonly highest: number;
  /** From the sum to the accumulator of the reference. */
  readonly toAccumulator: number;
  readonly multiplier: number;
  readonly shift: number;
  /** The output's zero point, as stored. */
  readonly zero: number;
  readonly clamp: Axes;
  /** Whether halves are rounded away from zero. */
  readonly isAverage: boolean;
  readonly where: string;
}

/** A tensor's zero point as it is stored. */
export const storedZero = (model: QModel, tensor: number): number => model.tensors[tensor].zeroPoint + ELEMENT_BIAS;

/** @throws MoteError UNSUPPORTED for a sum or accumulator that may pass int32, or an output that passes int64 before the shift or int32 behind it */
export function fold(row: Folded): Fold {
  const folded = foldOrProblem(row);
  return typeof folded === "string" ? unsupported(`${row.where}: ${folded}`) : folded;
}

function foldOrProblem(row: Folded): Fold | string {
  const { lowest, highest, toAccumulator } = row;
  for (const [what, least, most] of [
    ["the accumulator", lowest + toAccumulator, highest + toAccumulator],
    ["the sum over unsigned elements", lowest, highest],
  ] as const) {
    if (least < -(2 ** 31) || most >= 2 ** 31) return `${what} may reach ${least} … ${most}, expected an int32`;
  }
  const multiplier = BigInt(row.multiplier);
  const shift = BigInt(row.shift);
  const constant = BigInt(toAccumulator) * multiplier + (1n << (shift - 1n)) + (BigInt(row.zero) << shift);
  const scaled = [lowest, highest].map((sum) => BigInt(sum) * multiplier + constant);
  const outputs = scaled.map((value) => (row.isAverage ? awayFromZero(value, shift) : value >> shift));
  const fits =
    [constant, scaled[0] - 1n, ...scaled].every((value) => isInt(value, 64)) &&
    outputs.every((value) => isInt(value, 32));
  if (fits) return { constant, multiplier: row.multiplier, shift: row.shift };
  const [clampMin, clampMax] = row.clamp.map((q) => BigInt(q + ELEMENT_BIAS));
  const [first, last] = outputs.map((value) => (value < clampMin ? clampMin : value > clampMax ? clampMax : value));
  // Between two integers, so that it is rounded to the one whichever way halves go.
  if (first === last) return { constant: 4n * first + 1n, multiplier: 0, shift: 2 };
  return `multiplier ${row.multiplier} and shift ${row.shift} take sums of ${lowest} … ${highest} beyond 64 bits, or outputs beyond 32`;
}

/**
 * For kernels that begin with the upper half of the product: what remains of the shift, which they need to be 32 or more.
 * @returns undefined where it is less and cannot be raised, or the row passes their integers
 */
export function foldHigh(row: Folded): Fold | undefined {
  const folded = foldOrProblem(row);
  if (typeof folded === "string") return undefined;
  const { constant, multiplier, shift } = folded;
  if (row.clamp[1] - row.clamp[0] === 1 && multiplier > 0) return foldStep(row, folded);
  const more = Math.max(0, 32 - shift);
  const raised = { constant: constant << BigInt(more), multiplier: multiplier * 2 ** more, shift: shift + more - 32 };
  return raised.multiplier < 2 ** 31 && isInt(raised.constant, 64) ? raised : undefined;
}

/** Of two outputs: the least sum that gives the greater one is all that there is to know, whatever the scale. */
function foldStep({ lowest, highest, clamp }: Folded, { constant, multiplier, shift }: Fold): Fold {
  const greater = BigInt(clamp[1] + ELEMENT_BIAS);
  const [dividend, divisor] = [(greater << BigInt(shift)) - constant, BigInt(multiplier)];
  const rounded = dividend / divisor;
  const least = Number(rounded * divisor < dividend ? rounded + 1n : rounded);
  const within = Math.max(lowest, Math.min(highest + 1, least));
  // A quarter a unit, so that sums of an int32 fit.
  return { constant: (greater << 32n) - (BigInt(within) << 30n), multiplier: 2 ** 30, shift: 0 };
}

/** As kernels/pool has it. */
function awayFromZero(scaled: bigint, shift: bigint): bigint {
  const rounded = scaled >> shift;
  return rounded <= BigInt(ELEMENT_BIAS) ? (scaled - 1n) >> shift : rounded;
}

function isInt(value: bigint, bits: number): boolean {
  return BigInt.asIntN(bits, value) === value;
}

export function unsupported(problem: string): never {
  throw new MoteError("UNSUPPORTED", `not for a fast module: ${problem}`);
}

/** @param count of pairs, or of the bytes that follow */
export function rowHead({ constant, multiplier, shift }: Fold, count: number, where: string): Uint8Array {
  if (count > MAX_COUNT) unsupported(`${where}: ${count} pairs, or bytes of chunks, at most ${MAX_COUNT} are allowed`);
  const head = new DataView(new ArrayBuffer(ROW_BYTES));
  head.setBigInt64(0, constant, true);
  head.setUint32(8, multiplier, true);
  head.setUint32(12, count * 256 + shift, true);
  return new Uint8Array(head.buffer);
}
