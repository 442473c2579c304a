/** Nets of SVDF, step by step, beside what their own runtimes answered: tests/golden/import/svdf.py keeps both. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeContainer } from "../../host/container/write.js";
import { importedModel } from "../../host/import/import.js";
import { openEngine } from "../../host/node/engines/open.js";
import { packageRoot } from "../../host/node/paths.js";
import { atMost, rounded, type Figure } from "./figure.js";
import { lowered } from "./zoo-nets.js";
import { Tally } from "./zoo-outputs.js";

const GOLDEN = join(packageRoot, "tests/golden/import");
const KEYWORDS = "tflm-keyword_scrambled_8bit.tflite";

/** What a step was, and what came of it in real numbers by LiteRT, with states of int8 by TensorFlow Lite Micro, and of int16 by LiteRT. */
type Step = Readonly<Record<"input" | "float" | "int8" | "int16", readonly number[]>>;

export function svdfFigures(folder: string): Figure[] {
  const path = join(folder, KEYWORDS);
  const share = writeContainer(importedModel(lowered(path))).length / readFileSync(path).length;
  const steps = JSON.parse(readFileSync(join(GOLDEN, "svdf-outputs.json"), "utf8")) as readonly Step[];
  return [
    atMost("zoo.svdf.bytes", `${KEYWORDS}: container of the file's bytes`, rounded(share), "", 0.8),
    ...stateFigures("int8", "TensorFlow Lite Micro's", steps),
    ...stateFigures("int16", "LiteRT's", steps),
  ];
}

/** How many outputs are equal, and how far both are from real numbers. @param whose the answers are */
function stateFigures(states: "int8" | "int16", whose: string, steps: readonly Step[]): Figure[] {
  const engine = openEngine("v8", writeContainer(importedModel(lowered(join(GOLDEN, `svdf-${states}.tflite`)))));
  const { scale, zeroPoint } = engine.output;
  const tally = new Tally();
  let [ours, theirs] = [0, 0];
  for (const { input, float, ...answers } of steps) {
    const expected = Int8Array.from(answers[states]);
    const found = engine.run(Int8Array.from(input));
    tally.add(expected, found);
    float.forEach((real, i) => {
      const exact = real / scale + zeroPoint;
      ours += (found[i] - exact) ** 2;
      theirs += (expected[i] - exact) ** 2;
    });
  }
  engine.close();
  const { elements, differing, largest } = tally;
  const root = (squares: number): number => rounded(Math.sqrt(squares / elements));
  const net = `SVDF with states of ${states}, ${steps.length} steps`;
  return [
    {
      id: `zoo.svdf.${states}.equal`,
      name: `${net}: outputs equal to ${whose} (${differing} of ${elements} differ, by at most ${largest})`,
      value: rounded((100 * (elements - differing)) / elements),
      unit: "%",
    },
    {
      id: `zoo.svdf.${states}.error`,
      name: `${net}: root of the mean squared error beside real numbers, in steps of the output (${whose}: ${root(theirs)})`,
      value: root(ours),
      unit: "",
    },
  ];
}
