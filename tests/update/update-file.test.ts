/** What is looked at before a file goes to a device: an update that would not bring the model is not written. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { MoteError } from "../../host/errors.js";
import { makeKeys, privateKey } from "../../host/node/update/keys.js";
import { writeUpdateFile } from "../../tools/update-files.js";

/** What goes wrong with an update between its making and its file. */
let damage: (update: Uint8Array) => Uint8Array;
vi.mock("../../host/update/update.js", async (original) => {
  const real = await original<typeof import("../../host/update/update.js")>();
  return { ...real, writeUpdate: (...made: Parameters<typeof real.writeUpdate>) => damage(real.writeUpdate(...made)) };
});

const folder = mkdtempSync(join(tmpdir(), "mote-update-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const [out, base] = [join(folder, "new.update"), new Uint8Array(readFileSync("models/lenet5.mote"))];
const model = base.with(2000, base[2000] ^ 1);
const key = privateKey(Buffer.from(makeKeys().privatePem));
const flip = (at: number) => (update: Uint8Array) => update.with(at, update[at] ^ 1);

beforeEach(() => {
  damage = (update) => update;
});

describe("an update's file", () => {
  it.each([
    ["whole", { out, model, sequence: 2 }],
    ["whole and signed", { out, model, sequence: 2, key }],
    ["as a patch", { out, model, sequence: 2, base }],
    ["as a patch that is signed", { out, model, sequence: 2, base, key }],
  ])("%s is written where it brings the model, and not where it does not", (_, request) => {
    for (const wrong of [flip(0), flip(14), (update: Uint8Array) => flip(update.length - 4)(update)]) {
      damage = wrong;
      expect(() => writeUpdateFile(request)).toThrow(MoteError);
      expect(readdirSync(folder)).toEqual([]);
    }
    damage = (update) => update;
    writeUpdateFile(request);
    expect(existsSync(out)).toBe(true);
    rmSync(out);
  });
});
