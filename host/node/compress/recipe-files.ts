/** What a recipe names: its net and its data, from files relative to it. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseRecipe, type Recipe } from "../../compress/recipe.js";
import { MoteError } from "../../errors.js";
import type { Net } from "../../model/model.js";
import { CLASSES } from "../../train/losses.js";
import { isNamedNet } from "../../train/nets.js";
import { movedPath, movedSpec } from "../data/moved-spec.js";
import { openNet, withData, type NetWithData, type OpenNetOptions } from "../train/open-net.js";
import { describeSystemError } from "../write-file.js";

/** @throws MoteError FILE, RECIPE */
export function readRecipe(path: string): Recipe {
  try {
    return parseRecipe(readFileSync(path, "utf8"), path);
  } catch (error) {
    if (error instanceof MoteError) throw error;
    throw new MoteError("FILE", `${path}: cannot be read: ${describeSystemError(error)}`, { cause: error });
  }
}

export interface RecipeFilesOptions extends Pick<OpenNetOptions, "note"> {
  /** Of a trained net in place of the one that the recipe names. */
  readonly from?: string | undefined;
}

export interface OpenedRecipe extends NetWithData {
  /** What `teacher.net` names. */
  readonly teacher?: Net;
}

/**
 * @param folder that the recipe's paths are relative to
 * @returns the net that it names, or the one in its place
 * @throws MoteError as `openNet` and `withData`; MISMATCH for a net of another name in its place, and for a trained teacher that wants other samples
 */
export function openRecipe(recipe: Recipe, folder: string, { from, note }: RecipeFilesOptions = {}): OpenedRecipe {
  const { net: name, data, task = CLASSES } = recipe;
  const { colours } = data;
  const opened = openNet(name, { folder, colours, ...(note && { note }) });
  if (from === undefined) {
    const all = withData(name, opened, data, task, folder);
    const teacher = recipe.teacher?.net && openTeacher(recipe.teacher.net, all.net, { folder, colours });
    return { ...all, ...(teacher && { teacher }) };
  }
  const given = openNet(from, { colours });
  const [expected, found] = [opened, given].map(({ net }) => net.graph.name);
  if (expected !== found) throw new MoteError("MISMATCH", `${from}: a ${found}, the recipe is for ${expected}`);
  return withData(from, given, data, task, folder);
}

function openTeacher(name: string, { graph }: Net, options: OpenNetOptions): Net {
  const { net } = openNet(name, options);
  const wanted = net.graph.ends?.preprocessing;
  if (wanted !== undefined && JSON.stringify(wanted) !== JSON.stringify(graph.ends?.preprocessing))
    throw new MoteError(
      "MISMATCH",
      `teacher.net: ${name} wants samples with another preprocessing than the recipe's net`,
    );
  return net;
}

/** @param path of the recipe, whose folder is theirs */
export const folderOf = (path: string): string => dirname(path);

/** A net of ours by its name, or the file as seen from the folder `to`. */
export const movedNet = (net: string, from: string, to: string): string => movedPath(net, from, to, isNamedNet);

/**
 * The recipe with its files as seen from another folder.
 * @param from the folder that they are relative to
 * @param to the one that they are to be relative to
 */
export function movedRecipe<T extends Pick<Recipe, "net" | "data" | "teacher">>(
  recipe: T,
  from: string,
  to: string,
): T {
  const { net, data, teacher } = recipe;
  return {
    ...recipe,
    net: movedNet(net, from, to),
    data: movedSpec(data, from, to),
    ...(teacher?.net !== undefined && { teacher: { ...teacher, net: movedNet(teacher.net, from, to) } }),
  };
}
