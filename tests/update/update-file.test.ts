/** What is looked at before a file goes to a device: an update that would not bring the model is not made. */
import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { MoteError } from "../../host/errors.js";
import { makeKeys, privateKey } from "../../host/node/update/keys.js";
import { modelOf, readUpdate } from "../../host/update/update.js";
import { makeUpdate } from "../../tools/update-files.js";

/** What goes wrong with an update between its making and its file. */
let damage: (update: Uint8Array) => Uint8Array;
vi.mock("../../host/update/update.js", async (original) => {
  const real = await original<typeof import("../../host/update/update.js")>();
  return { ...real, writeUpdate: (...made: Parameters<typeof real.writeUpdate>) => damage(real.writeUpdate(...made)) };
});

const base = new Uint8Array(readFileSync("models/lenet5.mote"));
const model = base.with(2000, base[2000] ^ 1);
const key = privateKey(Buffer.from(makeKeys().privatePem));
const flip = (at: number) => (update: Uint8Array) => update.with(at, update[at] ^ 1);

beforeEach(() => {
  damage = (update) => update;
});

const files = { out: "new.update", path: "new.mote" };

describe("an update's file", () => {
  it.each([
    ["whole", { ...files, model, sequence: 2 }],
    ["whole and signed", { ...files, model, sequence: 2, key }],
    ["as a patch", { ...files, model, sequence: 2, base }],
    ["as a patch that is signed", { ...files, model, sequence: 2, base, key }],
  ])("%s is made where it brings the model, and not where it does not", (_, request) => {
    for (const wrong of [flip(0), flip(14), (update: Uint8Array) => flip(update.length - 4)(update)]) {
      damage = wrong;
      expect(() => makeUpdate(request)).toThrow(MoteError);
    }
    damage = (update) => update;
    expect(modelOf(readUpdate(makeUpdate(request).bytes), base)).toEqual(model);
  });
});
