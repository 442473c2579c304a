/** A test that a chip runs on itself: made-up inputs, and what the reference makes of them. */
import { modelInputs, outputsOf } from "../model/edges.js";
import { offsetOf, plainLayout } from "../model/geometry.js";
import type { QModel } from "../model/model.js";
import { freshStates, runLayers } from "../engines/ops-i8.js";
import type { ChipMemory } from "./memory.js";

const RUNS = 2;
/** Numerical Recipes' generator; FNV-1a's digest. */
const [FACTOR, STEP] = [1664525, 1013904223];
const [BASIS, PRIME] = [2166136261, 16777619];

/** FNV-1a of the outputs' bytes of all runs. */
function expectedDigest(model: QModel): number {
  const states = freshStates(model);
  let seed = 1;
  let digest = BASIS;
  for (let run = 0; run < RUNS; run++) {
    const inputs = modelInputs(model).map((tensor) => {
      const { shape } = model.tensors[tensor];
      const elements = new Int8Array(shape[0] * shape[1] * shape[2]);
      for (let y = 0; y < shape[1]; y++) {
        for (let channel = 0; channel < shape[0]; channel++) {
          for (let x = 0; x < shape[2]; x++) {
            seed = (Math.imul(seed, FACTOR) + STEP) >>> 0;
            elements[offsetOf(plainLayout(shape), channel, y, x)] = (seed >>> 24) - 128;
          }
        }
      }
      return elements;
    });
    const tensors = runLayers(model, inputs, states);
    for (const output of outputsOf(model)) {
      for (const element of tensors.get(output)!) digest = Math.imul(digest ^ (element + 128), PRIME) >>> 0;
    }
  }
  return digest;
}

/** C of the test, for the end of the source. @param byRows whether the input comes by rows @param reset a statement, or nothing */
export function selfTestText(
  model: QModel,
  { tensors }: ChipMemory,
  lower: string,
  byRows: boolean,
  reset: string,
): string {
  const element = "seed = seed * 1664525u + 1013904223u;\n";
  const inputs = modelInputs(model).map((tensor) => {
    const [channels, height, width] = model.tensors[tensor].shape;
    const { begin, inside, plane, pitch } = tensors[tensor];
    if (byRows) {
      return `uint8_t row[${channels * width}];
for (unsigned y = 0; y < ${height}; y++) {
for (unsigned x = 0; x < ${channels * width}; x++) {
${element}row[x] = (uint8_t)(seed >> 24);
}
${lower}_push_row(row);
}
`;
    }
    return `for (unsigned y = 0; y < ${height}; y++) {
for (unsigned c = 0; c < ${channels}; c++) {
for (unsigned x = 0; x < ${width}; x++) {
${element}BYTES[${begin + inside} + c * ${plane}u + y * ${pitch}u + x] = (uint8_t)(seed >> 24);
}
}
}
`;
  });
  const outputs = outputsOf(model).map((tensor) => {
    const [channels, height, width] = model.tensors[tensor].shape;
    const { begin, inside, plane, pitch } = tensors[tensor];
    return `for (unsigned c = 0; c < ${channels}; c++) {
for (unsigned y = 0; y < ${height}; y++) {
for (unsigned x = 0; x < ${width}; x++) {
digest = (digest ^ BYTES[${begin + inside} + c * ${plane}u + y * ${pitch}u + x]) * ${PRIME}u;
}
}
}
`;
  });
  return `#ifdef MOTE_SELFTEST
const char *${lower}_selftest(void) {
uint32_t seed = 1, digest = ${BASIS}u;
${reset}for (unsigned run = 0; run < ${RUNS}; run++) {
${byRows ? `${lower}_begin();\n` : ""}${inputs.join("")}${byRows ? "" : `${lower}_run();\n`}${outputs.join("")}}
return digest == ${expectedDigest(model)}u ? "${lower}: self-test passed" : "${lower}: self-test FAILED";
}
#endif
`;
}
