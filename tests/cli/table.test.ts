import { describe, expect, it } from "vitest";
import { layOutTable } from "../../tools/output.js";

const rows = [
  ["layer", "kernel", "bits a weight", "bytes of stream"],
  ["0", "conv2d", "3.54", "496"],
  ["1", "", "2.97", "12,345"],
];

describe("layOutTable", () => {
  it("puts words to the left and numbers to the right", () => {
    expect(layOutTable(rows, 45, [0, 1])).toEqual([
      "layer  kernel  bits a weight  bytes of stream",
      "0      conv2d           3.54              496",
      "1                       2.97           12,345",
    ]);
  });

  it("breaks heads at spaces, then narrows the gaps", () => {
    expect(layOutTable(rows, 44, [0, 1])).toEqual([
      "                        bytes",
      "               bits a      of",
      "layer  kernel  weight  stream",
      "0      conv2d    3.54     496",
      "1                2.97  12,345",
    ]);
    expect(layOutTable(rows, 28, [0, 1]).slice(2, 4)).toEqual([
      "layer kernel weight stream",
      "0     conv2d   3.54    496",
    ]);
  });

  it("turns a table of few rows", () => {
    const wide = [
      ["layer", "output", "live units", "weights", "not zero"],
      ["0", "8 × 12 × 12", "8 of 20", "200", "84"],
      ["1", "48 × 1 × 1", "48 of 500", "15,360", "2,562"],
    ];
    expect(layOutTable(wide, 36)).toEqual([
      "layer                 0           1",
      "output      8 × 12 × 12  48 × 1 × 1",
      "live units      8 of 20   48 of 500",
      "weights             200      15,360",
      "not zero             84       2,562",
    ]);
  });

  it("breaks the first column, and makes a list where that is not enough", () => {
    const long = [
      ["figure", "value", "met"],
      ["the first figure of many, whose name is long", "12,345 B", ""],
      ["short", "1", "NO"],
    ];
    expect(layOutTable(long, 40)).toEqual([
      "figure                        value  met",
      "the first figure of many,  12,345 B",
      "  whose name is long",
      "short                             1   NO",
    ]);
    expect(layOutTable(long, 30)).toEqual([
      "figure the first figure of",
      "  many, whose name is long",
      "  value  12,345 B",
      "figure short",
      "  value  1",
      "  met    NO",
    ]);
  });

  it("spells out what would steer the terminal", () => {
    expect(layOutTable([["name"], ["a\x1b[2J\u202e\n"]], 80)[1]).toBe("a\\x1b[2J\\u202e\\x0a");
  });
});
