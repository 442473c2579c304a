/**
 * Small containers to start from, and mutations of their bits. A byte of a range-coded stream means nothing alone: another one makes noise of all that
 * follows. So bits are changed where they are coded, and all others are coded as they were.
 */
import { SMALL_CRC_START } from "../../assembly/format.js";
import { RangeEncoder } from "../../host/codecs/range-coder.js";
import { writeContainer } from "../../host/container/write.js";
import type { QModel } from "../../host/model/model.js";
import type { Random } from "../../host/rng.js";

/** What a coder was given. */
export interface CodedBit {
  readonly bit: 0 | 1;
  readonly probability: number;
}

/** Of a bit that no context has: one of a field. */
const EVEN = 0x8000;

/** A model as a small container, and the bits of its stream. */
export function smallContainer(model: QModel): { readonly bytes: Uint8Array; readonly bits: readonly CodedBit[] } {
  const original = RangeEncoder.prototype.encode;
  let last: RangeEncoder | undefined;
  let bits: CodedBit[] = [];
  // Coders that only tried a layer's weights come before the one of the file.
  RangeEncoder.prototype.encode = function (bit, probability) {
    if (this !== last) [last, bits] = [this, []];
    bits.push({ bit, probability });
    original.call(this, bit, probability);
  };
  try {
    return { bytes: writeContainer(model, { container: "small" }), bits };
  } finally {
    RangeEncoder.prototype.encode = original;
  }
}

/** Changes a few bits, of fields mostly, or leaves out or adds one. @param tag the first byte of the file @returns the file, its CRC still to be put right */
export function editBits(bits: readonly CodedBit[], tag: number, random: Random, how: string[]): Uint8Array {
  const edited = [...bits];
  const fields = bits.flatMap(({ probability }, index) => (probability === EVEN ? [index] : []));
  for (let left = 1 + random.integer(3); left > 0; left--) {
    const at = random.integer(4) === 0 ? random.integer(edited.length) : fields[random.integer(fields.length)];
    const choice = random.integer(8);
    const added: CodedBit = { bit: random.integer(2) as 0 | 1, probability: EVEN };
    const flipped: CodedBit = { ...edited[at], bit: (1 - edited[at].bit) as 0 | 1 };
    edited.splice(at, choice === 1 ? 0 : 1, ...(choice === 0 ? [] : [choice === 1 ? added : flipped]));
    how.push(`${["leave out", "add"][choice] ?? "flip"} coded bit ${at}`);
  }
  const encoder = new RangeEncoder();
  for (const { bit, probability } of edited) encoder.encode(bit, probability);
  const stream = encoder.finish();
  const bytes = new Uint8Array(SMALL_CRC_START + stream.length);
  bytes[0] = tag;
  bytes.set(stream, SMALL_CRC_START);
  return bytes;
}
