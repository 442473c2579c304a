/** What pruning does for speed, layer by layer: Figure 9 of Deep Compression, on the SIMD engine and on a board. */
import { barChart } from "../charts.js";
import type { Block, Part } from "../page.js";
import { threeDigits } from "../table.js";

export interface LayerSpeed {
  readonly layer: string;
  /** Microseconds of the layer in the dense int8 net and in the compressed one, on the SIMD engine; null where nothing was measured. */
  readonly simd: { readonly dense: number; readonly pruned: number } | null;
  /** Instructions of a Cortex-M4, of the fast module ahead of time, as the packer's cost model has them. */
  readonly board: { readonly dense: number; readonly pruned: number };
}

const times = (value: number): string => `${threeDigits(value)}×`;

export function speedPart(layers: readonly LayerSpeed[]): Part {
  const sum = (of: (layer: LayerSpeed) => number): number => layers.reduce((all, layer) => all + of(layer), 0);
  const isTimed = layers.every(({ simd }) => simd !== null);
  const total: LayerSpeed = {
    layer: "all",
    simd: isTimed ? { dense: sum(({ simd }) => simd!.dense), pruned: sum(({ simd }) => simd!.pruned) } : null,
    board: { dense: sum(({ board }) => board.dense), pruned: sum(({ board }) => board.pruned) },
  };
  const rows = [...layers, total];
  const ratio = (pair: { readonly dense: number; readonly pruned: number } | null): number | null =>
    pair === null || pair.pruned === 0 ? null : pair.dense / pair.pruned;
  const bars: Block = barChart({
    id: "speed-bars",
    title: "Times as fast as dense",
    description: `Above 1 the compressed layer is faster than the same layer with all of its weights in int8. All layers: ${isTimed ? `${times(ratio(total.simd)!)} on the SIMD engine, ` : ""}${times(ratio(total.board)!)} on a Cortex-M4.`,
    axis: { label: "times as fast, logarithmic", isLog: true, least: 1, show: times },
    series: isTimed ? ["SIMD engine", "Cortex-M4"] : ["Cortex-M4"],
    rows: rows.map(({ layer, simd, board }) => ({
      label: layer,
      values: [...(isTimed ? [ratio(simd)] : []), ratio(board)],
    })),
  });
  return {
    id: "speed",
    title: "Speed, pruned against dense",
    blocks: [
      bars,
      {
        kind: "table",
        id: "speed",
        caption:
          "Time on the SIMD engine of this machine, both nets in one run by turns, and instructions of a Cortex-M4 by the packer's cost model",
        columns: [
          { head: "layer" },
          { head: "dense, µs", show: threeDigits },
          { head: "compressed, µs", show: threeDigits },
          { head: "times as fast", show: times },
          { head: "dense, instructions" },
          { head: "compressed, instructions" },
          { head: "times as few", show: times },
        ],
        rows: rows.map(({ layer, simd, board }) => [
          layer,
          simd?.dense ?? null,
          simd?.pruned ?? null,
          ratio(simd),
          Math.round(board.dense),
          Math.round(board.pruned),
          ratio(board),
        ]),
      },
    ],
  };
}
