import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { MoteError } from "../../host/errors.js";
import {
  keyHeader,
  keyMacro,
  makeKeys,
  privateKey,
  publicKey,
  signUpdate,
  trustedModel,
} from "../../host/node/update/keys.js";
import { identityOf, isUpdate, modelOf, readUpdate, writeUpdate } from "../../host/update/update.js";

const old = Uint8Array.from(readFileSync("models/lenet5.mote"));
const made = Uint8Array.from(old, (byte, i) => (i === 2500 ? byte ^ 2 : byte));
const other = Uint8Array.from(readFileSync("models/lenet300.mote"));
const keys = makeKeys();
const key = privateKey(Buffer.from(keys.privatePem));
const trusted = publicKey(Buffer.from(keys.publicPem));

function refused(work: () => unknown, code: string, problem: string | RegExp): void {
  let found: unknown;
  try {
    work();
  } catch (error) {
    found = error;
  }
  expect(found).toBeInstanceOf(MoteError);
  expect((found as MoteError).code).toBe(code);
  expect((found as MoteError).message).toMatch(problem);
}

describe("an update", () => {
  it("has what the head of spec/update.md has", () => {
    const bytes = writeUpdate(old, 0x01020304);
    expect(isUpdate(bytes)).toBe(true);
    expect([...bytes.subarray(0, 10)]).toEqual([0x4d, 0x4f, 0x55, 1, 0, 1, 4, 3, 2, 1]);
    expect(bytes).toHaveLength(18 + old.length);
    const { kind, sequence, length, crc, base, signature } = readUpdate(bytes);
    expect({ kind, sequence, length, crc }).toEqual(identityOf(old, 0x01020304));
    expect([base, signature]).toEqual([undefined, undefined]);
    expect(modelOf(readUpdate(bytes))).toEqual(old);
  });

  it("is a patch where that is smaller, and whole where it is not", () => {
    const patch = writeUpdate(made, 1, { base: old });
    expect(patch.length).toBeLessThan(60);
    expect(readUpdate(patch).base).toEqual({ length: old.length, crc: identityOf(old, 0).crc });
    expect(modelOf(readUpdate(patch), old)).toEqual(made);
    expect(readUpdate(writeUpdate(other, 1, { base: old })).base).toBeUndefined();
  });

  it("of another model, or with another one inside, is refused", () => {
    const patch = readUpdate(writeUpdate(made, 1, { base: old }));
    refused(() => modelOf(patch), "MISMATCH", /none was given$/);
    refused(() => modelOf(patch, made), "MISMATCH", /^a patch of a model of 2922 bytes/);
    const whole = writeUpdate(old, 1);
    refused(() => modelOf(readUpdate(whole.subarray(0, 200))), "MISMATCH", "has 182 bytes of a model");
    whole[500] ^= 1;
    refused(() => modelOf(readUpdate(whole)), "MISMATCH", "checksum");
  });

  it("that breaks a rule is refused by the byte", () => {
    const change = (at: number, byte: number): Uint8Array =>
      Uint8Array.from(writeUpdate(old, 1), (b, i) => (i === at ? byte : b));
    refused(() => readUpdate(change(0, 0)), "FORMAT", "byte 0");
    refused(() => readUpdate(change(3, 2)), "UNSUPPORTED", "version 2");
    refused(() => readUpdate(change(4, 4)), "FORMAT", "flags 4");
    refused(() => readUpdate(change(5, 3)), "FORMAT", "kind 3");
    refused(() => readUpdate(change(13, 0x20)), "FORMAT", /a model of 53687\d+ bytes/);
    for (let length = 3; length <= 18; length++)
      refused(() => readUpdate(writeUpdate(old, 1).subarray(0, length)), "FORMAT", "breaks off");
    refused(() => identityOf(Uint8Array.of(1, 2, 3), 0), "FORMAT", "neither");
  });

  it("brings small containers, which begin by another byte", () => {
    const small = writeContainer(readContainer(old).model, { codec: "arithmetic", container: "small" });
    expect(identityOf(small, 1).kind).toBe("container");
    expect(modelOf(readUpdate(writeUpdate(small, 1, { base: old })), old)).toEqual(small);
  });
});

describe("a signature", () => {
  it("is the model's and the sequence's, whole or as a patch", () => {
    const whole = readUpdate(signUpdate(made, 3, key));
    const patch = readUpdate(signUpdate(made, 3, key, { base: old }));
    expect(patch.signature).toEqual(whole.signature);
    expect(trustedModel(whole, trusted)).toEqual(made);
    expect(trustedModel(patch, trusted, old)).toEqual(made);
    refused(() => trustedModel({ ...whole, sequence: 4 }, trusted), "MISMATCH", "signature");
    refused(() => trustedModel({ ...whole, kind: "module" }, trusted), "MISMATCH", "signature");
    refused(() => trustedModel(readUpdate(writeUpdate(made, 3)), trusted), "MISMATCH", "not signed");
    expect(trustedModel(readUpdate(writeUpdate(made, 3)), null)).toEqual(made);
    const stranger = privateKey(Buffer.from(makeKeys().privatePem));
    refused(() => trustedModel(readUpdate(signUpdate(made, 3, stranger)), trusted), "MISMATCH", "signature");
  });

  it("is by Ed25519 keys alone", () => {
    refused(() => publicKey(Buffer.from(keys.privatePem)), "FORMAT", "this is the private one");
    refused(() => privateKey(Buffer.from(keys.publicPem)), "FORMAT", "expected a private Ed25519 key");
    refused(() => privateKey(Buffer.from("no key")), "FORMAT", "expected a private Ed25519 key");
    const { privateKey: x25519 } = generateKeyPairSync("x25519");
    const pem = x25519.export({ type: "pkcs8", format: "pem" });
    refused(() => privateKey(Buffer.from(pem)), "FORMAT", "this is one of x25519");
  });

  it("has a key for firmware, as a header", () => {
    const header = keyHeader(keys.publicKey, "keys/field-2");
    expect(header).toContain("\n#define FIELD_2_KEY \\\n");
    expect(["2024", "ä", "a.b"].map(keyMacro)).toEqual(["KEY_2024_KEY", "KEY___KEY", "A_B_KEY"]);
    const bytes = [...header.matchAll(/0x([0-9a-f]{2})/g)].map(([, byte]) => Number.parseInt(byte, 16));
    expect(bytes).toEqual([...keys.publicKey]);
  });
});
