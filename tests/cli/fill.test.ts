import { describe, expect, it } from "vitest";
import { fillFigures } from "../../tools/bench/fill.js";

const figures = [
  { id: "sizes.core", name: "core.wasm, all ops and codecs", value: 6000, unit: "B", target: "≤ 6,656", met: true },
  {
    id: "parity.lenet5",
    name: "lenet5, digits equal on wasm3, v8, reference",
    value: 99,
    unit: "of 100",
    target: "all",
    met: false,
  },
  {
    id: "parity.lenet300",
    name: "lenet300, digits equal on wasm3, v8, reference",
    value: 100,
    unit: "of 100",
    target: "all",
    met: true,
  },
];

describe("fillFigures", () => {
  it("replaces what stands between the marks, and nothing else", () => {
    const text = "a <!--core.bytes-->1<!--/--> b <!--core.bytes-->old\ntext<!--/--> c <!-- a remark -->";
    const filled = "a <!--core.bytes-->6,000<!--/--> b <!--core.bytes-->6,000<!--/--> c <!-- a remark -->";
    expect(fillFigures(text, figures)).toBe(filled);
    expect(fillFigures(filled, figures)).toBe(filled);
  });

  it("makes a table of every figure, and says which target is not met", () => {
    expect(fillFigures("<!--figures--><!--/-->", figures).split("\n")).toEqual([
      "<!--figures-->",
      "",
      "| figure | value | target | met |",
      "|---|---:|---:|---|",
      "| core.wasm, all ops and codecs | 6,000 B | ≤ 6,656 | yes |",
      "| lenet5, digits equal on wasm3, v8, reference | 99 of 100 | all | NO |",
      "| lenet300, digits equal on wasm3, v8, reference | 100 of 100 | all | yes |",
      "",
      "<!--/-->",
    ]);
  });

  it("says by which command and on which machine", () => {
    expect(fillFigures("<!--measured-->old<!--/-->", figures, "`mote bench`; cores: 4")).toBe(
      "<!--measured-->`mote bench`; cores: 4<!--/-->",
    );
  });

  it("refuses a place it does not know and a figure that was not measured", () => {
    expect(() => fillFigures("<!--speed-->1<!--/-->", figures)).toThrow(
      /no figure for <!--speed-->; there are lenet5\.bytes/,
    );
    expect(() => fillFigures("<!--lenet5.memory--><!--/-->", figures)).toThrow(
      /"linear memory, lenet5, .*" was not measured/,
    );
  });
});
