import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { ed25519Folder } from "../../host/node/firmware/ed25519.js";
import { aotCore, buildNative, missing, named, runNative } from "./support/native.js";
import { slotsFiles } from "./support/slots.js";

const folder = ed25519Folder();
const lacking = [...missing, ...(folder === undefined ? ["ed25519-supercop"] : [])];

describe.skipIf(lacking.length > 0)(named("two slots under AddressSanitizer and UBSan", lacking), () => {
  let outcome = "";
  beforeAll(async () => {
    const { folder: files, header } = slotsFiles();
    const program = await buildNative("slots-test", await aotCore(), "slots", undefined, {
      headers: { "key.h": header },
      ed25519: folder!,
    });
    outcome = (await runNative(program, [files])).stdout;
  }, 240_000);

  it("pass all checks", () => {
    expect(outcome).toMatch(/^\d{5,} checks passed, 0 failed$/m);
  });

  it("survive a cut at every byte and erase, of all that an update writes", () => {
    const length = readFileSync("models/lenet5.mote").length;
    const places = Number(/^whole, unit 4: (\d+) places/m.exec(outcome)![1]);
    // The model, the header twice, two words of the state, an erase of each sector.
    expect(places).toBeGreaterThan(length + 2 * 88 + 2 * 4);
    expect(outcome).toMatch(
      new RegExp(`^whole, unit 4: ${places} places, survived ${3 * places} of ${3 * places} cuts$`, "m"),
    );
    expect(outcome.match(/^tiny, twice, unit \d+: \d+ places, survived (\d{5,}) of \1 cuts$/gm)).toHaveLength(2);
    expect(outcome.match(/^failed, unit \d: \d+ places, survived (\d+) of \1 cuts$/gm)).toHaveLength(65);
    expect(outcome).toMatch(/^wrap, unit 16: \d+ places, survived (\d+) of \1 cuts$/m);
  });
});
