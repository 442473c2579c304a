import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { bake, specialize } from "../../host/node/module/bake.js";
import { bakedContainer } from "../../host/module/baked.js";
import { isSealed as hostFindsSealed, SEAL_BYTES, sealModule } from "../../host/module/seal.js";
import { writeContainer } from "../../host/container/write.js";
import { syntheticModels } from "../support/models.js";

const container = writeContainer(syntheticModels().find(({ name }) => name === "tiny")!.model);

function isSealed(wasm: Uint8Array): boolean {
  const body = wasm.subarray(0, wasm.length - SEAL_BYTES);
  const seal = Buffer.from(wasm.subarray(wasm.length - SEAL_BYTES));
  return (
    seal.subarray(0, 11).equals(Buffer.from("\0\x0d\x08mote.crc", "latin1")) && seal.readUInt32LE(11) === crc32(body)
  );
}

describe("the seal of a module", () => {
  it("is a custom section with the checksum of what stands before it", () => {
    const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    const sealed = sealModule(empty);
    expect(sealed.length).toBe(8 + SEAL_BYTES);
    expect(isSealed(sealed)).toBe(true);
    expect(new WebAssembly.Module(sealed as Uint8Array<ArrayBuffer>)).toBeInstanceOf(WebAssembly.Module);
  });

  it("is put on once", () => {
    const sealed = sealModule(specialize(container));
    expect(sealed).toEqual(specialize(container));
  });

  it("is on packed modules, which stay readable", () => {
    const packed = bake(container);
    expect(isSealed(packed)).toBe(true);
    expect(hostFindsSealed(packed)).toBe(true);
    expect(hostFindsSealed(packed.map((byte, i) => (i === 900 ? byte ^ 1 : byte)))).toBe(false);
    expect(bakedContainer(packed).container).toEqual(container);
  });

  it("is on specialised cores, which import the window and nothing else", () => {
    const core = specialize(container);
    expect(isSealed(core)).toBe(true);
    const module = new WebAssembly.Module(core as Uint8Array<ArrayBuffer>);
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "mote", name: "read", kind: "function" }]);
    expect(core.length).toBeLessThan(5_900);
  });
});
