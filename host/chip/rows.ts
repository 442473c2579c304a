/** The first layers by rows: a row of the input goes into a window, a full window makes a row of the next tensor, and so on. */
import type { QModel } from "../model/model.js";
import type { ChipMemory } from "./memory.js";

export interface RowsText {
  /** In front of the layers. */
  readonly counters: string;
  /** Behind them: `begin` and `push_row` of the net. */
  readonly functions: string;
}

/**
 * @param lower the net's name
 * @param calls of the layers, in order
 * @param rest statements that run the layers behind the chain
 */
export function rowsText(
  { tensors }: QModel,
  memory: ChipMemory,
  lower: string,
  calls: readonly string[],
  rest: readonly string[],
): RowsText {
  const { chain } = memory;
  const counters = chain.map(
    ({ layer }) =>
      `/* Rows in the window before layer ${layer}, rows to leave out, rows that the layer has made. */\nstatic uint16_t have_${layer}, skip_${layer}, made_${layer};\n`,
  );
  const last = chain.length;
  /** Whether all rows are made that the rest needs: what windows held may be gone. */
  const isOver = last === 0 ? "0" : `made_${last - 1} == ${tensors[last].shape[1]}`;
  const end = `static void end_of_rows(void) {\n${rest.join("\n")}\n}\n`;
  const came = chain.toReversed().map(({ layer, rows, step }) => {
    const { pitch, plane } = memory.tensors[layer];
    const { begin } = memory.tensors[layer];
    const [channels] = tensors[layer].shape;
    const { shape, border, zeroPoint } = tensors[layer + 1];
    const isLast = layer + 1 === last;
    const next = `came_${layer + 1}();`;
    const below = memory.tensors[layer + 1];
    const zeros = `for (unsigned i = 0; i < ${border} && !(${isOver}); i++) {
for (unsigned c = 0; c < ${shape[0]}; c++) {
memset(BYTES + ${below.begin} + c * ${below.plane}u + have_${layer + 1} * ${below.pitch}u, ${zeroPoint + 128}, ${below.pitch});
}
${next}
}
`;
    const stay = rows - step;
    const slide =
      stay > 0
        ? `for (unsigned c = 0; c < ${channels}; c++) {
uint8_t *window = BYTES + ${begin} + c * ${plane}u;
memmove(window, window + ${step * pitch}, ${stay * pitch});
}
have_${layer} = ${stay};
`
        : `have_${layer} = 0;\n${stay < 0 ? `skip_${layer} = ${-stay};\n` : ""}`;
    const skips = stay < 0 ? `if (skip_${layer} != 0) {\nskip_${layer}--;\nreturn;\n}\n` : "";
    return `/* A row has come into the window before layer ${layer}. */
static void came_${layer}(void) {
if (made_${layer} == ${shape[1]}${isLast ? "" : ` || ${isOver}`}) return;
${skips}if (++have_${layer} < ${rows}) return;
${calls[layer]}
${slide}made_${layer}++;
${isLast ? "" : `${next}\n`}if (made_${layer} == ${shape[1]}) {
${isLast ? "end_of_rows();\n" : border > 0 ? zeros : ""}}
}
`;
  });
  const [channels, height, width] = tensors[0].shape;
  const first = memory.tensors[0];
  const row = chain.length === 0 ? "row_came" : "have_0";
  const border = tensors[0].border;
  const push =
    chain.length === 0
      ? `if (++row_came == ${height}) end_of_rows();\n`
      : `came_0();\n` +
        (border === 0
          ? ""
          : `if (++row_came < ${height}) return;
for (unsigned i = 0; i < ${border} && !(${isOver}); i++) {
for (unsigned c = 0; c < ${channels}; c++) {
memset(BYTES + ${first.begin} + c * ${first.plane}u + have_0 * ${first.pitch}u, ${tensors[0].zeroPoint + 128}, ${first.pitch});
}
came_0();
}
`);
  const countsRows = chain.length === 0 || border > 0;
  const begin = [
    ...chain.map(({ layer, top }) => {
      const { begin: from, bytes } = memory.tensors[layer];
      const fill =
        tensors[layer].border > 0 ? `memset(BYTES + ${from}, ${tensors[layer].zeroPoint + 128}, ${bytes});\n` : "";
      return `${fill}have_${layer} = ${top};\nskip_${layer} = made_${layer} = 0;\n`;
    }),
    ...(tensors[last].border > 0
      ? [
          `memset(BYTES + ${memory.tensors[last].begin}, ${tensors[last].zeroPoint + 128}, ${memory.tensors[last].bytes});\n`,
        ]
      : []),
    countsRows ? "row_came = 0;\n" : "",
  ];
  const functions = `${end}
${came.join("\n")}
void ${lower}_begin(void) {
${begin.join("")}}

void ${lower}_push_row(const uint8_t *row) {
if (${last === 0 ? `row_came == ${height}` : isOver}) return;
for (unsigned c = 0; c < ${channels}; c++) {
memcpy(BYTES + ${first.begin + first.inside} + c * ${first.plane}u + ${row} * ${first.pitch}u, row + c * ${width}u, ${width});
}
${push}}
`;
  return { counters: `${counters.join("")}${countsRows ? "static uint16_t row_came;\n" : ""}`, functions };
}
