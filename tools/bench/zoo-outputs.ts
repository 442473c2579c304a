/** MLPerf Tiny's int8 nets, output by output: beside their own arithmetic (XNNPACK's roundings), and beside what LiteRT has answered. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Elements } from "../../host/model/elements.js";
import { writeContainer } from "../../host/container/write.js";
import type { Engine } from "../../host/engines/engine.js";
import { argmax } from "../../host/engines/values.js";
import { arrange } from "../../host/import/arrange.js";
import { importedModel } from "../../host/import/import.js";
import { compareIntegers } from "../../host/import/layer-errors.js";
import type { ImportedNet } from "../../host/import/net.js";
import { planarIndex } from "../../host/import/view.js";
import { valuesOf } from "../../host/model/geometry.js";
import { openEngine } from "../../host/node/engines/open.js";
import { Random } from "../../host/rng.js";
import { nextTurn } from "../../host/turn.js";
import { rounded, type BenchOptions, type Figure } from "./figure.js";
import { lowered, MLPERF } from "./zoo-nets.js";

/** Of each net: without --full, and with. */
const [QUICK_SAMPLES, FULL_SAMPLES] = [40, 200];
const SEED = 1;

/** Of all samples of all nets. */
export class Tally {
  elements = 0;
  differing = 0;
  largest = 0;
  samples = 0;
  sameTop = 0;

  add(expected: Elements, found: Elements): void {
    this.elements += expected.length;
    expected.forEach((q, i) => {
      if (q !== found[i]) this.differing++;
      this.largest = Math.max(this.largest, Math.abs(q - found[i]));
    });
    this.samples++;
    if (argmax(expected) === argmax(found)) this.sameTop++;
  }

  /** @param id of the two figures, before `.equal` and `.top1` @param whose outputs were expected */
  figures(id: string, whose: string): Figure[] {
    const { elements, differing, largest, samples, sameTop } = this;
    const share = (part: number, of: number): number => rounded((100 * part) / of, 6);
    return [
      {
        id: `${id}.equal`,
        name: `outputs of MLPerf Tiny's int8 nets equal to ${whose} (${differing} of ${elements} differ, by at most ${largest})`,
        value: share(elements - differing, elements),
        unit: "%",
        target: "≥ 99.5, the rest ±1",
        met: differing / elements <= 0.005 && largest <= 1,
      },
      {
        id: `${id}.top1`,
        name: `the same class first, ${samples} samples`,
        value: share(sameTop, samples),
        unit: "%",
        target: "100",
        met: sameTop === samples,
      },
    ];
  }
}

/** On random inputs, by host/import/oracle.ts, which rounds as XNNPACK: whole runs, and each layer by itself. */
export async function oracleEquality(folder: string, { full, note }: BenchOptions): Promise<Figure[]> {
  const tally = new Tally();
  let [elements, differing, largest] = [0, 0, 0];
  for (const [, file] of MLPERF) {
    note(`zoo: ${file} beside its own arithmetic`);
    const net = arrange(lowered(join(folder, file)));
    const engine = openEngine("v8", writeContainer(importedModel(net)));
    const { layers } = await compareIntegers(
      net,
      engine,
      {
        count: full ? FULL_SAMPLES : QUICK_SAMPLES,
        perSample: 1,
        perStream: 1,
        sample: (index) => [randomInput(engine, index)],
      },
      async (_, [expected], [found]) => {
        tally.add(expected, found);
        await nextTurn();
      },
    );
    engine.close();
    for (const layer of layers) {
      elements += layer.elements;
      differing += layer.differing;
      largest = Math.max(largest, layer.largest);
    }
  }
  return [
    ...tally.figures("zoo.mlperf", "those of XNNPACK's arithmetic"),
    {
      id: "zoo.mlperf.layers",
      name: `elements of all layers, each by itself, equal to XNNPACK's arithmetic (${differing} of ${elements} differ, by at most ${largest})`,
      value: rounded(100 - (100 * differing) / elements, 8),
      unit: "%",
      target: "≥ 99.5, the rest ±1",
      met: differing / elements <= 0.005 && largest <= 1,
    },
  ];
}

function randomInput({ input }: Engine, index: number): Int8Array {
  const random = new Random(SEED, index);
  return Int8Array.from({ length: valuesOf(input.shape) }, () => random.integer(256) - 128);
}

/** @param answers folder of what tests/golden/import/zoo_oracle.py keeps: FILE.x and FILE.y, int8 */
export function litertEquality(folder: string, answers: string, note: (text: string) => void): Figure[] {
  const tally = new Tally();
  for (const [, file] of MLPERF) {
    if (!existsSync(join(answers, `${file}.x`))) continue;
    note(`zoo: ${file} beside LiteRT`);
    const [given, wanted] = ["x", "y"].map(
      (end) => new Int8Array(Uint8Array.from(readFileSync(join(answers, `${file}.${end}`)))),
    );
    runBeside(lowered(join(folder, file)), given, wanted, tally);
  }
  return tally.figures("zoo.mlperf.litert", "LiteRT's");
}

function runBeside(net: ImportedNet, given: Int8Array, wanted: Int8Array, tally: Tally): void {
  const engine = openEngine("v8", writeContainer(importedModel(net)));
  const size = valuesOf(engine.input.shape);
  const outputs = valuesOf(engine.output.shape);
  const [toInput, toOutput] = [
    planarIndex(net.inputs[0].order, engine.input.shape),
    planarIndex(net.outputs[0].order, engine.output.shape),
  ];
  const input = new Int8Array(size);
  for (let sample = 0; sample < given.length / size; sample++) {
    for (let i = 0; i < size; i++) input[toInput(i)] = given[sample * size + i];
    const got = engine.run(input);
    const expected = wanted.subarray(sample * outputs, (sample + 1) * outputs);
    tally.add(
      expected,
      expected.map((_, i) => got[toOutput(i)]),
    );
  }
  engine.close();
}
