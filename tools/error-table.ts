/** How the commands print a model's errors, layer by layer. */
import type { ImportedContainer } from "../host/import/imported-container.js";
import type { Comparison, LayerError, Place } from "../host/import/layer-errors.js";
import { cutMiddle } from "../host/report/error-plot.js";
import { placeOf } from "../host/model/geometry.js";
import type { Shape } from "../host/model/model.js";
import { counted, grouped } from "./model-file.js";
import type { Output } from "./output.js";

/** Names get what the other columns leave of the terminal, and at least so many. */
const LEAST_NAME = 16;
const GAP = 2;

/** @param isReal the net has real numbers, beside which int8 has a signal-to-noise ratio */
export function printLayerErrors(layers: readonly LayerError[], isReal: boolean, output: Output): void {
  const heads = ["layer", "node", "op", "elements", "differ, %", "most, steps", ...(isReal ? ["SNR, dB"] : [])];
  const rows = layers.map(({ layer, name, op, elements, differing, largest, snr }) => [
    String(layer),
    name,
    op,
    grouped(elements),
    share(differing, elements),
    isReal ? largest.toFixed(1) : String(largest),
    ...(isReal ? [decibels(snr)] : []),
  ]);
  const widths = heads.map((head, at) => (at === 1 ? 0 : Math.max(head.length, ...rows.map((row) => row[at].length))));
  const others = widths.reduce((sum, width) => sum + width + GAP, -GAP);
  const room = Math.max(LEAST_NAME, output.columns - others);
  output.table([heads, ...rows.map((row) => row.map((cell, at) => (at === 1 ? cutMiddle(cell, room) : cell)))], [1, 2]);
}

/** As many digits as tell it from none. */
export function share(part: number, whole: number): string {
  if (part === 0 || whole === 0) return "0";
  const percent = (100 * part) / whole;
  return percent < 0.01 ? "< 0.01" : percent.toFixed(2);
}

export function decibels(snr: number): string {
  return Number.isFinite(snr) ? snr.toFixed(1) : snr > 0 ? "exact" : "no signal";
}

/** "sample 3, element 17 [1, 0, 3]: expected 5, found 7" */
export function describePlace({ sample, step, element, expected, found }: Place, shape: Shape): string {
  const wanted = Number.isInteger(expected) ? String(expected) : expected.toFixed(2);
  return `sample ${sample}${step === undefined ? "" : `, step ${step}`}, element ${element} [${placeOf(shape, element).join(", ")}]: expected ${wanted}, found ${found}`;
}

/** A table of more layers shows the worst alone. */
const MAX_LISTED = 12;

/** After calibration: what elements of 8 or 16 bits cost, in short. */
export function printCalibration(
  { layers, outputs, samples, perSample, activationBits }: NonNullable<ImportedContainer["calibration"]>,
  output: Output,
): void {
  const isShort = layers.length > MAX_LISTED;
  const listed = isShort ? layers.toSorted((a, b) => a.snr - b.snr).slice(0, MAX_LISTED) : layers;
  const which = isShort ? `the ${MAX_LISTED} least exact of ${layers.length} layers` : "layer by layer";
  output.line();
  output.lines(
    [`int${activationBits} beside the net's real numbers, ${counted(samples, "sample", perSample)}, ${which}:`],
    2,
  );
  printLayerErrors(listed, true, output);
  output.lines([`outputs: ${outputs.map(({ snr }) => `${decibels(snr)} dB`).join(", ")}`], 2);
}

/** What `--json` has of a comparison. */
export function comparisonJson({ layers, outputs }: Comparison): object {
  const number = (value: number): number | null => (Number.isFinite(value) ? Number(value.toFixed(4)) : null);
  const describe = ({ elements, differing, largest, snr, place }: Comparison["outputs"][number]): object => ({
    elements,
    differing,
    largestSteps: number(largest),
    snrDb: number(snr),
    place: place ?? null,
  });
  return {
    layers: layers.map((error) => ({ layer: error.layer, name: error.name, op: error.op, ...describe(error) })),
    outputs: outputs.map(describe),
  };
}
