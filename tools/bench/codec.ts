/** What arithmetic codes save, and what they take: the shipped models' weights in the smallest files, NNCodec beside; core, instructions and memory. */
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { opsOfOneRun } from "../../host/engines/counted.js";
import { coreWith } from "../../host/node/module/bake.js";
import { builtModule } from "../../host/node/built.js";
import { loadData } from "../../host/node/data/load.js";
import { ALL_CONTENTS } from "../../host/module/contents.js";
import { atMost, rounded, type Figure, type Group } from "./figure.js";
import { trimmedContainer } from "../pack-trim.js";
import { shippedModel } from "./models.js";
import { NNCODEC } from "./nncodec.js";
import { testError } from "./test-error.js";

export const codecGroup: Group = {
  name: "codec",
  summary: "arithmetic codes: the shipped models' weights in the fewest bytes, core, instructions, decoding memory",
  measure: measureCodec,
};

/** Bytes that the whole file is to take at most. */
const MOST_BYTES = { lenet5: 2_600, lenet300: 3_250, "lenet5-paper": 38_300, "lenet300-paper": 23_500 } as const;
type NetName = keyof typeof MOST_BYTES;
const LEAST_SAVING = 2.5;
/** Digits that no net has learned from. */
const TRIMMED_BY = "mnist:validation";

async function measureCodec(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const name of Object.keys(MOST_BYTES) as NetName[]) figures.push(...(await netFigures(name)));
  return [...figures, ...coreFigures(), ...decodeFigures()];
}

async function netFigures(name: NetName): Promise<Figure[]> {
  const nncodec = NNCODEC[name];
  const { model } = readContainer(shippedModel(name));
  const digits = loadData("mnist:test", { shape: model.tensors[0].shape });
  const file = writeContainer(model, { codec: "auto" });
  const whole = writeContainer(model, { codec: "arithmetic", container: "small" });
  const { bytes: trimmed } = await trimmedContainer(whole, TRIMMED_BY, { codec: "arithmetic" });
  const bits = readContainer(file).layers.flatMap(({ section }) => Object.values(section?.bits ?? {}));
  const payload = bits.reduce((sum, count) => sum + count, 0) / 8;
  return [
    {
      ...atMost(`codec.${name}.bytes`, `${name}'s weights, the smallest file`, trimmed.length, "B", MOST_BYTES[name]),
      beside: { "not trimmed": whole.length },
    },
    {
      id: `codec.${name}.error`,
      name: `${name} trimmed, test error`,
      value: await testError(trimmed, digits),
      unit: "%",
      beside: { "not trimmed": await testError(whole, digits) },
    },
    {
      id: `codec.nncodec.${name}`,
      name: `${name}'s weights against NNCodec's`,
      value: rounded(100 * (payload / nncodec - 1)),
      unit: "%",
      target: `≤ -${LEAST_SAVING}`,
      met: payload <= nncodec * (1 - LEAST_SAVING / 100),
      beside: { NNCodec: nncodec, ours: Math.ceil(payload) },
    },
  ];
}

function coreFigures(): Figure[] {
  const { ops } = ALL_CONTENTS;
  const bytes = (...codecs: string[]): number => coreWith({ ops, codecs }).length;
  const huffman = bytes("huffman");
  return [
    atMost(
      "codec.core.bytes",
      "core: codecs Huffman and arithmetic, above Huffman alone",
      bytes("huffman", "arithmetic") - huffman,
      "B",
      1_450,
    ),
    atMost(
      "codec.core.alone",
      "core: codec arithmetic alone, above Huffman alone",
      bytes("arithmetic") - huffman,
      "B",
      300,
    ),
  ];
}

function decodeFigures(): Figure[] {
  const { model } = readContainer(shippedModel("lenet5"));
  const file = writeContainer(model, { codec: "arithmetic" });
  const instructions = opsOfOneRun(file, builtModule("build/core.wasm"));
  const tables = readContainer(file).layers.map(({ section }) => section?.tableBytes ?? 0);
  return [
    atMost(
      "codec.lenet5.instructions",
      "lenet5 by arithmetic codes, WebAssembly instructions a digit",
      instructions,
      "",
      5_600_000,
    ),
    atMost(
      "codec.lenet5.ram",
      "lenet5 by arithmetic codes, decoding tables in memory",
      Math.max(...tables),
      "B",
      2_048,
    ),
  ];
}
