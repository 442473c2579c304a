/** `mote certify` and `mote verify --certificate`, as a user calls them. */
import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { certificateOf, type Certificate } from "../../host/container/certificate.js";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { certified } from "../../tools/certificate.js";
import { leNets } from "../support/models.js";
import { widened } from "../support/wide.js";
import { expectOneLine, lastJson, mote, moteProcess, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const { model } = leNets().find(({ name }) => name.startsWith("narrow"))!;
let certificate: Certificate;

beforeAll(async () => {
  writeFileSync(scratch.path("model.mote"), writeContainer(model));
  const { code } = await moteProcess([
    "certify",
    scratch.path("model.mote"),
    "-o",
    scratch.path("sure.mote"),
    "--vectors",
    "4",
  ]);
  expect(code).toBe(0);
  certificate = certificateOf(readContainer(readFileSync(scratch.path("sure.mote"))).model)!;
});

describe("mote certify", () => {
  it("writes what holds, and says it", async () => {
    const args = ["certify", scratch.path("model.mote"), "-o", scratch.path("again.mote"), "--vectors", "4", "--json"];
    const outcome = await mote(args);
    expect(lastJson(outcome)).toMatchObject({ ...certificate, vectors: 4 });
    expect(outcome.stderr).toMatch(/memory +[\d,]+ bytes of linear memory, exactly/);
    expect(outcome.stderr).toMatch(/core +[\d,]+ (… [\d,]+ )?WebAssembly instructions/);
    expect(readFileSync(scratch.path("again.mote"))).toEqual(readFileSync(scratch.path("sure.mote")));
  });

  it("counts a model of 16-bit activations by the core that runs it", async () => {
    const [wide, sure] = ["wide.mote", "sure-wide.mote"].map((name) => scratch.path(name));
    writeFileSync(wide, writeContainer(widened(model)));
    const outcome = await mote(["certify", wide, "-o", sure, "--vectors", "4"]);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stdout).toMatch(/core +[\d,]+ (… [\d,]+ )?WebAssembly instructions/);
    expect((await mote(["verify", sure, "--certificate"])).code).toBe(0);
  });

  it("replaces a certificate that is there", async () => {
    const args = ["certify", scratch.path("sure.mote"), "-o", scratch.path("other.mote"), "--vectors", "5"];
    expect((await mote(args)).code).toBe(0);
    const other = certificateOf(readContainer(readFileSync(scratch.path("other.mote"))).model)!;
    expect(other).toEqual({ ...certificate, vectors: 5, outputsCrc: other.outputsCrc });
  });

  it("is not carried on to a model of other codes, which takes other memory", async () => {
    const out = scratch.path("recoded.mote");
    expect((await mote(["pack", scratch.path("sure.mote"), "-o", out, "--codec", "arithmetic"])).code).toBe(0);
    expect(certificateOf(readContainer(readFileSync(out)).model)).toBeUndefined();
  });

  it("refuses what it cannot certify, and writes nothing", async () => {
    writeFileSync(scratch.path("broken.mote"), readFileSync(scratch.path("model.mote")).subarray(0, 300));
    const out = scratch.path("none.mote");
    expectOneLine(await mote(["certify", scratch.path("broken.mote"), "-o", out]), /broken\.mote: container: /);
    expectOneLine(await mote(["certify", scratch.path("model.mote"), "-o", out, "--vectors", "0"]), /1 .. 1000/, 2);
    expectOneLine(await mote(["certify", scratch.path("model.mote"), "-o", "x.wasm"]), /ends in \.mote/, 2);
    expect(() => readFileSync(out)).toThrow();
  });
});

describe("mote verify --certificate", () => {
  it("holds a model to it, as a container, packed and as a fast module", async () => {
    const whole = await mote(["verify", scratch.path("sure.mote"), "--certificate", "--json"]);
    expect(lastJson(whole)).toMatchObject({ holds: true, vectors: 4 });
    for (const optimize of ["size", "speed"]) {
      const out = scratch.path(`${optimize}.wasm`);
      await mote(["pack", scratch.path("sure.mote"), "-o", out, "--optimize", optimize]);
      expect((await mote(["verify", out, "--certificate"])).code).toBe(0);
    }
  });

  it.each([
    ["memoryBytes", 16, /says \d+ bytes of memory, found \d+/],
    ["memoryBytes", -16, /says \d+ bytes of memory, found \d+/],
    ["largestSum", -1, /says \d+ as the largest sum, found \d+/],
    ["work", -1, /says \d+ units of work, found \d+/],
    ["outputsCrc", 1, /says \d+ as the outputs' CRC-32, wasm3|v8, found \d+/],
  ] as const)("finds another %s, by %d", async (field, by, why) => {
    const file = readFileSync(scratch.path("model.mote"));
    const wrong = { ...certificate, [field]: (certificate[field] + by) >>> 0 };
    writeFileSync(scratch.path("wrong.mote"), certified(file, readContainer(file), wrong));
    expectOneLine(await mote(["verify", scratch.path("wrong.mote"), "--certificate"]), why);
  });

  it("says that there is none", async () => {
    expectOneLine(
      await mote(["verify", scratch.path("model.mote"), "--certificate"]),
      /has no certificate; mote certify/,
    );
    for (const flags of [
      "--limit 9",
      "--data mnist:test:1",
      "--random 2",
      "--seed 1",
      "--steps 1",
      "--scale 1",
      "--snr 10",
      "--host true",
    ])
      expectOneLine(
        await mote(["verify", scratch.path("sure.mote"), "--certificate", ...flags.split(" ")]),
        new RegExp(`${flags.split(" ")[0]}: not with --certificate, expected a model$`),
        2,
      );
  });
});
