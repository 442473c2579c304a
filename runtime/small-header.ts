/** The fields of a small container, which are bits of one stream (spec/container.md, "Version 3, small"). Modules hold none. */
import { MAX_NUMBER_LENGTH, MAX_TENSORS, SMALL_CRC_START, SMALL_SCALE_BITS, SMALL_TAG } from "../assembly/format.js";
import { fieldsOf, type SmallFields } from "./header.js";

/** What `scalesIn` reads. */
export const smallFields: SmallFields = (container) => {
  if (container[0] !== SMALL_TAG) return undefined;
  const bytes = fieldsOf(container, SMALL_CRC_START);
  let tensors = MAX_TENSORS;
  let range = 1;
  let code = 0;
  const bits = (count: number): number => {
    let value = 0;
    for (let place = 0; place < count; place++) {
      for (; range < 2 ** 24; range *= 256) code = code * 256 + bytes.byte();
      const bound = Math.floor(range / 65536) * 32768;
      const bit = code < bound;
      if (!bit) code -= bound;
      range = bit ? bound : range - bound;
      if (bit) value += 2 ** place;
    }
    return value;
  };
  const varint = (mayLack = false): number => {
    if (mayLack && !bits(1)) return 0;
    let length = 0;
    while (length < MAX_NUMBER_LENGTH && bits(1)) length++;
    return 2 ** length - 1 + bits(length);
  };
  const float = (): number => new Float32Array(Uint32Array.of(bits(1) ? bits(32) : SMALL_SCALE_BITS).buffer)[0];
  const byte = (areFlags = false): number => {
    if (!areFlags) return bits(1) && bits(8); // zeroPoint
    const value = varint();
    return (value << 4) | (value >> 4);
  };
  return { left: () => tensors--, byte, varint, float };
};
