/** LEB128: seven bits a byte, the least significant ones first, the top bit set on all bytes but the last. */

/** @param value 0 … 2^53 - 1 @returns its unsigned LEB128, in as few bytes as it takes */
export function leb128(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return [...bytes, value];
}

/** @returns the signed LEB128 of any whole number, in as few bytes as it takes */
export function signedLeb128(value: bigint): number[] {
  const bytes: number[] = [];
  for (;;) {
    const byte = Number(value & 0x7fn);
    value >>= 7n;
    const isLast = value === ((byte & 0x40) === 0 ? 0n : -1n);
    bytes.push(isLast ? byte : byte | 0x80);
    if (isLast) return bytes;
  }
}

/** A number as it was found: whoever reads it says whether it may be so long, so large, or written in more bytes than it needs. */
export interface FoundLeb128 {
  /** 0 … 2^35 - 1 */
  readonly value: number;
  /** 1 … 5 */
  readonly bytes: number;
  /** Above 127 where a sixth byte would follow, which has not been read. */
  readonly last: number;
}

/** Reads an unsigned number of up to 5 bytes. @param next takes a byte, and throws where there is none */
export function readLeb128(next: () => number): FoundLeb128 {
  let value = 0;
  for (let bytes = 1; ; bytes++) {
    const last = next();
    value += (last & 0x7f) * 2 ** (7 * (bytes - 1));
    if (last < 0x80 || bytes === 5) return { value, bytes, last };
  }
}
