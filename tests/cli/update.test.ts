import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { isWeighted } from "../../host/ops/index.js";
import { expectOneLine, lastJson, mote, moteProcess, scratchFolder } from "./support.js";

const scratch = scratchFolder();
const at = scratch.path;
const OLD = "models/lenet5.mote";

beforeAll(async () => {
  expect((await moteProcess(["keygen", "-o", at("field")])).code).toBe(0);
  expect((await mote(["keygen", "-o", at("other")])).code).toBe(0);
  const { model } = readContainer(readFileSync(OLD));
  const layers = model.layers.map((layer, index) =>
    index === model.layers.length - 1 && isWeighted(layer)
      ? { ...layer, weights: layer.weights.map((w, i) => (i % 4 === 0 && w < 0 ? w + 1 : w)) }
      : layer,
  );
  writeFileSync(at("new.mote"), writeContainer({ ...model, layers }));
});

describe("mote keygen", () => {
  it("writes keys that other tools read, the private one for its owner alone and never over another", async () => {
    expect(readFileSync(at("field.pem"), "utf8")).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(readFileSync(at("field.pub.pem"), "utf8")).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
    expect(readFileSync(at("field.h"), "utf8")).toContain("#define FIELD_KEY");
    expect(statSync(at("field.pem")).mode & 0o777).toBe(0o600);
    const before = readFileSync(at("field.pem"));
    expectOneLine(await mote(["keygen", "-o", at("field")]), /field\.pem: is there already/);
    expect(readFileSync(at("field.pem"))).toEqual(before);
    expectOneLine(await mote(["keygen", "-o", at("field.pem/key")]), /cannot be written/);
    for (const there of [at("taken.h"), at("kept.pub.pem")]) {
      writeFileSync(there, "mine");
      expectOneLine(await mote(["keygen", "-o", there.replace(/(\.pub\.pem|\.h)$/, "")]), /is there already/);
      expect(readFileSync(there, "utf8")).toBe("mine");
    }
    expect(existsSync(at("taken.pem")) || existsSync(at("kept.pem"))).toBe(false);
    expectOneLine(await mote(["keygen", "-o", at("folder/")]), /expected a name for the keys/, 2);
    expect(existsSync(at("folder"))).toBe(false);
  });
});

