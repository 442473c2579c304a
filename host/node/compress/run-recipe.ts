/** Recipes with a work folder on the disk, trained by Node's threads. */
import * as pure from "../../compress/run-recipe.js";
import type { Net } from "../../model/model.js";
import { nodeRuntime } from "../train/runtime.js";
import { DiskWorkFolder } from "./work-folder.js";

export interface RunOptions extends Omit<pure.RunOptions, "runtime" | "openWork"> {
  /** Folder of the checkpoints. */
  readonly work: string;
  /** With the reason why nothing can be put into the work folder now. The run goes on. */
  readonly onWorkProblem?: (reason: string) => void;
}

/** @throws MoteError as the recipe's run, and FILE for a work folder that nothing can be written to */
export function runRecipe(options: RunOptions): Promise<{ net: Net; reports: pure.StageReport[] }> {
  const { work, onWorkProblem, ...rest } = options;
  const openWork = (): DiskWorkFolder => new DiskWorkFolder(work, (reason) => onWorkProblem?.(reason));
  return pure.runRecipe({ ...rest, runtime: nodeRuntime, openWork });
}
