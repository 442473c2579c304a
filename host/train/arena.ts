/**
 * A thread's own memory, as offsets from its start. Activations are [block of eight samples][C][H][W][8] floats: a "value" of a plane is
 * 32 bytes, one float for each sample.
 */

export const BLOCK_SAMPLES = 8;
/** Bytes of one value in each of a block's eight samples. */
export const VALUE_BYTES = 32;

/** Regions start at a cache line. */
const LINE_BYTES = 64;

const roundedUp = (bytes: number): number => Math.ceil(bytes / LINE_BYTES) * LINE_BYTES;

/** Bytes of an arena, handed out in cache lines. */
export class Arena {
  bytes = 0;
  take(bytes: number): number {
    const at = this.bytes;
    this.bytes += roundedUp(bytes);
    return at;
  }
}

/** Memory that is needed from one step to another, both included. */
export interface Region {
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Places for regions such that no two which are needed at the same time overlap: the largest first, each as low as it can be.
 * @returns an offset for each region, and the bytes that all of them take
 */
export function placeRegions(regions: readonly Region[]): { readonly offsets: number[]; readonly bytes: number } {
  const offsets: number[] = regions.map(() => 0);
  const placed: number[] = [];
  let total = 0;
  const largestFirst = regions.map((_, index) => index).toSorted((a, b) => regions[b].bytes - regions[a].bytes);
  for (const index of largestFirst) {
    const { bytes, from, to } = regions[index];
    const others = placed
      .filter((other) => regions[other].from <= to && regions[other].to >= from)
      .toSorted((a, b) => offsets[a] - offsets[b]);
    let at = 0;
    for (const other of others) {
      if (offsets[other] >= at + roundedUp(bytes)) break;
      at = Math.max(at, offsets[other] + roundedUp(regions[other].bytes));
    }
    offsets[index] = at;
    total = Math.max(total, at + roundedUp(bytes));
    placed.push(index);
  }
  return { offsets, bytes: total };
}
