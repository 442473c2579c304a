/**
 * Adaptive contexts of the range decoder: how likely a bit is a 1, as those before it under the same circumstances say. A context is a word: the
 * probability in 1/65,536, 16 bits, then how many bits have made it, 8 bits; the last byte is the owner's.
 */
import { decodeBit } from "../range-decoder";

/** What a probability tends to, so that it is at least 48 of 65,536 away from being certain. */
const ONE: i32 = 65488;
const ZERO: i32 = 48;

/** The next bit, from which the context learns: the more it has seen the less. */
export function decodeAdaptive(context: usize): u32 {
  let probability: i32 = load<u16>(context);
  let seen: i32 = load<u8>(context, 2);
  let bit = decodeBit(probability);
  store<u16>(context, probability + ((bit ? ONE : ZERO) - probability) / (seen + 2));
  store<u8>(context, seen + i32(seen < 255), 2);
  return bit;
}
