/**
 * A thread's own memory, as offsets from its start. Activations are [block of eight samples][C][H][W][8] floats: a "value" of a plane is
 * 32 bytes, one float for each sample.
 */

export const BLOCK_SAMPLES = 8;
/** Bytes of one value in each of a block's eight samples. */
export const VALUE_BYTES = 32;

/** Bytes of an arena, handed out in cache lines. */
export class Arena {
  bytes = 0;
  take(bytes: number): number {
    const at = this.bytes;
    this.bytes += Math.ceil(bytes / 64) * 64;
    return at;
  }
}
