/** Of a byte with no, one, two and three bytes behind it: four bytes are taken at once. */
const tables = ((): readonly Uint32Array[] => {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
    first[byte] = value;
  }
  const behind = (table: Uint32Array): Uint32Array => table.map((value) => (value >>> 8) ^ first[value & 255]);
  const second = behind(first);
  const third = behind(second);
  return [first, second, third, behind(third)];
})();

/** CRC-32 as in zip and PNG: reflected polynomial EDB88320, initial value and final XOR FFFFFFFF. @returns 0 .. 2^32 - 1 */
export function crc32(bytes: Uint8Array): number {
  const [first, second, third, fourth] = tables;
  let crc = -1;
  let i = 0;
  for (const end = bytes.length - 3; i < end; i += 4) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc = fourth[crc & 255] ^ third[(crc >>> 8) & 255] ^ second[(crc >>> 16) & 255] ^ first[crc >>> 24];
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ first[(crc ^ bytes[i]) & 255];
  return ~crc >>> 0;
}
