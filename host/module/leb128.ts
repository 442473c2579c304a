/** LEB128: seven bits a byte, the least significant ones first. */

/** @param value 0 … 2^53 - 1 @returns its unsigned LEB128, in as few bytes as it takes */
export function leb128(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return [...bytes, value];
}
