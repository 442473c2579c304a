/** The table of live columns: how far from the input element of a row's first weight the element of each lies. Codecs say which are live. */
import { STATUS_PLAN, TENSOR_PLANE } from "../abi";
import { NARROW_TENSOR_BYTES } from "../format";
import { isColumnLive } from "./codecs";
import { arenaPtr } from "./container";
import { ELEMENT_SHIFT } from "./element";
import { input, inputPitch } from "./layer";
import { kernelHeight, kernelWidth } from "./ops/window";
import { columnsPtr, takeScratch } from "./scratch";
import { columns } from "./section";
import { expect, failure } from "./status";
import { tensorBytes } from "./tensor";

/** Columns of one piece of work. */
const COLUMNS: u32 = 16;

/** Live columns. */
export let live: u32 = 0;

/** How many columns have been looked at. */
let done: u32 = 0;

export function beginColumns(): void {
  done = live = 0;
}

/** log2 of the bytes of an entry. */
export function columnShift(): u32 {
  return tensorBytes(input) <= <u32>NARROW_TENSOR_BYTES ? 1 : 2;
}

/** The bits of a loaded u32 that are a column's offset. Narrow entries are loaded with 2 bytes of what follows. */
export function columnMask(shift: u32): u32 {
  return 0xffffffff >>> (shift << 4); // by 16, or by 32, which is none
}

/** Enters those of up to COLUMNS columns into the table that are live. @returns whether those were the last */
export function readColumns(): bool {
  let end = min(done + COLUMNS, columns);
  let shift = columnShift();
  do {
    if (!isColumnLive(done)) continue;
    let entry = columnsPtr + (live++ << shift);
    // Records follow, so that a narrow entry can be written with 2 bytes more.
    expect(columnsPtr + (live << shift) < arenaPtr, STATUS_PLAN);
    if (failure) break;
    let y = done / kernelWidth;
    let offset =
      ((done % kernelWidth) << ELEMENT_SHIFT) +
      (y % kernelHeight) * inputPitch +
      (y / kernelHeight) * load<u32>(input, TENSOR_PLANE);
    store<u32>(entry, offset);
  } while (++done < end);
  if (done == columns) takeScratch(live << shift);
  return done == columns;
}
