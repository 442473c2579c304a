/** Codec 3, DeepCABAC as published, on the shipped nets' integers, beside the other codecs and the standard's reference software. */
import { readContainer } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { opsOfOneRun } from "../../host/engines/counted.js";
import { bakedContainer } from "../../host/module/baked.js";
import { builtModule } from "../../host/node/built.js";
import { bake } from "../../host/node/module/bake.js";
import type { Figure, Group } from "./figure.js";
import { shippedModel, SHIPPED_MODELS } from "./models.js";
import { NNCODEC } from "./nncodec.js";

export const cabacGroup: Group = {
  name: "cabac",
  summary: "codec 3 on the shipped nets: bytes of weights, instructions, the core specialised for it",
  measure: measureCabac,
};

async function measureCabac(): Promise<Figure[]> {
  const core = builtModule("build/core.wasm");
  const figures = SHIPPED_MODELS.flatMap(({ name }): Figure[] => {
    const { model } = readContainer(shippedModel(name));
    const [huffman, arithmetic, file] = (["huffman", "arithmetic", "cabac"] as const).map((codec) =>
      writeContainer(model, { codec }),
    );
    return [
      {
        id: `cabac.${name}.bytes`,
        name: `weights of ${name} by codec 3`,
        value: weightBytes(file),
        unit: "B",
        beside: { huffman: weightBytes(huffman), arithmetic: weightBytes(arithmetic), NNCodec: NNCODEC[name] },
      },
      {
        id: `cabac.${name}.instructions`,
        name: `${name} by codec 3, instructions of a run`,
        value: opsOfOneRun(file, core),
        unit: "",
        beside: { huffman: opsOfOneRun(huffman, core), arithmetic: opsOfOneRun(arithmetic, core) },
      },
    ];
  });
  const lenet5 = shippedModel("lenet5");
  const codeBytes = (file: Uint8Array): number => bakedContainer(bake(file)).codeBytes;
  const alone = {
    id: "cabac.core.bytes",
    name: "core specialised for lenet5 by codec 3, without the model",
    value: codeBytes(writeContainer(readContainer(lenet5).model, { codec: "cabac" })),
    unit: "B",
    beside: { huffman: codeBytes(lenet5) },
  };
  return [...figures, alone];
}

/** Of the weights in all sections, with what their codecs state. */
function weightBytes(file: Uint8Array): number {
  const bits = readContainer(file).layers.flatMap(({ section }) =>
    section === undefined ? [] : Object.values(section.bits),
  );
  return Math.ceil(bits.reduce((sum, one) => sum + one, 0) / 8);
}
