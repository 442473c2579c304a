/** Samples for nets with several inputs. */
import type { Shape } from "../../model/model.js";
import { MoteError } from "../../errors.js";
import type { SampleSet } from "../../data/data-set.js";
import { loadData, type DataOptions } from "./load.js";

/**
 * @param spec as of `loadData`; for several inputs an .npz archive that has an array for each, by its name
 * @returns a set of as many samples for each input
 * @throws MoteError as `loadData`
 */
export function loadInputs(
  spec: string,
  inputs: readonly { readonly name?: string | undefined; readonly shape: Shape }[],
  options: Omit<DataOptions, "shape" | "array">,
): SampleSet[] {
  if (inputs.length === 1) return [loadData(spec, { ...options, shape: inputs[0].shape })];
  const sets = inputs.map(({ name = "", shape }) => loadData(spec, { ...options, shape, array: name }));
  const other = sets.findIndex(({ count }) => count !== sets[0].count);
  if (other < 0) return sets;
  throw new MoteError(
    "MISMATCH",
    `${spec}: ${sets[0].count} samples of ${inputs[0].name} and ${sets[other].count} of ${inputs[other].name}, expected as many`,
  );
}
