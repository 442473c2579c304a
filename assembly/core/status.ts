/**
 * The first error of an `open`, `start` or `step`. Parsers do not return statuses field by field: they record the first one
 * here, go on with zeros, and are asked once, before anything that was read is used.
 */

/** 0, or the STATUS_ that was recorded first. */
export let failure: i32 = 0;

export function fail(status: i32): void {
  if (!failure) failure = status;
}

export function clearFailure(): void {
  failure = 0;
}
