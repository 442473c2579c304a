/** Damaged modules, for wasm3: those that `mote pack` makes, a few bytes changed, with a right seal, since otherwise the seal alone would be tested. */
import { sealModule } from "../../host/module/seal.js";
import type { Random } from "../../host/rng.js";

/** Opcodes, types, and numbers at the edge of a byte. */
const TELLING = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x1a, 0x1b, 0x20, 0x21, 0x22, 0x23, 0x24,
  0x28, 0x29, 0x36, 0x37, 0x3f, 0x40, 0x41, 0x42, 0x43, 0x60, 0x6a, 0x7c, 0x7e, 0x7f, 0x80, 0xfc, 0xff,
];
const HEADER_BYTES = 8;

/** @param module sealed */
export function mutateModule(module: Uint8Array, random: Random): Uint8Array {
  const changed = module.slice();
  // Types and functions stand in front and decide most; a model's data hardly anything.
  const near = Math.min(changed.length, random.integer(2) === 0 ? 2560 : 6144);
  const place = (): number =>
    HEADER_BYTES + random.integer((random.integer(16) === 0 ? changed.length : near) - HEADER_BYTES);
  for (let changes = 1 + random.integer(3); changes > 0; changes--) {
    const at = place();
    switch (random.integer(5)) {
      case 0:
        changed[at] ^= 1 << random.integer(8);
        break;
      case 1:
        changed[at] = TELLING[random.integer(TELLING.length)];
        break;
      case 2:
        changed[at] += random.integer(5) - 2;
        break;
      case 3:
        // A large number: FF FF FF FF 0F, or shorter.
        changed.fill(0xff, at, at + random.integer(5));
        break;
      default: {
        const from = place();
        changed.copyWithin(at, from, from + 1 + random.integer(6));
      }
    }
  }
  return sealModule(changed);
}
