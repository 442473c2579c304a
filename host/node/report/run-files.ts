/** The record of a run and its checkpoints, on the disk. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseRecipe, type Recipe } from "../../compress/recipe.js";
import { MoteError, printable } from "../../errors.js";
import { isRecord, parseJson } from "../../json.js";
import type { Net } from "../../model/model.js";
import { isRecordName, isRecordOf, parseRunRecord, type RunRecord } from "../../report/run-record.js";
import { folderOf, movedRecipe } from "../compress/recipe-files.js";
import { readFile } from "../read-file.js";
import { readCheckpoint } from "../train/checkpoint.js";

export interface RunFiles {
  readonly record: RunRecord;
  /** Of the record and the checkpoints. */
  readonly folder: string;
}

/**
 * @param path of a run's record, or of a recipe whose record is looked for in the work folder: the youngest of several
 * @throws MoteError FILE where there is none, FORMAT, RECIPE
 */
export function findRun(path: string, work: string): RunFiles {
  const text = readText(path);
  const value = parseJson(text.replace(/^\uFEFF/, ""), printable(path), "recipe or run record");
  if (isRecord(value) && "kind" in value) return { record: parseRunRecord(text, path), folder: dirname(path) };
  const recipe = parseRecipe(text, path);
  const record = youngestOf(seenFromRoot(recipe, folderOf(path)), work);
  if (record !== undefined) return { record, folder: work };
  throw new MoteError(
    "FILE",
    printable(`${path}: ${work} holds no record of it; mote compress ${path} makes one (--work says where)`),
  );
}

/** The same words in another folder may name other files. */
const seenFromRoot = (recipe: Recipe, folder: string): Recipe => movedRecipe(recipe, folder, "/");

/** @param recipe with its files as seen from the root */
function youngestOf(recipe: Recipe, work: string): RunRecord | undefined {
  if (!existsSync(work)) return undefined;
  const files = readdirSync(work)
    .filter(isRecordName)
    .map((name) => join(work, name))
    .toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const file of files) {
    const read = readRecord(file);
    if (read === undefined) continue;
    const { record, own } = read;
    if (isRecordOf({ ...record, recipe: { ...seenFromRoot(own, record.folder) } }, recipe)) return record;
  }
  return undefined;
}

/** A record and its recipe; undefined where another version wrote it, or it is damaged: the one looked for may be there all the same. */
function readRecord(file: string): { readonly record: RunRecord; readonly own: Recipe } | undefined {
  const text = readText(file);
  try {
    const record = parseRunRecord(text, file);
    return { record, own: parseRecipe(JSON.stringify(record.recipe), file) };
  } catch (error) {
    if (error instanceof MoteError) return undefined;
    throw error;
  }
}

const readText = (path: string): string => new TextDecoder().decode(readFile(path));

/** The net behind a stage of a run; undefined where its checkpoint is not there. @throws MoteError FORMAT, MISMATCH */
export function netOf({ folder }: RunFiles, result: string | null): Net | undefined {
  if (result === null) return undefined;
  const file = join(folder, `${result}.safetensors`);
  return existsSync(file) ? readCheckpoint(file).net : undefined;
}
