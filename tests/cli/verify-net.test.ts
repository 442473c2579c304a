/** `mote verify NET MODEL`, as a user calls it, on nets and outputs that the real tools made. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import { beforeAll, describe, expect, it } from "vitest";
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { inputFiller } from "../../host/engines/fill-input.js";
import { openReference } from "../../host/engines/reference.js";
import { packageRoot } from "../../host/node/paths.js";
import { npyOf } from "../support/npy.js";
import { expectOneLine, lastJson, mote, moteProcess, scratchFolder } from "./support.js";

interface Run {
  readonly input: readonly number[];
  readonly output: readonly number[];
}

const scratch = scratchFolder();
const golden = (name: string): string => join(packageRoot, "tests/golden/import", name);
const outputs = JSON.parse(readFileSync(golden("outputs.json"), "utf8")) as Record<string, readonly Run[]>;
const models = new Map<string, string>();

/** Files of a net's golden inputs, and of what `turn` makes of its outputs. */
function dataOf(
  name: string,
  into: typeof Int8Array | typeof Float32Array,
  turn: (output: readonly number[]) => readonly number[] = (output) => output,
): string[] {
  const runs = outputs[name];
  const [x, y] = [scratch.path(`${name}.x.npy`), scratch.path(`${name}.y.npy`)];
  const all = (of: readonly (readonly number[])[]): Uint8Array =>
    npyOf(into.from(of.flat()) as Int8Array | Float32Array, of.length, of[0].length);
  writeFileSync(x, all(runs.map(({ input }) => input)));
  writeFileSync(y, all(runs.map(({ output }) => turn(output))));
  return ["--data", x, "--expected", y];
}

/** LiteRT's outputs are those in front of the softmax, of which its int8 is 256 × probability - 128. */
function softmaxInt8(scale: number): (output: readonly number[]) => number[] {
  return (logits) => {
    const powers = logits.map((q) => Math.exp(scale * (q - Math.max(...logits))));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => Math.min(127, Math.round((256 * power) / sum) - 128));
  };
}

beforeAll(async () => {
  const names = ["conv-int8.tflite", "quantized-qdq.onnx", "torch-digits.onnx", "torch-blocks.onnx"];
  for (const name of names) {
    const path = scratch.path(`${name}.mote`);
    const [, samples] = dataOf(name, name.startsWith("conv") ? Int8Array : Float32Array);
    const calibrate = name.startsWith("torch") ? ["--calibrate", samples] : [];
    expect((await mote(["pack", golden(name), "-o", path, ...calibrate])).stderr).not.toMatch(/^mote: /m);
    models.set(name, path);
  }
});

/** A copy of a model whose layer has other biases. */
function withWrongBias(name: string, layer: number, by: number): string {
  const { model } = readContainer(readFileSync(models.get(name)!));
  const layers = model.layers.map((old, index) =>
    index === layer && "bias" in old ? { ...old, bias: old.bias.map((bias) => bias + by) } : old,
  );
  const path = scratch.path(`wrong-${name}.mote`);
  writeFileSync(path, writeContainer({ ...model, layers }));
  return path;
}

