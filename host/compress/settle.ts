/** Puts what was measured in the place of "auto". */
import type { Net } from "../model/model.js";
import { own } from "../own.js";
import {
  DEFAULT_TOLERANCE,
  type Auto,
  type GridStage,
  type PruneStage,
  type RdoqStage,
  type ShareStage,
  type Stage,
} from "./recipe.js";
import { weightedLayers } from "./integer-stages.js";
import { allowedRise, densitiesAt, densitiesFor, settingsAt, type Knob, type Sensitivity } from "./sensitivity.js";

/** A stage in which nothing is left to be measured. */
export type SettledStage =
  | Exclude<Stage, PruneStage | ShareStage | GridStage | RdoqStage>
  | SettledPrune
  | ShareStage<number>
  | GridStage<number>
  | RdoqStage<number>;
export type SettledPrune = PruneStage & Required<Pick<PruneStage, "keep">>;

/** The table of a net's sensitivity, kept or made. */
export type Measure = (knob: Knob, layers: readonly string[]) => Promise<Sensitivity>;

export interface Settled {
  readonly stage: SettledStage;
  /** What was measured for it. */
  readonly sensitivity?: Sensitivity;
}

/** @param stage of a checked recipe @param net that the stage begins with */
export async function settleStage(stage: Stage, net: Net, measure: Measure): Promise<Settled> {
  switch (stage.kind) {
    case "prune": {
      if (stage.quality !== undefined) return { stage: { ...stage, keep: aboveThresholds(net, stage.quality) } };
      if (stage.sparsity === undefined) return { stage: stage as SettledPrune };
      const sensitivity = await measure(
        "density",
        weightedLayers(net.graph).map(({ name }) => name),
      );
      const keep =
        typeof stage.keep === "number"
          ? densitiesFor(sensitivity, stage.keep)
          : densitiesAt(sensitivity, allowedRise(sensitivity, stage.tolerance));
      return { stage: { ...stage, keep }, sensitivity };
    }
    case "share": {
      const { values, ...rest } = await settleValues(stage.bits, "bits", stage.tolerance, measure);
      return { stage: { ...stage, bits: values }, ...rest };
    }
    case "grid":
    case "rdoq": {
      const { values, ...rest } = await settleValues(stage.step, "step", stage.tolerance, measure);
      return { stage: { ...stage, step: values }, ...rest };
    }
    default:
      return { stage };
  }
}

/**
 * Of each layer, the share of its weights that are not below quality × the standard deviation of those that are left.
 * @see Han, Pool, Tran, Dally 2015, "Learning both weights and connections for efficient neural networks", section 3
 */
function aboveThresholds(net: Net, quality: Readonly<Record<string, number>>): Record<string, number> {
  const shares = weightedLayers(net.graph).map(({ name }): [string, number] => {
    const weights = net.tensors.get(`${name}.weight`)!.data;
    const live = weights.filter((w) => w !== 0);
    const threshold = (own(quality, name) ?? 0) * Math.sqrt(varianceOf(live));
    return [name, live.reduce((count, w) => count + Number(Math.abs(w) >= threshold), 0) / weights.length];
  });
  return Object.fromEntries(shares);
}

function varianceOf(values: Float32Array): number {
  const { length } = values;
  const mean = values.reduce((sum, value) => sum + value, 0) / length;
  return length === 0 ? 0 : values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / length;
}

async function settleValues(
  values: Readonly<Record<string, number | Auto>>,
  knob: Knob,
  tolerance = DEFAULT_TOLERANCE,
  measure: Measure,
): Promise<{ values: Record<string, number>; sensitivity?: Sensitivity }> {
  const open = Object.keys(values).filter((name) => values[name] === "auto");
  if (open.length === 0) return { values: values as Record<string, number> };
  const sensitivity = await measure(knob, open);
  const found = settingsAt(sensitivity, allowedRise(sensitivity, tolerance));
  const settled = Object.entries(values).map(([name, value]) => [name, value === "auto" ? found[name] : value]);
  return { values: Object.fromEntries(settled) as Record<string, number>, sensitivity };
}
