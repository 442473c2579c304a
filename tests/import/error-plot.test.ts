/** The picture of int8 errors: well-formed, a bar for each layer, names that cannot become markup. */
import { describe, expect, test } from "vitest";
import type { LayerError } from "../../host/import/layer-errors.js";
import { cutMiddle, errorPlot } from "../../host/report/error-plot.js";

const layer = (index: number, snr: number, name = `node ${index}`): LayerError => ({
  layer: index,
  name,
  op: "conv2d",
  elements: 10,
  differing: 1,
  largest: 2.5,
  place: undefined,
  beyond: undefined,
  snr,
});

const plot = (...layers: LayerError[]): string => errorPlot({ title: "a & b", subtitle: "c", layers });
const bars = (svg: string): { readonly kind: string; readonly width: number }[] =>
  [...svg.matchAll(/<rect class="(\w+)" x="[\d.]+" y="[\d.]+" width="([\d.]+)" height="14"/g)].map(
    ([, kind, width]) => ({ kind, width: Number(width) }),
  );

/** Tags that are opened are closed, in order. */
function isWellFormed(svg: string): boolean {
  const open: string[] = [];
  for (const [, end, name, single] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (end === "/" && open.pop() !== name) return false;
    if (end === "" && single === "") open.push(name);
  }
  return open.length === 0 && !/&(?!(amp|lt|gt|quot);)/.test(svg);
}

describe("the plot of errors", () => {
  test("has a bar for each layer, as long as its ratio, in its colour", () => {
    const svg = plot(layer(0, 45), layer(1, 25), layer(2, 15), layer(3, 30));
    expect(isWellFormed(svg)).toBe(true);
    expect(bars(svg)).toEqual([
      { kind: "good", width: 315 },
      { kind: "fair", width: 175 },
      { kind: "poor", width: 105 },
      { kind: "good", width: 210 },
    ]);
    expect(svg).toContain(">45.0 dB<");
    expect(svg).toContain("<title>layer 1, node 1 (conv2d): 25.0 dB, 2.5 steps at most</title>");
  });

  test("keeps within its frame what is exact, negative or nothing", () => {
    const svg = plot(layer(0, Infinity), layer(1, -40), layer(2, -Infinity), layer(3, 300));
    expect(bars(svg).map(({ width }) => width)).toEqual([420, 2, 2, 420]);
    expect(svg).toMatch(/>exact</);
    expect(svg).toMatch(/>no signal</);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  test("takes a name for text, whatever it is", () => {
    const svg = plot(layer(0, 40, '</text><script>alert("1")</script>&\u0000\u001b'));
    expect(isWellFormed(svg)).toBe(true);
    expect(svg).not.toMatch(/<script/);
    expect(svg).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/); // eslint-disable-line no-control-regex
    expect(isWellFormed("<a><b></a></b>")).toBe(false);
  });

  test("cuts long names in their middle", () => {
    expect(cutMiddle("short", 5)).toBe("short");
    expect(cutMiddle("model/block_1/conv/Conv2D", 10)).toBe("mod…Conv2D");
    expect(cutMiddle("model/block_1/conv/Conv2D", 10)).toHaveLength(10);
  });
});
