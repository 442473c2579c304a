/** What the reader makes of damaged files: a graph whose constants can be asked for, or an error that says what is wrong. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { MoteError } from "../../host/errors.js";
import { readTflite } from "../../host/import/tflite.js";
import { packageRoot } from "../../host/node/paths.js";
import { Random } from "../../host/rng.js";

/** `MOTE_MUTATIONS=200000 npx vitest run tests/import` tries more. */
const MUTATIONS = Number(process.env["MOTE_MUTATIONS"] ?? 4000);

const folder = join(packageRoot, "tests/golden/import");
const seeds = readdirSync(folder)
  .filter((name) => name.endsWith(".tflite"))
  .map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(folder, name))) }));

/** Numbers of four bytes stand at multiples of four: offsets, lengths, indices. Shorts are offsets within tables. */
function mutate(seed: Uint8Array, random: Random): Uint8Array {
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

it(`${MUTATIONS} mutations are read or refused`, { timeout: 1_200_000 }, () => {
  const outcomes = new Map<string, number>();
  for (let index = 0; index < MUTATIONS; index++) {
    const random = new Random(7, index);
    const { name, bytes: seed } = seeds[random.integer(seeds.length)];
    const bytes = mutate(seed, random);
    let outcome = "read";
    try {
      const { tensors } = readTflite({
        size: bytes.length,
        read: (offset, length) => {
          expect(offset + length, `${name}, mutation ${index}: asked for beyond the end`).toBeLessThanOrEqual(
            bytes.length,
          );
          return bytes.subarray(offset, offset + length);
        },
      });
      for (const { constant, type } of tensors) if (type !== "other" && type !== "string") constant?.values();
    } catch (error) {
      if (!(error instanceof MoteError)) throw new Error(`${name}, mutation ${index}`, { cause: error });
      outcome = error.code;
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  expect([...outcomes.keys()].toSorted()).toEqual(["FORMAT", "UNSUPPORTED", "read"]);
  // Most of a file is values, and what is not is mostly noticed.
  expect(outcomes.get("read")).toBeGreaterThan(MUTATIONS / 20);
  expect(outcomes.get("FORMAT")).toBeGreaterThan(MUTATIONS / 20);
});