describe("a net of int16 activations", () => {
  const net = golden("ops-int16.tflite");
  const { ops } = JSON.parse(readFileSync(golden("int16-outputs.json"), "utf8")) as Record<
    string,
    readonly { readonly input: readonly number[]; readonly outputs: readonly (readonly number[])[] }[]
  >;

  it("is packed without a flag, and each layer is equal but sums; its outputs beside LiteRT's int16", async () => {
    const path = scratch.path("int16.mote");
    expect((await mote(["pack", net, "-o", path])).stderr).not.toMatch(/^mote: /m);
    const { tensors, outputs: ends, names } = readContainer(readFileSync(path)).model;
    expect(tensors.every(({ bits }) => bits === 16)).toBe(true);
    const [x, y] = [scratch.path("int16.npy"), scratch.path("int16.npz")];
    const { scale } = tensors[0];
    writeFileSync(
      x,
      npyOf(
        Float32Array.from(
          ops.flatMap(({ input }) => input),
          (q) => q * scale!,
        ),
        ops.length,
        4,
        6,
        2,
      ),
    );
    const graph = JSON.parse(readFileSync(`${net}.json`, "utf8")) as { outputs: number[]; tensors: { name: string }[] };
    const arrays = graph.outputs.map((tensor, output) => {
      const values = Int16Array.from(ops.flatMap(({ outputs: all }) => all[output]));
      return [`${graph.tensors[tensor].name}.npy`, npyOf(values, ops.length, values.length / ops.length)] as const;
    });
    writeFileSync(y, zipSync(Object.fromEntries(arrays)));
    expect(names).toHaveLength(1 + ends.length);
    const outcome = await mote(["verify", net, path, "--data", x, "--expected", y, "--json"]);
    expect(outcome.stderr).not.toMatch(/^mote: /m);
    const { layers, expected } = lastJson(outcome) as {
      layers: readonly { name: string; op: string; largestSteps: number }[];
      expected: readonly { name: string; differing: number; largest: number }[];
    };
    const other = layers.filter(({ largestSteps }) => largestSteps > 0);
    expect(other.map(({ op, largestSteps }) => [op, largestSteps])).toEqual([["add", 1]]);
    const differing = expected.filter(({ largest }) => largest > 0);
    expect(differing.map(({ name, largest }) => [name, largest])).toEqual([
      ["conv, int32", 1],
      ["sum", 1],
    ]);
  });

  it("takes no other width", async () => {
    const flags = ["pack", net, "-o", scratch.path("none.mote"), "--activation-bits", "8"];
    expect((await mote(flags)).stderr).toMatch(
      /^mote: .*--activation-bits: the net is quantized already, to int16; expected one of real numbers$/m,
    );
  });
});

