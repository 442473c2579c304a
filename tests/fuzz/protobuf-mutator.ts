/** Damaged messages of protocol buffers: bytes at random, or fields changed, moved and removed with all lengths put right, which reaches deeper. */
import { concatBytes } from "../../host/bytes.js";
import { leb128 } from "../../host/module/leb128.js";
import type { Random } from "../../host/rng.js";

/** A field: a message has fields of its own, all others the bytes of their value. */
interface Field {
  number: number;
  wire: number;
  value: Uint8Array;
  fields: Field[] | undefined;
}

const MAX_DEPTH = 8;

/** Integers around the edges of all that they may be, as varints. */
const NUMBERS = [
  0n,
  1n,
  2n,
  3n,
  7n,
  15n,
  16n,
  17n,
  24n,
  25n,
  127n,
  128n,
  255n,
  256n,
  65535n,
  65536n,
  (1n << 31n) - 1n,
  1n << 31n,
  1n << 32n,
  1n << 40n,
  1n << 53n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
  (1n << 64n) - 2n,
].map(varint);

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 0x80n; value >>= 7n) bytes.push(Number(value & 0x7fn) | 0x80);
  return Uint8Array.from([...bytes, Number(value)]);
}

/** @returns undefined for what is no message */
function parse(bytes: Uint8Array, depth = 0): Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? NaN;
      value += (byte % 128) * scale;
      if (!(byte >= 128)) return value;
    }
  };
  while (at < bytes.length) {
    const key = number();
    const wire = key % 8;
    let start = at;
    if (wire === 0) number();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else if (wire === 2) {
      const length = number();
      start = at;
      at += length;
    }
    if (!(at <= bytes.length) || ![0, 1, 2, 5].includes(wire) || !(key >= 8)) return undefined;
    const value = bytes.subarray(start, at);
    const inner = wire === 2 && value.length > 1 && depth < MAX_DEPTH ? parse(value, depth + 1) : undefined;
    fields.push({ number: Math.floor(key / 8), wire, value, fields: inner });
  }
  return fields;
}

function encode(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap(({ number, wire, value, fields: inner }) => {
    const content = inner === undefined ? value : encode(inner);
    return [Uint8Array.from([...leb128(number * 8 + wire), ...(wire === 2 ? leb128(content.length) : [])]), content];
  });
  return concatBytes(parts);
}

/** @param texts that mean something to who reads the message, such as names of ops */
export function mutateMessage(bytes: Uint8Array, texts: readonly string[], random: Random): Uint8Array {
  return random.integer(4) === 0 ? damaged(bytes, random) : restructured(bytes, texts, random);
}

function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const changed = bytes.slice(0, random.integer(8) === 0 ? random.integer(bytes.length) : bytes.length);
  for (let changes = 1 + random.integer(3); changes > 0 && changed.length > 0; changes--) {
    const at = random.integer(changed.length);
    const kind = random.integer(4);
    if (kind === 0) changed[at] ^= 1 << random.integer(8);
    else if (kind === 1) changed[at] = random.integer(256);
    else if (kind === 2) changed.fill(0xff, at, at + 1 + random.integer(10));
    else changed.copyWithin(at, random.integer(changed.length), random.integer(changed.length));
  }
  return changed;
}

function restructured(bytes: Uint8Array, texts: readonly string[], random: Random): Uint8Array {
  const root = parse(bytes)!;
  for (let changes = 1 + random.integer(3); changes > 0; changes--) {
    const lists: Field[][] = [];
    const collect = (fields: Field[]): void => {
      if (fields.length > 0) lists.push(fields);
      for (const field of fields) if (field.fields !== undefined) collect(field.fields);
    };
    collect(root);
    if (lists.length === 0) break;
    const list = lists[random.integer(lists.length)];
    change(list, random.integer(list.length), lists, texts, random);
  }
  return encode(root);
}

function change(list: Field[], at: number, lists: readonly Field[][], texts: readonly string[], random: Random): void {
  const field = list[at];
  const other = lists[random.integer(lists.length)];
  switch (random.integer(7)) {
    case 0:
      list.splice(at, 1);
      break;
    case 1:
      list.splice(random.integer(list.length + 1), 0, structuredClone(field));
      break;
    case 2:
      // What another field holds, of the same kind as a rule.
      list[at] = { ...structuredClone(other[random.integer(other.length)]), number: field.number };
      break;
    case 3:
      list.splice(at, 0, structuredClone(other[random.integer(other.length)]));
      break;
    case 4:
      field.number = 1 + random.integer(24);
      break;
    case 5:
      if (field.wire === 0) field.value = NUMBERS[random.integer(NUMBERS.length)];
      else if (field.wire === 2) Object.assign(field, { value: textOrNumbers(texts, random), fields: undefined });
      else field.value = field.value.map(() => [0, 0x7f, 0x80, 0xff][random.integer(4)]);
      break;
    default:
      // Names are mostly of ops and tensors: to give a node those of another leads to unknown places.
      if (field.fields === undefined && field.wire === 2) {
        field.value = new TextEncoder().encode(texts[random.integer(texts.length)]);
      } else {
        const swap = random.integer(list.length);
        [list[at], list[swap]] = [list[swap], field];
      }
  }
}

function textOrNumbers(texts: readonly string[], random: Random): Uint8Array {
  if (random.integer(2) === 0) return new TextEncoder().encode(texts[random.integer(texts.length)]);
  const numbers = Array.from({ length: random.integer(6) }, () => NUMBERS[random.integer(NUMBERS.length)]);
  return Uint8Array.from(numbers.flatMap((number) => [...number]));
}
