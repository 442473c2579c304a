/** `mote inspect --matrix-formats`: what dense, CSR, CER and CSER make of each layer's weights. */
import { formatTotals, MATRIX_FORMATS, type FormatCost, type LayerFormats } from "../host/report/matrix-formats.js";
import { grouped } from "./model-file.js";
import type { Output } from "./output.js";

/** Columns of words. */
const WORDS = [0, 1];

export function printMatrixFormats(layers: readonly LayerFormats[], output: Output): void {
  const cells = ({ entries, loads, multiplications, additions, writes }: FormatCost): string[] =>
    [entries, loads, multiplications, additions, writes].map(grouped);
  const names = layers.map(({ index, op }) => `${index} ${op}`);
  output.table(
    [
      ["layer", "format", "entries", "loads", "multiplications", "additions", "writes"],
      ...layers.flatMap(({ formats }, at) =>
        MATRIX_FORMATS.map((format) => [names[at], format, ...cells(formats[format])]),
      ),
      ...MATRIX_FORMATS.map((format) => ["a run", format, ...cells(formatTotals(layers, format))]),
    ],
    WORDS,
  );
  output.line();
  output.table([
    ["bytes of weights", ...MATRIX_FORMATS, "as coded"],
    ...layers.map(({ formats, codedBytes }, at) => [
      names[at],
      ...[...MATRIX_FORMATS.map((format) => formats[format].bytes), codedBytes].map(grouped),
    ]),
    [
      "total",
      ...MATRIX_FORMATS.map((format) => grouped(formatTotals(layers, format).bytes)),
      grouped(layers.reduce((sum, { codedBytes }) => sum + codedBytes, 0)),
    ],
  ]);
  output.line();
  output.lines([
    "Operations are those of a matrix and one vector; a run has one vector for each place of a convolution.",
    "Bytes are those of entries as wide as the largest of their array needs, and of what the container has.",
  ]);
}
