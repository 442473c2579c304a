/** Nets of the zoo beside what LiteRT answers: MLPerf Tiny's int8 nets, output by output. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeContainer } from "../../host/container/write.js";
import { argmax } from "../../host/engines/values.js";
import { importedModel } from "../../host/import/import.js";
import type { ImportedNet } from "../../host/import/net.js";
import { planarIndex } from "../../host/import/view.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { QModel } from "../../host/model/model.js";
import { openEngine } from "../../host/node/engines/open.js";
import { rounded, type Figure } from "./figure.js";
import { lowered, MLPERF } from "./zoo-nets.js";

/** Outputs beside LiteRT's (XNNPACK), which tests/golden/import/zoo_oracle.py keeps: FILE.x and FILE.y, int8. */
export function equality(folder: string, oracle: string, note: (text: string) => void): Figure[] {
  let [all, equal, samples, sameTop, largest] = [0, 0, 0, 0, 0];
  for (const [, file] of MLPERF) {
    if (!existsSync(join(oracle, `${file}.x`))) continue;
    note(`zoo: ${file} beside LiteRT`);
    const net = lowered(join(folder, file));
    const model = importedModel(net);
    const [given, wanted] = ["x", "y"].map(
      (end) => new Int8Array(Uint8Array.from(readFileSync(join(oracle, `${file}.${end}`)))),
    );
    const counts = runBeside(net, model, given, wanted);
    all += counts.all;
    equal += counts.equal;
    largest = Math.max(largest, counts.largest);
    samples += counts.samples;
    sameTop += counts.sameTop;
  }
  const share = (part: number, of: number): number => rounded((100 * part) / of, 6);
  return [
    {
      id: "zoo.mlperf.equal",
      name: `outputs of MLPerf Tiny's int8 nets equal to LiteRT's (${all - equal} of ${all} differ, by at most ${largest})`,
      value: share(equal, all),
      unit: "%",
      target: "≥ 99.5, the rest ±1",
      met: equal / all >= 0.995 && largest <= 1,
    },
    {
      id: "zoo.mlperf.top1",
      name: `the same class first, ${samples} samples`,
      value: share(sameTop, samples),
      unit: "%",
      target: "100",
      met: sameTop === samples,
    },
  ];
}

function runBeside(net: ImportedNet, model: QModel, given: Int8Array, wanted: Int8Array) {
  const engine = openEngine("v8", writeContainer(model));
  const size = valuesOf(engine.input.shape);
  const outputs = valuesOf(engine.output.shape);
  const [toInput, toOutput] = [
    planarIndex(net.inputs[0].order, engine.input.shape),
    planarIndex(net.outputs[0].order, engine.output.shape),
  ];
  const counts = { all: 0, equal: 0, largest: 0, samples: given.length / size, sameTop: 0 };
  const input = new Int8Array(size);
  for (let sample = 0; sample < counts.samples; sample++) {
    for (let i = 0; i < size; i++) input[toInput(i)] = given[sample * size + i];
    const got = engine.run(input);
    const expected = wanted.subarray(sample * outputs, (sample + 1) * outputs);
    const ours = Int8Array.from(expected, (_, i) => got[toOutput(i)]);
    expected.forEach((q, i) => {
      counts.all++;
      if (ours[i] === q) counts.equal++;
      counts.largest = Math.max(counts.largest, Math.abs(ours[i] - q));
    });
    if (argmax(ours) === argmax(expected)) counts.sameTop++;
  }
  engine.close();
  return counts;
}
