import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { CRC_START } from "../../assembly/format.js";
import { crc32 } from "../../host/container/crc32.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { leNets } from "../support/models.js";
import { expectOneLine, mote, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const data = ["--data", "mnist:test:2"];
let good: Uint8Array;

beforeAll(() => {
  good = writeContainer(leNets().find(({ name }) => name === "narrow lenet5-like")!.model);
});

/** Changes a copy of the good container; with `sealed`, makes its checksum right again. */
function broken(change: (bytes: Uint8Array) => void, sealed: boolean): Uint8Array {
  const bytes = Uint8Array.from(good);
  change(bytes);
  return sealed ? seal(bytes) : bytes;
}

/** The mask of ops, one byte of a small model, becomes one of two bytes that has op 13 too. */
function laterOp(): Uint8Array {
  const bytes = Uint8Array.from([
    ...good.subarray(0, CRC_START),
    good[CRC_START] | 0x80,
    0x40,
    ...good.subarray(CRC_START + 1),
  ]);
  return seal(bytes);
}

function seal(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer).setUint32(CRC_START - 4, crc32(bytes.subarray(CRC_START)), true);
  return bytes;
}

/** Bit offset in the file of the first layer's weight code lengths, 4 bits each. */
function weightLengthsBit(): number {
  const section = readContainer(good).layers[0].section!;
  return 8 * section.offset + section.requantizeBits + section.biasBitsTotal + section.bits.map + section.bits.alphabet;
}

function bits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value |= ((bytes[(at + i) >> 3] >> ((at + i) & 7)) & 1) << i;
  return value;
}

function setBits(bytes: Uint8Array, at: number, count: number, value: number): void {
  for (let i = 0; i < count; i++) {
    const mask = 1 << ((at + i) & 7);
    bytes[(at + i) >> 3] = (value >> i) & 1 ? bytes[(at + i) >> 3] | mask : bytes[(at + i) >> 3] & ~mask;
  }
}

/** Changes the first code length above 1 by `by`. */
function changeLength(bytes: Uint8Array, by: number): void {
  let at = weightLengthsBit();
  while (bits(bytes, at, 4) < 2) at += 4;
  setBits(bytes, at, 4, bits(bytes, at, 4) + by);
}

describe("a bad container is refused with one line", () => {
  const cases: [name: string, make: () => Uint8Array, message: RegExp][] = [
    ["empty", () => new Uint8Array(), /ends|empty|0 bytes/],
    ["not a container", () => new TextEncoder().encode("hello, this is no model at all"), /magic|not a \.mote/i],
    [
      "truncated",
      () => good.subarray(0, good.length - 20),
      /crc is 0x[0-9a-f]+, the bytes give .*: the file is damaged/,
    ],
    ["cut within its head", () => good.subarray(0, 7), /ends within crc: 4 bytes wanted, 3 are left/],
    ["longer than it was", () => Uint8Array.from([...good, 0, 0, 0]), /crc is .*: the file is damaged/],
    ["a flipped bit", () => broken((bytes) => (bytes[200] ^= 4), false), /crc|checksum/i],
    [
      "another version",
      () => broken((bytes) => (bytes[3] = 1), true),
      /version is 1; this build reads versions 2 and 4/,
    ],
    ["an op of a later build", () => laterOp(), /ops is 0x2003: the model needs op 13; this build has ops 0 … \d/],
    ["an over-subscribed code", () => broken((bytes) => changeLength(bytes, -1), true), /over-subscribed/],
    ["an incomplete code", () => broken((bytes) => changeLength(bytes, 1), true), /incomplete/],
  ];

  it.each(cases)("%s", async (name, make, message) => {
    const path = scratch.path(`${name.replaceAll(" ", "-")}.mote`);
    writeFileSync(path, make());
    expectOneLine(await mote(["run", path, ...data]), message);
    const inspected = await mote(["inspect", path]);
    expectOneLine(inspected, message);
    expect(inspected.stderr).toContain(path);
    const out = scratch.path(`${name.replaceAll(" ", "-")}.wasm`);
    expectOneLine(await mote(["pack", path, "--out", out]), message);
    expect(scratch.names().some((file) => file.includes(".wasm"))).toBe(false);
  });

  it("a stream that ends early or runs over", async () => {
    const section = readContainer(good).layers[0].section!;
    const symbols = weightLengthsBit() + section.bits.lengths;
    const path = scratch.path("stream.mote");
    const messages: string[] = [];
    // Other bits give other codes: most such streams need more or fewer bits than the section has.
    for (let bit = 8; bit < 56; bit += 8) {
      writeFileSync(
        path,
        broken((bytes) => setBits(bytes, symbols + bit, 8, ~bits(bytes, symbols + bit, 8)), true),
      );
      const outcome = await mote(["run", path, ...data]);
      if (outcome.code === 0) continue;
      expectOneLine(outcome, /section|stream/);
      messages.push(outcome.stderr);
    }
    expect(messages.length).toBeGreaterThan(2);
  });

  it("a file that is not there, or is a folder", async () => {
    expectOneLine(await mote(["run", scratch.path("none.mote"), ...data]), /none\.mote: cannot be read: no such file/);
    expectOneLine(await mote(["inspect", scratch.path("none.mote")]), /none\.mote: cannot be read: no such file/);
    expectOneLine(await mote(["run", scratch.path("."), ...data]), /cannot be read/);
  });

  it("a foreign WebAssembly module", async () => {
    const path = scratch.path("foreign.wasm");
    writeFileSync(path, Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    expectOneLine(await mote(["run", path, ...data]), /foreign\.wasm: /);
  });
});

it("a container is known by its first bytes, whatever its name", async () => {
  const path = scratch.path("model.bin");
  writeFileSync(path, good);
  expect((await mote(["inspect", path])).code).toBe(0);
});

describe("a plan larger than the limit is refused, and names what is large", () => {
  it.each(["wasm3", "v8"])("run --limit under %s", async (engine) => {
    const path = scratch.path("good.mote");
    writeFileSync(path, good);
    expectOneLine(await mote(["run", path, ...data, "--engine", engine, "--limit", "4000"]), /\d+ bytes.*limit.* 4000/);
  });

  it("pack --sram", async () => {
    const path = scratch.path("good.mote");
    writeFileSync(path, good);
    const out = scratch.path("small.c");
    const outcome = await mote(["pack", path, "--out", out, "--sram", "4000"]);
    expectOneLine(outcome, /arena .*\d/);
    expect(scratch.names()).not.toContain("small.c");
  });
});

describe("a full disk", () => {
  it("leaves nothing behind, and the old file as it was", async () => {
    const path = scratch.path("good.mote");
    writeFileSync(path, good);
    const out = scratch.path("full.wasm");
    writeFileSync(out, "the old file");
    // A limit on the size of files fails a write as a full disk does, and needs no rights.
    const outcome = await mote(["pack", path, "--out", out], { limits: "ulimit -f 1" });
    expectOneLine(outcome, /full\.wasm: cannot be written: (the file is too large|no space left)/);
    expect(readFileSync(out, "utf8")).toBe("the old file");
    expect(scratch.names().filter((file) => file.includes("full"))).toEqual(["full.wasm"]);
  });
});
