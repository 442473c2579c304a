import { expect, test } from "vitest";
import { certificateOf, encodeCertificate, fillSelfTest, type Certificate } from "../../host/container/certificate.js";
import { readContainer } from "../../host/container/read.js";
import { CONTAINER_KINDS, writeContainer } from "../../host/container/write.js";
import { selfTest } from "../../host/engines/self-test.js";
import { fastParts } from "../../host/fast/parts.js";
import { bakedContainer } from "../../host/module/baked.js";
import { openEngine } from "../../host/node/engines/open.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { bake } from "../../host/node/module/bake.js";
import { certified, makeCertificate } from "../../tools/certificate.js";
import { buildModel, syntheticModels } from "../support/models.js";

const certificate: Certificate = {
  vectors: 300,
  outputsCrc: 0xfedcba98,
  memoryBytes: 4096,
  work: 2 ** 32 - 1,
  largestSum: 2 ** 31 - 1,
};
const modelOf = (name: string) => syntheticModels().find((one) => one.name === name)!.model;

test("a certificate is read as it was written", () => {
  const content = encodeCertificate(certificate);
  expect([...content.subarray(0, 6)]).toEqual([0xac, 2, 0x98, 0xba, 0xdc, 0xfe]);
  expect(certificateOf({ certificate: content })).toEqual(certificate);
  expect(certificateOf({})).toBeUndefined();
});

test.each([
  ["nothing", [], /ends within vectors/],
  ["no runs", [0, ...new Uint8Array(16)], /vectors is 0, expected 1 … 1000/],
  ["too many runs", [0xe9, 7, ...new Uint8Array(16)], /vectors is 1001, expected 1 … 1000/],
  ["a word too few", [1, ...new Uint8Array(12)], /ends within largest sum/],
  ["a byte too many", [1, ...new Uint8Array(17)], /certificate is 1 bytes behind the last field, expected none/],
  ["a sum that overflows", [1, ...new Uint8Array(15), 128], /largest sum is 2147483648, expected less than 2\^31/],
])("a certificate of %s is refused", (_, content, why) => {
  expect(() => certificateOf({ certificate: Uint8Array.from(content) })).toThrow(why);
});

test("the inputs of the self-test are those of the specification, whatever order they are made in", () => {
  const whole = new Int8Array(6);
  fillSelfTest(1, [whole]);
  const parts = [new Int8Array(2), new Int8Array(4)];
  fillSelfTest(1, parts);
  expect([...parts[0], ...parts[1]]).toEqual([...whole]);
  const first = new Int8Array(4);
  fillSelfTest(0, [first]);
  expect([...first]).toEqual([-128, -35, 84, -114]);
  const many = new Int8Array(1 << 16);
  fillSelfTest(0, [many]);
  expect(new Set(many).size).toBe(256);
});

test.each(CONTAINER_KINDS)(
  "a certificate travels with a %s container, packed and fast modules, and changes nothing else",
  async (kind) => {
    const file = writeContainer({ ...modelOf("labels") }, { container: kind });
    const container = readContainer(file);
    const made = await makeCertificate(file, container, 2);
    const bytes = certified(file, container, made);
    expect(bytes.length).toBe(file.length + 19);
    const { certificate: content, ...model } = readContainer(bytes).model;
    expect(certificateOf({ certificate: content! })).toEqual(made);
    expect(model).toEqual(container.model);
    expect(certificateOf(readContainer(bakedContainer(bake(bytes)).container).model)).toEqual(made);
    expect(certificateOf(fastParts(fastModule(bytes)))).toEqual(made);
  },
);

test("the self-test begins and ends with the states' start, and sees each output", async () => {
  const file = writeContainer(modelOf("streaming"));
  const { memoryBytes, vectors, outputsCrc } = await makeCertificate(file, readContainer(file), 4);
  const engine = openEngine("reference", file);
  expect(engine.outputs.length).toBeGreaterThan(1);
  expect(await selfTest(engine, vectors)).toBe(outputsCrc);
  expect(await selfTest(engine, vectors)).toBe(outputsCrc);
  expect(await selfTest(engine, vectors - 1)).not.toBe(outputsCrc);
  expect(memoryBytes).toBe(openEngine("v8", file).linearMemoryBytes);
});

test("nobody vouches for a model whose sums overflow", async () => {
  const model = buildModel(1, [4, 1, 1], [{ op: "dense", out: 2, weights: "any", density: 1 }]);
  const layers = model.layers.map((layer) =>
    "bias" in layer ? { ...layer, bias: layer.bias.map(() => 2 ** 31 - 1) } : layer,
  );
  const file = writeContainer({ ...model, layers });
  await expect(makeCertificate(file, readContainer(file), 1)).rejects.toThrow(
    /layer 0 \(dense\): the accumulator of row 0 may reach/,
  );
});
