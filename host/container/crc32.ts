const table = ((): Uint32Array => {
  const entries = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
    entries[byte] = value;
  }
  return entries;
})();

/** CRC-32 as in zip and PNG: reflected polynomial EDB88320, initial value and final XOR FFFFFFFF. @returns 0 .. 2^32 - 1 */
export function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]) & 255];
  return ~crc >>> 0;
}