describe("a quantized net", () => {
  const name = "conv-int8.tflite";

  it("is equal to its model, and its outputs to LiteRT's", async () => {
    const { scale } = readContainer(readFileSync(models.get(name)!)).model.tensors.at(-1)!;
    const outcome = await mote([
      "verify",
      golden(name),
      models.get(name)!,
      ...dataOf(name, Int8Array, softmaxInt8(scale!)),
    ]);
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).toMatch(/^layer +node +op +elements +differ, % +most, steps$/m);
    expect(outcome.stdout).toMatch(/^ +6 +CONCATENATION #6 +concat +192 +0 +0$/m);
    expect(outcome.stdout).toMatch(/^Equal: every element of every layer/m);
    expect(outcome.stdout).toMatch(/^Beside the expected outputs:$/m);
    for (const line of outcome.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("is one JSON object", async () => {
    const outcome = await mote(["verify", golden(name), models.get(name)!, "--random", "3", "--json"]);
    expect(outcome.code).toBe(0);
    const { layers, outputs: ends, ...rest } = lastJson(outcome);
    expect(rest).toEqual({
      net: golden(name),
      model: models.get(name),
      isQuantized: true,
      inputs: 3,
      steps: 1,
      source: "random, seed 1",
      expected: null,
      passed: true,
    });
    expect(layers).toHaveLength(8);
    expect((layers as object[])[3]).toMatchObject({ layer: 3, name: "ADD #3", op: "add", elements: 720 });
    expect(ends).toHaveLength(1);
  });

  it("differs at the layer that is wrong, named with sample, element and both values", async () => {
    const wrong = withWrongBias(name, 2, 3000);
    const outcome = await mote(["verify", golden(name), wrong, "--random", "2", "--json"]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(
      /^First difference: layer 2, CONV_2D #2, sample 0, element 0 \[0, 0, 0\]: expected\s-?\d+, found -?\d+\.$/m,
    );
    expect(outcome.stderr).toMatch(
      /^mote: .+wrong-.+: layer 2, CONV_2D #2, differs by \d+ from the net's own arithmetic/m,
    );
    const { layers, passed } = lastJson(outcome) as { layers: { largestSteps: number }[]; passed: boolean };
    expect(passed).toBe(false);
    layers.forEach(({ largestSteps }, index) => {
      if (index === 2) expect(largestSteps).toBeGreaterThan(1);
      else expect(largestSteps).toBeLessThanOrEqual(1);
    });
    const tolerant = await mote(["verify", golden(name), wrong, "--random", "2", "--tolerance", "255"]);
    expect(tolerant.code).toBe(0);
  });

  it("whose other runtime gave other outputs fails by these", async () => {
    const data = dataOf(name, Int8Array, (output) => output.map((_, i) => (i === 0 ? 127 : -128)).reverse());
    const outcome = await mote(["verify", golden(name), models.get(name)!, ...data]);
    expect(outcome.code).toBe(1);
    expect(outcome.stdout).toMatch(/^Equal: /m);
    expect(outcome.stderr).toMatch(/output .+ differs by [\d.]+ steps from the expected one, 1 allowed$/m);
  });

  it("with states gives LiteRT's outputs of a stream, and without --steps those of each sample from a reset on", async () => {
    const stream = "stream-int8.tflite";
    const path = scratch.path("stream.mote");
    expect((await mote(["pack", golden(stream), "-o", path])).code).toBe(0);
    const runs = JSON.parse(readFileSync(golden("stream-outputs.json"), "utf8")) as readonly Run[];
    const [x, y] = [scratch.path("stream.x.npy"), scratch.path("stream.y.npy")];
    writeFileSync(x, npyOf(Int8Array.from(runs.flatMap(({ input }) => input)), runs.length, runs[0].input.length));
    writeFileSync(y, npyOf(Uint8Array.from(runs.flatMap(({ output }) => output)), runs.length, runs[0].output.length));
    const compared = async (file: string, ...flags: readonly string[]): Promise<object> => {
      const outcome = await mote(["verify", golden(stream), path, "--data", x, "--expected", file, "--json", ...flags]);
      return lastJson(outcome);
    };
    const all = [{ samples: runs.length, differing: 0, largest: 0 }];
    expect(await compared(y, "--steps", "all")).toMatchObject({ passed: true, expected: all });
    const engine = openReference(new Uint8Array(readFileSync(path)));
    const images = Int8Array.from(runs.flatMap(({ input }) => input));
    const fill = inputFiller({ count: runs.length, shape: [runs[0].input.length], images }, engine.input);
    const given = new Int8Array(runs[0].input.length);
    const alone = runs.map((_, index) => {
      fill(index, given);
      engine.reset();
      return [...engine.run(given)].map((q) => q + 128);
    });
    writeFileSync(y, npyOf(Uint8Array.from(alone.flat()), runs.length, alone[0].length));
    expect(await compared(y)).toMatchObject({ passed: true, expected: all });
    expect(await compared(y, "--steps", "all")).toMatchObject({ passed: false });
  });

  it("quantized by nodes gives onnxruntime's probabilities to a step", async () => {
    const other = "quantized-qdq.onnx";
    const outcome = await mote(["verify", golden(other), models.get(other)!, ...dataOf(other, Float32Array), "--json"]);
    expect(outcome.code).toBe(0);
    const { expected } = lastJson(outcome) as { expected: { largest: number; sameTop: number; samples: number }[] };
    expect(expected).toMatchObject([{ name: "scores", samples: 2, elements: 10, sameTop: 2 }]);
    expect(expected[0].largest).toBeLessThanOrEqual(1);
  });
});

describe("a net of real numbers", () => {
  it("takes samples that are sequences for a stream each, and its last step's outputs for what another runtime gives", async () => {
    const name = "gru.onnx";
    const all = JSON.parse(readFileSync(golden("recurrent-outputs.json"), "utf8")) as Record<string, readonly Run[]>;
    const runs = all[name];
    const [x, y, classes] = ["gru.x.npy", "gru.y.npy", "gru.labels.npy"].map((file) => scratch.path(file));
    writeFileSync(x, npyOf(Float32Array.from(runs.flatMap(({ input }) => input)), runs.length, 6, 5));
    writeFileSync(y, npyOf(Float32Array.from(runs.flatMap(({ output }) => output)), runs.length, 3));
    const labels = runs.map(({ output }) => output.indexOf(Math.max(...output)));
    writeFileSync(classes, npyOf(Uint8Array.from(labels), runs.length));
    const path = scratch.path("gru.mote");
    const packed = await mote(["pack", golden(name), "--calibrate", x, "-o", path]);
    expect(packed.stdout).toMatch(/8 samples, 48 steps, the 12 least/);
    const outcome = await mote(["verify", golden(name), path, "--data", x, "--expected", y, "--json"]);
    const words = await mote(["verify", golden(name), path, "--data", x]);
    expect(words.stdout).toMatch(/8\s+inputs,\s+48\s+steps\s+\(gru\.x\.npy\)/);
    const json = lastJson(outcome);
    expect([outcome.code, json]).toMatchObject([0, { inputs: 8, steps: 6 }]);
    const { expected } = json as { expected: { snr: number; samples: number }[] };
    expect(expected[0].samples).toBe(runs.length);
    expect(expected[0].snr).toBeGreaterThan(35);
    const whole = scratch.path("gru.whole.npy");
    writeFileSync(whole, npyOf(new Float32Array(runs.length * 6 * 3), runs.length, 6, 3));
    const sequences = await mote(["verify", golden(name), path, "--data", x, "--expected", whole]);
    expect(sequences.stderr).toMatch(/--expected: output out is \[8, 6, 3\], expected \[8, 3\], one for each sample$/m);
    const data = ["--data", x, "--labels", classes, "--float", golden(name), "--json"];
    const { errors, float, samples } = lastJson(await mote(["evaluate", path, ...data]));
    expect({ errors, samples }).toEqual({ errors: 0, samples: runs.length });
    expect(float).toMatchObject({ errors: 0, agreementPercent: 100 });
  });

  it.each(["torch-digits.onnx", "torch-blocks.onnx"])(
    "%s has a ratio for each layer, and onnxruntime's outputs",
    async (name) => {
      const outcome = await mote(["verify", golden(name), models.get(name)!, ...dataOf(name, Float32Array), "--json"]);
      expect(outcome.code).toBe(0);
      expect(outcome.stderr).toMatch(/SNR, dB$/m);
      expect(outcome.stderr).toMatch(/^Least exact: layer \d+, \/.+, \d\d\.\d dB; most at/m);
      const { layers, expected, outputs: ends } = lastJson(outcome) as Record<string, { snr: number; snrDb: number }[]>;
      for (const { snrDb } of [...layers, ...ends]) expect(snrDb).toBeGreaterThan(25);
      expect(expected[0].snr).toBeGreaterThan(25);
    },
  );

  it("fails where the outputs are noise", async () => {
    const name = "torch-digits.onnx";
    const wrong = withWrongBias(name, 0, 60_000);
    const [, x] = dataOf(name, Float32Array);
    const outcome = await moteProcess(["verify", golden(name), wrong, "--data", x]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/: output scores is -?[\d.]+ dB beside the net's, expected 10 or more$/m);
    expect((await mote(["verify", golden(name), wrong, "--data", x, "--snr", "-99"])).code).toBe(0);
    const strict = await mote(["verify", golden(name), models.get(name)!, "--data", x, "--snr", "90"]);
    expect(strict.stderr).toMatch(/expected 90 or more$/m);
    expect(strict.code).toBe(1);
  });
});

describe("what does not fit is refused with one line", () => {
  const pair = (net: string, model: string): string[] => ["verify", golden(net), models.get(model)!];

  it("a model of another net", async () => {
    expectOneLine(
      await mote(pair("conv-int8.tflite", "quantized-qdq.onnx")),
      /quantized-qdq\.onnx\.mote: the model is of another net: input 0 \(.+\) is 1 × 28 × 28, in the net it is 3 × 12 × 10$/,
    );
  });

  it("expected outputs without samples, without a net, of another shape, or integers of real ones", async () => {
    const [, x, , y] = dataOf("torch-digits.onnx", Float32Array);
    const digits = pair("torch-digits.onnx", "torch-digits.onnx");
    expectOneLine(await mote([...digits, "--expected", y]), /--expected: expected --data, the samples that/, 2);
    const alone = ["verify", models.get("torch-digits.onnx")!, "--data", x, "--expected", y];
    expectOneLine(await mote(alone), /--expected: expected the net and its model$/, 2);
    const short = scratch.path("short.npy");
    writeFileSync(short, npyOf(new Float32Array(8), 2, 4));
    const wrong = await mote([...digits, "--data", x, "--expected", short]);
    expect(wrong.stderr).toMatch(/--expected: output scores is \[2, 4\], expected \[2, 5\], one for each sample$/m);
    writeFileSync(short, npyOf(new Int8Array(10), 2, 5));
    const integers = await mote([...digits, "--data", x, "--expected", short]);
    expect(integers.stderr).toMatch(/output scores has integers, expected real numbers$/m);
    expect([wrong.code, integers.code]).toEqual([1, 1]);
  });
});
