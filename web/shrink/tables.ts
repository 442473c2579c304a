/** What is known of a model as rows of words: for the report, and for those who do not see plots. The first row are the heads. */
import { PURPOSES } from "../../host/codecs/codec.js";
import type { Energy } from "../../host/report/energy.js";
import type { BoardFit, EngineFit, LayerFacts, Shrunk } from "./protocol.js";

export type Rows = readonly (readonly string[])[];

export const grouped = (value: number): string => value.toLocaleString("en");

/** "589", "7.3" */
export const factorText = (factor: number): string =>
  factor >= 100 ? grouped(Math.round(factor)) : factor.toFixed(factor >= 10 ? 0 : 1);

/** Name and value. */
export function overview(shrunk: Shrunk): (readonly [string, string])[] {
  const { kind, netBytes, report, memory, samples, outputDecibels } = shrunk;
  const macs = report.layers.reduce((sum, layer) => sum + layer.macs, 0);
  return [
    ["made of", kind],
    ...(netBytes === undefined ? [] : [["the net's file", `${grouped(netBytes)} bytes`] as const]),
    ["as float32", `${grouped(report.nominalBytes)} bytes`],
    [
      "model",
      `${grouped(report.fileBytes)} bytes, ${factorText(report.nominalBytes / report.fileBytes)} times smaller than float32`,
    ],
    ["linear memory", `${grouped(memory.bytes)} bytes; with the model in it ${grouped(memory.residentBytes)}`],
    ["multiplications a run", grouped(macs)],
    ...(samples === undefined ? [] : [["samples", samples.source] as const]),
    ...(outputDecibels === undefined ? [] : [["outputs beside real numbers", decibelsText(outputDecibels)] as const]),
  ];
}

const decibelsText = (decibels: number | undefined): string =>
  decibels === undefined ? "" : Number.isFinite(decibels) ? `${decibels.toFixed(1)} dB` : "exact";

/** What bytes of a layer are for. */
export const BYTE_USES = ["weights", "gaps", "rest"] as const;

export function bytesByUse({ bytes, weights }: LayerFacts): Readonly<Record<(typeof BYTE_USES)[number], number>> {
  const own = (weights?.bits.weights ?? 0) / 8;
  const gaps = (weights?.bits.gaps ?? 0) / 8;
  return { weights: own, gaps, rest: Math.max(0, bytes - own - gaps) };
}

export function layerRows({ layers }: Shrunk): Rows {
  const hasErrors = layers.some(({ decibels }) => decibels !== undefined);
  return [
    [
      "layer",
      "op",
      "output",
      "weights",
      "not zero",
      "values",
      "bits a weight",
      "bytes",
      "multiplications",
      "of dense",
      ...(hasErrors ? ["beside real numbers"] : []),
    ],
    ...layers.map((layer) => {
      const { index, op, name, output, weights, bytes, macs, nominalMacs, decibels } = layer;
      return [
        `${index}${name === undefined ? "" : ` ${name}`}`,
        op,
        output.join(" × "),
        ...(weights === undefined
          ? ["", "", "", ""]
          : [
              grouped(weights.nominalWeights),
              grouped(weights.nonZeros),
              grouped(weights.values),
              weights.nonZeros === 0
                ? "0"
                : (PURPOSES.reduce((sum, purpose) => sum + weights.bits[purpose], 0) / weights.nonZeros).toFixed(2),
            ]),
        grouped(bytes),
        grouped(macs),
        grouped(nominalMacs),
        ...(hasErrors ? [decibelsText(decibels)] : []),
      ];
    }),
  ];
}

export const ENERGY_PARTS = ["arithmetic", "weights", "activations", "total"] as const;

/** nJ of a run. */
export function energyRows({ energy: { dense, packed } }: Shrunk): Rows {
  const row = (name: string, energy: Energy): string[] => [
    name,
    ...ENERGY_PARTS.map((part) => grouped(Number(energy[part].toPrecision(3)))),
  ];
  return [
    ["nJ a run", ...ENERGY_PARTS],
    row("dense float32, weights in DRAM", dense),
    row("this model, all in SRAM", packed),
  ];
}

export const fits = ({ lack }: EngineFit): boolean => lack === 0;

export function fitText({ form, sram, flash, lack, why }: EngineFit): string {
  if (why !== undefined) return why;
  const sizes = `SRAM ${grouped(sram)}, flash ${grouped(flash)} bytes`;
  return lack === 0 ? `fits for ${form}: ${sizes}` : `lacks ${grouped(lack)} bytes for ${form}: ${sizes}`;
}

export function boardRows(boards: readonly BoardFit[]): Rows {
  return [
    ["board", "CPU", ...(boards[0]?.engines ?? []).map(({ engine }) => engine)],
    ...boards.map(({ name, cpu, engines }) => [name, cpu, ...engines.map(fitText)]),
  ];
}
