/** Formats of weight matrices: CER beside the container's codes, and fast modules whose dense layers go by values beside those by pairs. */
import { readContainer } from "../../host/container/read.js";
import { opsOfOneRun } from "../../host/engines/counted.js";
import { fastProgram } from "../../host/fast/memory.js";
import { fastParts } from "../../host/fast/parts.js";
import { builtModule } from "../../host/node/built.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { reportContainer } from "../../host/report/container.js";
import { formatTotals, reportMatrixFormats } from "../../host/report/matrix-formats.js";
import { rounded, type Figure, type Group } from "./figure.js";
import { SHIPPED_MODELS, shippedModel } from "./models.js";

/** Instructions that a byte of the stream is worth. */
const BYTE_PRICE = 30;

export const matrixGroup: Group = {
  name: "matrix",
  summary: "CER beside the container's codes, and as stream of fast modules: bytes, wasm instructions",
  measure: async ({ note }) =>
    SHIPPED_MODELS.flatMap(({ name }) => {
      note(name);
      return matrixFigures(name);
    }),
};

/** @param name of a shipped model */
export function matrixFigures(name: string): Figure[] {
  const file = shippedModel(name);
  const container = readContainer(file);
  const layers = reportMatrixFormats(container, reportContainer(container).layers);
  const coded = layers.reduce((sum, { codedBytes }) => sum + codedBytes, 0);
  const modules = [0, BYTE_PRICE].map((bytePrice) => fastModule(fastProgram(container, { bytePrice })));
  const [pairs, priced] = modules.map((wasm) => {
    const instructions = opsOfOneRun(wasm, builtModule("build/core.wasm"));
    return { bytes: wasm.length, stream: fastParts(wasm).stream.length, instructions };
  });
  const ofModule = `${name}, fast module at ${BYTE_PRICE} instructions a byte`;
  const figure = (what: string, text: string, value: number, unit: string, other: Figure["beside"] = {}): Figure => {
    return { id: `matrix.${name}.${what}`, name: text, value, unit, beside: other };
  };
  return [
    figure("cer", `${name}, weights as CER`, formatTotals(layers, "CER").bytes, "B", { "as coded": coded }),
    figure("stream", `${ofModule}: stream`, priced.stream, "B", { "at none": pairs.stream }),
    figure("module", `${ofModule}: in all`, priced.bytes, "B", { "at none": pairs.bytes }),
    figure(
      "instructions",
      `${ofModule}: wasm instructions, of those at none`,
      rounded(priced.instructions / pairs.instructions),
      "",
    ),
  ];
}
