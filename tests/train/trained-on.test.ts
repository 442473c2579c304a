import { describe, expect, test } from "vitest";
import { fingerprints } from "../../host/data/fingerprint.js";
import type { Samples } from "../../host/data/samples.js";
import { Random } from "../../host/rng.js";
import { decodeCheckpoint, encodeCheckpoint } from "../../host/train/checkpoint.js";
import { parseTrainedOn, seenBefore, trainedOn, withTrainedOn, type KnownData } from "../../host/train/trained-on.js";
import { smallNet } from "./support.js";
import { parameterShapes } from "../../host/model/shapes.js";

const random = new Random(3);
const noise = (count: number): Float64Array => {
  const samples: Samples = { count, images: Uint8Array.from({ length: 70 * count }, () => random.integer(256)) };
  return fingerprints(samples, 1);
};
const all = noise(3000);
const dataOf = (digest: string, train: Float64Array, validation: Float64Array, test?: Float64Array): KnownData => ({
  spec: { train: `${digest}.npz`, mean: [0.5] },
  source: `${digest}.npz`,
  digests: { train: digest.padEnd(16, "0"), validation: digest.padEnd(16, "f") },
  prints: { train, validation, ...(test && { test }) },
});
const first = dataOf("a1", all.subarray(0, 1000), all.subarray(1000, 1100));

describe("what a net has been trained on", () => {
  test("goes into its checkpoint and comes out the same", () => {
    const tensors = new Map(
      [...parameterShapes(smallNet)].map(([name, shape]) => [
        name,
        { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) },
      ]),
    );
    const data = [trainedOn(first)];
    const file = encodeCheckpoint("net", { net: { graph: smallNet, tensors }, data });
    expect(decodeCheckpoint(file, "net").data).toEqual(data);
    expect(
      decodeCheckpoint(encodeCheckpoint("net", { net: { graph: smallNet, tensors } }), "net").data,
    ).toBeUndefined();
  });

  test("is a list of runs, each once", () => {
    const records = withTrainedOn([trainedOn(first)], dataOf("b2", all.subarray(500, 1500), all.subarray(1500)));
    expect(records.map(({ source, count }) => [source, count])).toEqual([
      ["a1.npz", 1000],
      ["b2.npz", 1000],
    ]);
    expect(withTrainedOn(records, dataOf("b2", all.subarray(500, 1500), all.subarray(1500)))).toEqual(records);
  });

  test("is told where it is what the net is to be judged by", () => {
    const other = dataOf("b2", all.subarray(2000), all.subarray(990, 1010), all.subarray(0, 5));
    expect(seenBefore("net", [trainedOn(first)], other)).toEqual([
      "net has been trained on 10 of the 20 validation samples, by a1.npz: its errors on them say little",
      "net has been trained on 5 of the 5 test samples, by a1.npz: its errors on them say little",
    ]);
    expect(seenBefore("net", [trainedOn(first)], first)).toEqual([]);
    const large = trainedOn(dataOf("c3", all, all.subarray(0, 0)));
    expect(seenBefore("net", [large], other)[0]).toMatch(
      /about 100 % of the validation samples \((\d+) of \1 looked at\)/,
    );
    const unseen = dataOf("d4", all, noise(500));
    expect(seenBefore("net", [trainedOn(first)], unseen)).toEqual([]);
  });

  const record = JSON.parse(JSON.stringify(trainedOn(first))) as Record<string, unknown>;
  test.each([
    ["{}", "expected a list"],
    ["[1]", "[0]: expected an object"],
    ["nonsense", "not JSON"],
    [JSON.stringify([{ ...record, spec: { train: 1 } }]), "[0].spec.train: expected a text"],
    [JSON.stringify([{ ...record, count: 0 }]), "[0].count: expected a whole number"],
    [JSON.stringify([{ ...record, sketch: "xyz" }]), "[0].sketch: expected fingerprints"],
    [JSON.stringify([{ ...record, digests: { train: "0", validation: "0" } }]), "[0].digests.train: expected 16 hex"],
    [JSON.stringify([{ ...record, more: 1 }]), "[0].more: unknown key"],
  ])("is read strictly: %.40s", (text, message) => {
    try {
      parseTrainedOn(text, "net.safetensors");
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: "FORMAT", message: expect.stringContaining(message) });
      expect((error as Error).message).toMatch(/^net\.safetensors: mote\.data/);
    }
  });
});
