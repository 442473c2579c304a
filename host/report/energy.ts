/**
 * Energy of one inference by counting operations and memory accesses, at 45 nm. It counts what the arithmetic has to do, not what an
 * interpreter or a processor's control adds to it.
 * @see Horowitz 2014, "Computing's energy problem"; the table is as in Han et al. 2016 (EIE), Table I
 */
import type { ContainerReport } from "./container.js";

/** pJ for an operation on, or an access to, 32 bits. */
export const PICOJOULE = { intAdd: 0.1, intMult: 3.1, floatAdd: 0.9, floatMult: 3.7, sram: 5, dram: 640 } as const;

export interface Energy {
  /** nJ an inference: arithmetic, fetching the weights, and reading activations (with the decoder's look-ups). */
  readonly arithmetic: number;
  readonly weights: number;
  readonly activations: number;
  readonly total: number;
}

/** The net before compression in float32, each weight fetched from DRAM once, activations in SRAM. */
export function denseFloatEnergy(report: ContainerReport): Energy {
  const macs = report.layers.reduce((sum, layer) => sum + layer.nominalMacs, 0);
  return energy(
    macs * (PICOJOULE.floatMult + PICOJOULE.floatAdd),
    (report.nominalBytes / 4) * PICOJOULE.dram,
    macs * PICOJOULE.sram,
  );
}

/**
 * The container held in SRAM and read once; a multiplication and an addition of integers for each non-zero weight and place. Each symbol
 * costs a table look-up, each weight also storing its record and reading it back; an activation costs a whole access though it is one byte.
 */
export function packedEnergy(report: ContainerReport): Energy {
  const macs = report.layers.reduce((sum, layer) => sum + layer.macs, 0);
  const decoding = report.layers.reduce(
    (sum, { weights }) => sum + (weights === undefined ? 0 : weights.lookUps + 2 * weights.nonZeros),
    0,
  );
  return energy(
    macs * (PICOJOULE.intMult + PICOJOULE.intAdd),
    (report.fileBytes / 4) * PICOJOULE.sram,
    (macs + decoding) * PICOJOULE.sram,
  );
}

/** From pJ to nJ. */
function energy(arithmetic: number, weights: number, activations: number): Energy {
  const total = arithmetic + weights + activations;
  return {
    arithmetic: arithmetic / 1000,
    weights: weights / 1000,
    activations: activations / 1000,
    total: total / 1000,
  };
}
