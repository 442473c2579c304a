import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { checkRecipe } from "../../host/compress/check-recipe.js";
import { COST_NETS, encodeCosts, parseCosts, type Costs } from "../../host/compress/costs.js";
import { estimateBytes } from "../../host/compress/estimate.js";
import { explain, type ExplainOptions, type Explanation } from "../../host/compress/explain.js";
import { draftContainer } from "../../host/compress/figures.js";
import { parseRecipe } from "../../host/compress/recipe.js";
import { untrained } from "../../host/compress/untrained.js";
import { LAST_STAGES, VARIANTS } from "../../host/compress/variants.js";
import type { Net } from "../../host/model/model.js";
import { packageRoot } from "../../host/node/paths.js";
import { costsFile } from "../../tools/bench/costs.js";
import { barSamples, smallNet, startedNet } from "../train/support.js";

let small: Net;
beforeAll(async () => {
  small = await startedNet(smallNet, barSamples(96, 1), 100);
});

/** Half a point for all but what a test says. */
function costsWith(points: Readonly<Record<string, number>>): Costs {
  const costs = COST_NETS.flatMap((net) =>
    VARIANTS.map(({ id }) => ({ variant: id, net, points: points[id] ?? 5, bytes: 1 })),
  );
  return { command: "test", commit: "abc", epochs: 2, nets: { dense: "a", conv: "b" }, costs };
}

const explained = (goal: ExplainOptions["goal"], points: Readonly<Record<string, number>>, net = small): Explanation =>
  explain({ net, goal, costs: costsWith(points), head: { net: "small.safetensors" }, epochs: 2 });

const drafted = (net: Net, stages: readonly object[]): Net => {
  const recipe = parseRecipe(JSON.stringify({ net: "x", stages }), "r.json");
  return untrained(net, checkRecipe(recipe, net.graph));
};

test.each(VARIANTS.map((variant) => [variant.id, variant] as const))(
  "%s: the estimate is near to the container that the packer writes of the untrained net",
  (_, { stages }) => {
    const net = drafted(small, [...stages(smallNet, 1), ...LAST_STAGES]);
    const { weightScale } = net.compression!;
    const bias = Object.fromEntries(Object.keys(weightScale).map((name) => [name, 7]));
    const written = draftContainer(net, weightScale as Record<string, number>, 7).length;
    expect(Math.abs(estimateBytes(net, bias) - written)).toBeLessThan(0.05 * written + 40);
  },
);

test("pruning leaves no layer empty whose weights are small beside others'", () => {
  const tensors = new Map(small.tensors);
  const { shape, data } = tensors.get("fc1.weight")!;
  tensors.set("fc1.weight", { shape, data: data.map((w) => w / 1000) });
  const net = drafted({ ...small, tensors }, [
    { kind: "prune", keep: 0.05 },
    { kind: "grid", step: 0.5 },
    { kind: "calibrate" },
  ]);
  for (const { name } of net.graph.layers)
    expect(
      net.tensors.get(`${name}.weight`)?.data.some((w) => w !== 0),
      name,
    ).not.toBe(false);
});

