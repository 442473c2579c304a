/** What arithmetic codes save, and what they take: today's integers in the smallest files, NNCodec beside; core, instructions and memory. */
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { opsOfOneRun } from "../../host/engines/counted.js";
import { coreWith } from "../../host/node/module/bake.js";
import { builtModule } from "../../host/node/built.js";
import { ALL_CONTENTS } from "../../host/module/contents.js";
import { atMost, rounded, type Figure, type Group } from "./figure.js";
import { shippedModel } from "./models.js";
import { NNCODEC } from "./nncodec.js";

export const codecGroup: Group = {
  name: "codec",
  summary: "arithmetic codes: the shipped models' integers in the fewest bytes, core, instructions, decoding memory",
  measure: measureCodec,
};

/** Bytes that the whole file is to take at most. */
const MOST_BYTES = { lenet5: 2_600, lenet300: 3_250, "lenet5-paper": 38_300, "lenet300-paper": 23_500 } as const;
type NetName = keyof typeof MOST_BYTES;
const LEAST_SAVING = 2.5;

async function measureCodec(): Promise<Figure[]> {
  return [...(Object.keys(MOST_BYTES) as NetName[]).flatMap(netFigures), ...coreFigures(), ...decodeFigures()];
}

function netFigures(name: NetName): Figure[] {
  const nncodec = NNCODEC[name];
  const { model } = readContainer(shippedModel(name));
  const file = writeContainer(model, { codec: "auto" });
  const small = writeContainer(model, { codec: "arithmetic", container: "small" });
  const bits = readContainer(file).layers.flatMap(({ section }) => Object.values(section?.bits ?? {}));
  const payload = bits.reduce((sum, count) => sum + count, 0) / 8;
  return [
    atMost(`codec.${name}.bytes`, `${name}'s integers, the smallest file`, small.length, "B", MOST_BYTES[name]),
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
