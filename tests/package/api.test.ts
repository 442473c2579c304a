import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { packageRoot } from "../../host/node/paths.js";
import { API_PAGE, apiPage } from "../../tools/gen-api.js";

const page = apiPage();

it("docs/api.md is what the docstrings make now (mend with: node dist/tools/gen-api.js)", () => {
  expect(readFileSync(join(packageRoot, API_PAGE), "utf8")).toBe(page);
});

it("has words for every export and every member", () => {
  const sections = page.split(/^(?=##+ )/m).slice(1);
  expect(sections.map((section) => section.split("\n")[0])).toEqual(
    expect.arrayContaining([
      "## openModel",
      "## openModel of mote-nn/module",
      "## openModel of mote-nn/simd",
      "## Model",
      "### `classify(image: Pixels, visit?: LayerVisit): Prediction[]`",
      "## MoteError",
    ]),
  );
  expect(new Set(sections.map((section) => section.split("\n")[0])).size).toBe(sections.length);
  for (const section of sections) {
    const [heading, ...lines] = section.split("\n");
    expect(
      lines.find((line) => line !== "" && !line.startsWith("```")),
      heading,
    ).toMatch(/^[A-Z0-9-]/);
  }
});