describe("what is proposed", () => {
  test("within a size: the least points, of pruning to as much as there is room for too", () => {
    const { proposed, methods, recipe } = explained({ bytes: 400 }, { "levels-3": 0.4, "prune-10": 1, "prune-5": 3 });
    const fitted = methods.at(-1)!;
    expect(fitted.id).toMatch(/^prune-/);
    // Between 10 and 20 %, where what was measured at 10 % holds.
    expect(fitted).toMatchObject({ points: 1, isWithin: true });
    expect(fitted.figures!.bytes!).toBeGreaterThan(0.9 * 400);
    expect(proposed).toBe(fitted);
    const net = drafted(small, recipe.stages as object[]);
    expect(estimateBytes(net, { conv: 7, fc1: 7, fc2: 7 })).toBe(fitted.figures!.bytes);
  });

  test("with points: the smallest method that costs no more", () => {
    const { proposed } = explained({ maxDrop: 1 }, { "prune-5": 1.01, "prune-10": 1, "prune-20": 0.1, binary: 0.9 });
    expect(proposed.id).toBe("prune-10");
  });

  test("without a goal: what costs up to half a point", () => {
    expect(explained({}, { grid: 0, "share-5": 0, "prune-20": 0.5, "prune-10": 0.51 }).proposed.id).toBe("prune-20");
  });

  test("by chance equal: the one that makes the most of the room", () => {
    expect(explained({ bytes: 1e6 }, { "levels-16": 0.2, grid: 0.1, "prune-5": 0 }).proposed.id).toBe("levels-16");
  });

  test("less memory: fewer channels, where nothing else helps", () => {
    const all = explained({ ram: 1e6 }, {}).methods;
    const ramOf = (id: string): number => all.find((method) => method.id === id)!.figures!.ram!;
    expect(ramOf("channels-50")).toBeLessThan(ramOf("grid"));
    const { proposed } = explained({ ram: ramOf("channels-50") }, { "channels-50": 0.1, grid: 0 });
    expect(proposed.id).toBe("channels-50");
  });

  test("points are of the convolutional net where most multiplications lie in convolutions and instructions are limited", () => {
    expect(explained({ instructions: 1e9 }, {}).like).toBe("conv");
    expect(explained({ bytes: 1e6 }, {}).like).toBe("dense");
  });
});

test("what is named as the least is within reach, and a byte less is not", () => {
  const refusal = (bytes: number): string => {
    try {
      return explained({ bytes }, {}).proposed.id;
    } catch (error) {
      return (error as Error).message;
    }
  };
  const least = Number(/least of each are (\d+) bytes/.exec(refusal(40))![1]);
  expect(refusal(least - 1)).toMatch(/^no method is within the goal/);
  expect(refusal(least + 1)).toMatch(/^prune-/);
});

test("which layers a method passes over, and why", () => {
  const { methods, layers } = explained({}, { grid: 0 });
  const find = (id: string): Explanation["methods"][number] => methods.find((method) => method.id === id)!;
  expect(find("flatten")).toMatchObject({
    layers: ["conv"],
    passesOver: { fc1: "is a dense layer, expected a convolution" },
  });
  expect(find("low-rank-10")).toMatchObject({
    layers: ["fc1"],
    passesOver: { conv: "a convolution keeps its filters", fc2: "it makes the net's results" },
  });
  expect(find("channels-50").layers).toEqual(["conv", "fc1"]);
  expect(find("binary")).toMatchObject({ layers: ["conv", "fc1", "fc2"], passesOver: {}, problem: null });
  const conv = layers.find(({ layer }) => layer === "conv")!;
  expect(conv).toMatchObject({ weights: 54, multiplications: 54 * 64, bytes: { "low-rank-10": null } });
  const fc1 = layers.find(({ layer }) => layer === "fc1")!;
  expect(fc1.bytes["low-rank-10"]).toBeLessThan(fc1.bytes.grid!);
});

test("a net of dense layers alone is not flattened", async () => {
  const layers = smallNet.layers
    .slice(2)
    .map((layer) => ("input" in layer && layer.input === "pool" ? { ...layer, input: "image" } : layer));
  const dense = await startedNet({ ...smallNet, layers }, barSamples(32, 1));
  const { methods } = explained({}, { grid: 0 }, dense);
  expect(methods.find(({ id }) => id === "flatten")).toMatchObject({ figures: null, problem: "applies to no layer" });
});

test.each([
  ["no weights", (net: Net): Net => ({ ...net, tensors: new Map() }), {}, /small has no weights/],
  [
    "a compressed net",
    (net: Net): Net => drafted(net, [{ kind: "grid", step: 0.5 }, { kind: "calibrate" }]),
    {},
    /small is compressed already/,
  ],
  [
    "a size out of reach",
    (net: Net): Net => net,
    { bytes: 40 },
    /no method is within the goal; the least of each are \d+ bytes, pruned to one weight in 4096 or otherwise\./,
  ],
  ["points out of reach", (net: Net): Net => net, { maxDrop: 0.1 }, /measured to cost at most 0\.1 points/],
])("%s is refused with the reason", (_, change, goal, message) => {
  expect(() => explained(goal, {}, change(small))).toThrow(message);
});

