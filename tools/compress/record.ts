/** The record that a run of a recipe leaves in its work folder. */
import { resolve } from "node:path";
import type { Recipe } from "../../host/compress/recipe.js";
import { workNames, type Origin } from "../../host/compress/run-recipe.js";
import { DiskWorkFolder } from "../../host/node/compress/work-folder.js";
import { RunRecorder } from "../../host/report/run-record.js";

export interface RecordOptions extends Origin {
  /** Of the data, for people. */
  readonly source: string;
  /** That the recipe's paths are relative to. */
  readonly folder: string;
  readonly work: string;
  readonly warn: (text: string) => void;
}

/** @throws MoteError as `workNames`, and when it is called FILE for a work folder that nothing can be written to */
export async function recorderFor(recipe: Recipe, options: RecordOptions): Promise<() => RunRecorder> {
  const { source, folder, work, warn } = options;
  const names = await workNames(recipe, options);
  let recorder: RunRecorder | undefined;
  const begin = (): RunRecorder => {
    const kept = new DiskWorkFolder(work, (reason) => warn(`${reason}; the run's record is not complete`));
    return new RunRecorder(kept, { recipe, names, data: source, folder: resolve(folder) });
  };
  return () => (recorder ??= begin());
}
