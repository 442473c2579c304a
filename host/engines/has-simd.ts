/** A module with one function, of one instruction of SIMD128. */
const PROBE = Uint8Array.from(
  [
    [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    [1, 5, 1, 0x60, 0, 1, 0x7b], // type: () → v128
    [3, 2, 1, 0],
    [10, 8, 1, 6, 0, 0x41, 0, 0xfd, 0x0f, 0x0b], // i8x16.splat(0)
  ].flat(),
);

/** Whether this machine's WebAssembly has SIMD128. */
export function hasSimd(): boolean {
  return WebAssembly.validate(PROBE);
}
