/**
 * The first error of an `open`, `start` or `step`. Parsers do not hand statuses up field by field: they record the first one
 * here, go on with whatever was read, and are asked once, before any of it is used.
 */
import { STATUS_RANGE } from "../abi";

/** 0, or the STATUS_ that was recorded first. */
export let failure: i32 = 0;

export function fail(status: i32): void {
  if (!failure) failure = status;
}

/** Records `status`, unless `holds`. */
export function expect(holds: bool, status: i32): void {
  if (!holds) fail(status);
}

/** Records STATUS_RANGE, unless `holds`. */
export function expectRange(holds: bool): void {
  expect(holds, STATUS_RANGE);
}

export function clearFailure(): void {
  failure = 0;
}