describe("mote sign, diff and apply", () => {
  let [key, trust]: string[][] = [];
  beforeAll(() => {
    key = ["--key", at("field.pem")];
    trust = ["--key", at("field.pub.pem")];
  });

  it("bring the model whole and as a patch", async () => {
    const whole = await moteProcess([
      "sign",
      at("new.mote"),
      ...key,
      "--sequence",
      "2",
      "-o",
      at("new.update"),
      "--json",
    ]);
    const length = readFileSync(at("new.mote")).length;
    expect(lastJson(whole)).toMatchObject({ kind: "container", sequence: 2, isSigned: true, bytes: length + 82 });
    const patch = lastJson(
      await moteProcess(["diff", OLD, at("new.mote"), ...key, "--sequence", "2", "-o", at("new.patch"), "--json"]),
    ) as { bytes: number; fragments: number; isPatch: boolean };
    expect(patch.isPatch).toBe(true);
    expect(patch.bytes).toBeLessThan(300 + 64);
    expect(patch.fragments).toBe(Math.ceil(patch.bytes / 48));
    for (const args of [["new.update"], ["new.patch", "--base", OLD]].map(([name, ...rest]) => [at(name), ...rest])) {
      const outcome = await mote(["apply", ...args, ...trust, "-o", at("applied.mote")]);
      expect(outcome.code, outcome.stderr).toBe(0);
      expect(Buffer.compare(readFileSync(at("applied.mote")), readFileSync(at("new.mote")))).toBe(0);
      for (const line of outcome.stdout.replaceAll(at(""), "").split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    }
  });

  it("take small containers", async () => {
    for (const [name, from] of [
      ["small-old.mote", OLD],
      ["small.mote", at("new.mote")],
    ]) {
      expect((await mote(["pack", from, "--container", "small", "-o", at(name)])).code).toBe(0);
      expect(readFileSync(at(name))[0]).toBe(0xb3);
    }
    const rest = [...key, "--sequence", "4", "-o", at("small.update"), "--json"];
    for (const args of [
      ["sign", at("small.mote")],
      ["diff", OLD, at("small.mote")],
      ["diff", at("small-old.mote"), at("small.mote")],
    ]) {
      expect(lastJson(await mote([...args, ...rest]))).toMatchObject({ kind: "container", isSigned: true });
      const base = args.length > 2 ? ["--base", args[1]] : [];
      expect((await mote(["apply", at("small.update"), ...base, ...trust, "-o", at("applied.mote")])).code).toBe(0);
      expect(Buffer.compare(readFileSync(at("applied.mote")), readFileSync(at("small.mote")))).toBe(0);
    }
  });

  it("take modules that are whole, and no others", async () => {
    for (const optimize of ["size", "speed"]) {
      const [whole, wrong] = [at(`${optimize}.wasm`), at("wrong.wasm")];
      expect((await mote(["pack", OLD, "--optimize", optimize, "-o", whole])).code).toBe(0);
      const rest = [...key, "--sequence", "2", "-o"];
      expect((await mote(["sign", whole, ...rest, at("module.update")])).code).toBe(0);
      const module = readFileSync(whole);
      const flipped = Uint8Array.from(module, (byte, i) => (i === module.length >> 1 ? byte ^ 1 : byte));
      for (const bytes of [module.subarray(0, -1), module.subarray(0, module.length >> 1), flipped]) {
        writeFileSync(wrong, bytes);
        const problem = /wrong\.wasm: not a module that mote pack --format wasm made: /;
        expectOneLine(await mote(["sign", wrong, ...rest, at("none.update")]), problem);
        expectOneLine(await mote(["diff", wrong, whole, ...rest, at("none.update")]), problem);
        expectOneLine(await mote(["diff", whole, wrong, ...rest, at("none.update")]), problem);
        const apply = ["apply", at("module.update"), ...trust, "--base", wrong, "-o", at("none.mote")];
        expectOneLine(await mote(apply), problem);
      }
    }
    expect(existsSync(at("none.update")) || existsSync(at("none.mote"))).toBe(false);
  });

  it("never write over the private key", async () => {
    const before = readFileSync(at("field.pem"));
    symlinkSync(at("field.pem"), at("link.update"));
    const out = (name: string) => [...key, "--sequence", "2", "-o", at(name)];
    for (const name of ["field.pem", "link.update"]) {
      expectOneLine(await mote(["sign", OLD, ...out(name)]), /is the private key/, 2);
      expectOneLine(await mote(["diff", OLD, at("new.mote"), ...out(name)]), /is the private key/, 2);
    }
    const pack = ["pack", OLD, "-o", at("link"), "--format", "mote", "--sign", at("field.pem"), "--sequence", "2"];
    expectOneLine(await mote(pack), /is the private key/, 2);
    expect(readFileSync(at("field.pem"))).toEqual(before);
  });

  it("never write over the key that they check by", async () => {
    const before = readFileSync(at("field.pub.pem"));
    symlinkSync(at("field.pub.pem"), at("public"));
    for (const name of ["field.pub.pem", "public"]) {
      expectOneLine(await mote(["apply", at("new.update"), ...trust, "-o", at(name)]), /is the public key/, 2);
    }
    expect(readFileSync(at("field.pub.pem"))).toEqual(before);
  });

  it("say of a signature whether it has been checked", async () => {
    const update = readFileSync(at("new.update"));
    update.fill(0, 18, 18 + 64);
    writeFileSync(at("forged.update"), update);
    const forged = await moteProcess(["apply", at("forged.update"), "--unsigned", "-o", at("forged.mote")]);
    expect(forged.stdout).toMatch(/signed +has a signature, not checked/);
    const apply = ["apply", at("new.update"), "-o", at("applied.mote")];
    expect((await mote([...apply, ...trust])).stdout).toMatch(/signed +by Ed25519/);
    expect(lastJson(await mote([...apply, ...trust, "--json"]))).toMatchObject({ isSignatureChecked: true });
    expect(lastJson(await mote([...apply, "--unsigned", "--json"]))).toMatchObject({
      isSigned: true,
      isSignatureChecked: false,
    });
  });

  it("refuse what is not to be trusted, and write nothing", async () => {
    await mote(["sign", OLD, ...key, "--sequence", "2", "-o", at("old.update")]);
    await mote(["diff", OLD, at("new.mote"), "--sequence", "2", "-o", at("unsigned.patch")]);
    const apply = (...args: string[]) => mote(["apply", ...args, "-o", at("none.mote")]);
    const damaged = readFileSync(at("old.update"));
    damaged[1000] ^= 1;
    writeFileSync(at("damaged.update"), damaged);
    const renumbered = readFileSync(at("old.update"));
    renumbered[6] = 9;
    writeFileSync(at("renumbered.update"), renumbered);
    const others = ["--key", at("other.pub.pem")];
    expectOneLine(await apply(at("old.update"), ...others), /signature is not by this key/);
    expectOneLine(await apply(at("renumbered.update"), ...trust), /signature is not by this key, or not of this model/);
    expectOneLine(await apply(at("damaged.update"), ...trust), /checksum/);
    expectOneLine(await apply(at("unsigned.patch"), "--base", OLD, ...trust), /not signed/);
    expectOneLine(await apply(at("unsigned.patch"), "--unsigned"), /none was given/);
    expectOneLine(
      await apply(at("unsigned.patch"), "--unsigned", "--base", at("new.mote")),
      /a patch of a model of 2922/,
    );
    expectOneLine(await apply(at("old.update")), /expected --key, or --unsigned/, 2);
    expectOneLine(await apply(at("old.update"), "--unsigned", ...trust), /one of the two/, 2);
    expectOneLine(await apply(OLD, ...trust), /expected an update/);
    expectOneLine(await apply(at("old.update"), ...key), /this is the private one/);
    expect(() => statSync(at("none.mote"))).toThrow(/ENOENT/);
    const sign = (...args: string[]) => mote(["sign", ...args, "-o", at("none.update")]);
    expectOneLine(await sign(OLD, ...trust, "--sequence", "1"), /expected a private Ed25519 key/);
    expectOneLine(await sign(OLD, ...key, "--sequence", "4294967296"), /whole number, 0 \.\. 4294967295/, 2);
    expectOneLine(await sign("README.md", ...key, "--sequence", "1"), /expected a model/);
    expect(() => statSync(at("none.update"))).toThrow(/ENOENT/);
  });
});

describe("mote pack --sign", () => {
  const pack = ["pack", OLD, "-o"];

  it("writes the update beside the model", async () => {
    const signed = ["--sign", at("field.pem"), "--sequence", "3"];
    for (const [name, ...flags] of [["signed.mote"], ["signed.wasm"], ["small-signed.mote", "--container", "small"]]) {
      const outcome = await mote([...pack, at(name), ...flags, ...signed]);
      expect(outcome.code, outcome.stderr).toBe(0);
      const trust = ["--key", at("field.pub.pem")];
      expect((await mote(["apply", at(`${name}.update`), ...trust, "-o", at("out")])).code).toBe(0);
      expect(Buffer.compare(readFileSync(at("out")), readFileSync(at(name)))).toBe(0);
    }
  });

  it("refuses what it cannot sign before it writes anything", async () => {
    expectOneLine(await mote([...pack, at("x.mote"), "--sign", at("field.pem")]), /--sign and --sequence together/, 2);
    const c = [...pack, at("x.c"), "--sign", at("field.pem"), "--sequence", "1"];
    expectOneLine(await mote(c), /not for --format c/, 2);
    const none = [...pack, at("x.mote"), "--sign", at("none.pem"), "--sequence", "1"];
    expectOneLine(await mote(none), /none\.pem/);
    expect(() => statSync(at("x.mote"))).toThrow(/ENOENT/);
  });
});
