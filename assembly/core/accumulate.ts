/**
 * Sparse dot products: records against elements. A record is `offset << 8 | weight`: the bytes from the address given to
 * the element, 0 … 2^24 - 1, and an int8 weight. Sums are int32 and wrap.
 */
import { RECORD_BYTES } from "../abi";

/** `acc + Σ weight × element` over the records from `record` to before `end`. */
export function dot1(record: usize, end: usize, elements: usize, acc: i32): i32 {
  if (record < end) {
    do {
      acc += load<i8>(record) * load<Element>(elements + (load<u32>(record) >>> 8));
      record += RECORD_BYTES;
    } while (record < end);
  }
  return acc;
}

/**
 * The same for four places at once, so that a record is loaded and taken apart once: the addresses are four u32 words at
 * `lanes`, and their sums the four words behind them.
 */
export function dot4(record: usize, end: usize, lanes: usize): void {
  let a = load<usize>(lanes);
  let b = load<usize>(lanes, 4);
  let c = load<usize>(lanes, 8);
  let d = load<usize>(lanes, 12);
  let accA = load<i32>(lanes, 16);
  let accB = load<i32>(lanes, 20);
  let accC = load<i32>(lanes, 24);
  let accD = load<i32>(lanes, 28);
  if (record < end) {
    do {
      let offset = load<u32>(record) >>> 8;
      let weight: i32 = load<i8>(record);
      accA += weight * load<Element>(a + offset);
      accB += weight * load<Element>(b + offset);
      accC += weight * load<Element>(c + offset);
      accD += weight * load<Element>(d + offset);
      record += RECORD_BYTES;
    } while (record < end);
  }
  store<i32>(lanes, accA, 16);
  store<i32>(lanes, accB, 20);
  store<i32>(lanes, accC, 24);
  store<i32>(lanes, accD, 28);
}
