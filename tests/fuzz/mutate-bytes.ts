/** Mutations of any file of bytes or of text. */
import type { Random } from "../../host/rng.js";

/** Bits turned, words exchanged or changed a little, parts copied over others; sometimes the end is missing. */
export function mutateBytes(seed: Uint8Array, random: Random): Uint8Array {
  const bytes = seed.slice();
  const view = new DataView(bytes.buffer);
  for (let changes = 1 + random.integer(3); changes > 0; changes--) {
    const at = random.integer(bytes.length - 4);
    const kind = random.integer(4);
    if (kind === 0) bytes[at] ^= 1 << random.integer(8);
    else if (kind === 1) view.setUint32(at & ~3, random.nextU32() >>> random.integer(32), true);
    else if (kind === 2) view.setUint32(at & ~3, view.getUint32(at & ~3, true) + random.integer(17) - 8, true);
    else bytes.copyWithin(at, random.integer(bytes.length), random.integer(bytes.length));
  }
  return random.integer(8) === 0 ? bytes.subarray(0, random.integer(bytes.length)) : bytes;
}

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Numbers around the edges of what sizes may be, and other things that mean something somewhere. */
const WORDS =
  '0 1 -1 2 3 7 16 17 255 65536 2147483648 9007199254740991 1e300 -0.5 0x10 true [ ] { } : , " # "data" "conv1" "w" MAX AVE PROD null []'.split(
    " ",
  );

/** Words and signs of a text exchanged, left out, doubled; sometimes its bytes. */
export function mutateText(seed: Uint8Array, random: Random): Uint8Array {
  if (random.integer(8) === 0) return mutateBytes(seed, random);
  const tokens = decode(seed).match(/\s+|"[^"]*"|[\w.+-]+|[^]/g)!;
  for (let changes = 1 + random.integer(3); changes > 0; changes--) {
    const at = random.integer(tokens.length);
    const other = random.integer(tokens.length);
    const kind = random.integer(5);
    if (kind === 0) tokens.splice(at, 1 + random.integer(4));
    else if (kind === 1) tokens.splice(at, 0, ...tokens.slice(other, other + 1 + random.integer(20)));
    else if (kind === 2) tokens[at] = tokens[other];
    else tokens[at] = WORDS[random.integer(WORDS.length)];
    if (tokens.length === 0) break;
  }
  return encode(tokens.join(""));
}

/** Of a safetensors file what its header says, in a file as long. */
export function mutateHeader(seed: Uint8Array, random: Random): Uint8Array {
  if (random.integer(4) === 0) return mutateBytes(seed, random);
  const length = Number(new DataView(seed.buffer, seed.byteOffset).getBigUint64(0, true));
  const header = mutateText(seed.subarray(8, 8 + length), random);
  const bytes = new Uint8Array(8 + header.length + seed.length - 8 - length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  bytes.set(seed.subarray(8 + length), 8 + header.length);
  return bytes;
}

/** Of a FlatBuffer, in which numbers of four bytes stand at multiples of four: offsets, lengths, indices. Shorts are offsets within tables. */
export function mutateFlatBuffer(seed: Uint8Array, random: Random): Uint8Array {
  const bytes = seed.slice();
  const view = new DataView(bytes.buffer);
  for (let i = 1 + random.integer(3); i > 0; i--) {
    const word = 4 * random.integer(bytes.length >> 2);
    const choice = random.integer(6);
    if (choice === 0) bytes[random.integer(bytes.length)] ^= 1 << random.integer(8);
    else if (choice === 1) view.setUint16(word + 2 * random.integer(2), random.integer(24), true);
    else if (choice === 2) view.setUint32(word, random.nextU32() >>> random.integer(32), true);
    else if (choice === 3) view.setUint32(word, view.getUint32(word, true) + random.integer(17) - 8, true);
    // What something else in the file leads to, or far too much.
    else if (choice === 4) view.setUint32(word, Math.max(0, 4 * random.integer(bytes.length >> 2) - word), true);
    else view.setUint32(word, [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, bytes.length][random.integer(6)], true);
  }
  return random.integer(8) === 0 ? bytes.subarray(0, random.integer(bytes.length)) : bytes;
}