describe("bench/costs.json", () => {
  const one = { variant: "grid", net: "dense", points: 1, bytes: 1 };
  const path = join(packageRoot, "bench/costs.json");
  const text = readFileSync(path, "utf8");

  test("has each variant on each net that it applies to, and no other", () => {
    const { costs } = parseCosts(text, path);
    const of = (net: string): string[] => costs.filter((cost) => cost.net === net).map(({ variant }) => variant);
    const ids = VARIANTS.map(({ id }) => id);
    expect(of("conv")).toEqual(ids);
    expect(of("dense")).toEqual(ids.filter((id) => id !== "flatten"));
  });

  test("is written from figures of the group, whatever else was measured", () => {
    const figure = { name: "", unit: "points", detail: { bytes: 12 } };
    const figures = [
      { ...figure, id: "costs.dense.grid", value: 0.5 },
      { ...figure, id: "sizes.core", value: 1 },
    ];
    expect(parseCosts(costsFile(figures, "mote bench", "abc"), "costs.json")).toMatchObject({
      command: "mote bench",
      commit: "abc",
      costs: [{ variant: "grid", net: "dense", points: 0.5, bytes: 12 }],
    });
  });

  test.each([
    ["no JSON", "{", /costs\.json: costs: not JSON/],
    ["a list", "[]", /expected costs of methods/],
    ["another kind", `{"kind":"other"}`, /expected costs of methods/],
    ["command", broken((all) => ({ ...all, command: 1 })), /expected command, a text/],
    ["commit", broken((all) => ({ ...all, commit: null })), /expected commit, a text/],
    ["epochs", broken((all) => ({ ...all, epochs: "3" })), /expected epochs, a number/],
    ["nets", broken((all) => ({ ...all, nets: { dense: "a" } })), /expected nets\.dense and nets\.conv/],
    ["costs", broken((all) => ({ ...all, costs: {} })), /expected costs, a list/],
    ["a cost", broken((all) => ({ ...all, costs: [7] })), /expected costs\[0\]\.variant, a text/],
    ["a net", broken((all) => ({ ...all, costs: [{ ...one, net: "other" }] })), /costs\[0\]\.net, one of dense, conv/],
    ["points", broken((all) => ({ ...all, costs: [{ ...one, points: "1" }] })), /costs\[0\]\.points, a number/],
    ["bytes", broken((all) => ({ ...all, costs: [one, { ...one, bytes: null }] })), /costs\[1\]\.bytes, a number/],
  ])("is refused by name: %s", (_, text, message) => {
    expect(() => parseCosts(text, "costs.json")).toThrow(message);
  });
});

function broken(change: (all: Record<string, unknown>) => object): string {
  return JSON.stringify(change(JSON.parse(encodeCosts(costsWith({}))) as Record<string, unknown>));
}

test("docs/compress.md has the costs that are measured", () => {
  const { costs } = parseCosts(readFileSync(join(packageRoot, "bench/costs.json"), "utf8"), "costs.json");
  const text = readFileSync(join(packageRoot, "docs/compress.md"), "utf8");
  const rows = VARIANTS.map(({ id, name }) => {
    const cells = COST_NETS.flatMap((net) => {
      const cost = costs.find((one) => one.variant === id && one.net === net);
      if (cost === undefined) return ["", ""];
      const sign = cost.points > 0 ? "+" : cost.points < 0 ? "−" : "";
      return [cost.bytes.toLocaleString("en"), sign + Math.abs(cost.points).toFixed(2)];
    });
    return `| ${name.replace("(obs)", "(`obs`)")} | ${cells.join(" | ")} |`;
  });
  for (const row of rows) expect(text).toContain(row);
});
