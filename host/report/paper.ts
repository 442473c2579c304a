/** The columns of Tables 2 to 5 of Deep Compression (Han et al. 2016): what pruning, sharing and coding leave of each layer. */
import type { ContainerReport, WeightReport } from "./container.js";

/** Sizes in bits, biases among them. */
export interface PaperRow {
  /** Of the integer model, as in "3 dense". */
  readonly layer: string;
  readonly weights: number;
  readonly nonZeros: number;
  /** float32 before compression. */
  readonly floatBits: number;
  /** P: float32 weights behind indices of fixed width, fillers among them. */
  readonly prunedBits: number;
  /** P+Q: codes and indices of fixed width, and the codebook. */
  readonly fixedBits: number;
  /** P+Q+H: every byte of the layer in the file. */
  readonly codedBits: number;
}

export interface PaperLayer extends PaperRow {
  readonly report: WeightReport;
}

/** @returns the layers that have weights, and the whole: its P+Q+H is the file, head and tensors too */
export function paperRows(report: ContainerReport): {
  readonly layers: readonly PaperLayer[];
  readonly total: PaperRow;
} {
  const layers = report.layers.flatMap(({ index, op, weights: w, bytes, nominalUnits }): PaperLayer[] => {
    if (w === undefined) return [];
    const { entries, indexBits, bits } = w.fixedWidth;
    return [
      {
        layer: `${index} ${op}`,
        weights: w.nominalWeights,
        nonZeros: w.nonZeros,
        floatBits: 32 * (w.nominalWeights + nominalUnits),
        prunedBits: entries * (32 + indexBits) + 32 * w.rows,
        fixedBits: bits + 32 * w.rows,
        codedBits: bytes * 8,
        report: w,
      },
    ];
  });
  const sum = (of: (row: PaperRow) => number): number => layers.reduce((total, row) => total + of(row), 0);
  const total = {
    layer: "total",
    weights: sum((row) => row.weights),
    nonZeros: sum((row) => row.nonZeros),
    floatBits: report.nominalBytes * 8,
    prunedBits: sum((row) => row.prunedBits),
    fixedBits: sum((row) => row.fixedBits),
    codedBits: report.fileBytes * 8,
  };
  return { layers, total };
}

/** Mean bits a weight that is not zero takes. */
export const bitsEach = (bits: number, nonZeros: number): number => (nonZeros === 0 ? 0 : bits / nonZeros);

/** "2.53 % (40×)" */
export function rateText(bits: number, of: number): string {
  return `${((100 * bits) / of).toFixed(2)} % (${(of / bits).toFixed(of / bits < 10 ? 1 : 0)}×)`;
}
