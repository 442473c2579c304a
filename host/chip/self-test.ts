/** A test that a part runs on itself: the first runs of a certificate's self-test (SPEC.md, "Certificate"), and what the reference makes of them. */
import { concatBytes } from "../bytes.js";
import { fillSelfTest } from "../container/certificate.js";
import { crc32 } from "../container/crc32.js";
import { freshStates, runLayers } from "../engines/ops-i8.js";
import { modelInputs, outputsOf } from "../model/edges.js";
import { valuesOf } from "../model/geometry.js";
import type { QModel, Shape } from "../model/model.js";
import type { ChipMemory, Placed } from "./memory.js";

const RUNS = 2;

/** CRC-32 of the outputs of all runs. */
function expectedCrc(model: QModel): number {
  const states = freshStates(model);
  const inputs = modelInputs(model).map((tensor) => new Int8Array(valuesOf(model.tensors[tensor].shape)));
  const results: Uint8Array[] = [];
  for (let run = 0; run < RUNS; run++) {
    fillSelfTest(run, inputs);
    const tensors = runLayers(
      model,
      inputs.map((elements) => elements.slice()),
      states,
    );
    for (const output of outputsOf(model)) results.push(Uint8Array.from(tensors.get(output)!));
  }
  return crc32(concatBytes(results));
}

/** C of the test, for the end of the source. @param byRows whether the input comes by rows @param reset a statement, or nothing */
export function selfTestText(
  model: QModel,
  { tensors }: ChipMemory,
  lower: string,
  byRows: boolean,
  reset: string,
): string {
  const sizes = modelInputs(model).map((tensor) => valuesOf(model.tensors[tensor].shape));
  const all = sizes.reduce((sum, size) => sum + size, 0);
  /** The number of an input's element among those of all runs. */
  const number = (index: number, [, height, width]: Shape): string =>
    `run * ${all} + ${sizes.slice(0, index).reduce((sum, size) => sum + size, 0)} + (c * ${height} + y) * ${width} + x`;
  const inputs = modelInputs(model).map((tensor, index) => {
    const { shape } = model.tensors[tensor];
    const [channels, height, width] = shape;
    const element = `self_test_element(${number(index, shape)})`;
    if (byRows) {
      return `for (unsigned y = 0; y < ${height}; y++) {
for (unsigned c = 0; c < ${channels}; c++) {
for (unsigned x = 0; x < ${width}; x++) {
row[c * ${width} + x] = ${element};
}
}
${lower}_push_row(row);
}
`;
    }
    return eachElement(shape, `BYTES[${placeIn(tensors[tensor])}] = ${element};\n`);
  });
  const outputs = outputsOf(model).map((tensor) =>
    eachElement(
      model.tensors[tensor].shape,
      `crc ^= BYTES[${placeIn(tensors[tensor])}] ^ 128u;
for (unsigned bit = 0; bit < 8; bit++) {
crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
}
`,
    ),
  );
  const [channels, , width] = model.tensors[modelInputs(model)[0]].shape;
  return `#ifdef MOTE_SELFTEST
/* A hash of the element's number. */
static uint8_t self_test_element(uint32_t number) {
const uint32_t x = number * 0x9e3779b1u;
return (uint8_t)((x ^ x >> 15) * 0x85ebca77u >> 24);
}

const char *${lower}_selftest(void) {
uint32_t crc = 0xffffffffu;
${byRows ? `uint8_t row[${channels * width}];\n` : ""}${reset}for (unsigned run = 0; run < ${RUNS}; run++) {
${byRows ? `${lower}_begin();\n` : ""}${inputs.join("")}${byRows ? "" : `${lower}_run();\n`}${outputs.join("")}}
return ~crc == ${expectedCrc(model)}u ? "${lower}: self-test passed" : "${lower}: self-test FAILED";
}
#endif
`;
}

/** The element of channel c, row y and column x. */
const placeIn = ({ begin, inside, plane, pitch }: Placed): string =>
  `${begin + inside} + c * ${plane}u + y * ${pitch}u + x`;

const eachElement = ([channels, height, width]: Shape, text: string): string =>
  `for (unsigned c = 0; c < ${channels}; c++) {
for (unsigned y = 0; y < ${height}; y++) {
for (unsigned x = 0; x < ${width}; x++) {
${text}}
}
}
`;
