/** What names data, as seen from another folder. */
import { isAbsolute, join, relative, resolve } from "node:path";
import { DATA_NAMES, type OwnData } from "../../data/data-spec.js";
import { columnsOf, isArrayName } from "./answers.js";
import { NAMED } from "./load.js";

type IsName = (text: string) => boolean;

/** Of samples, but for `mnist` and `fashion` as a whole, which are there to train on alone. */
export const isNamedSamples: IsName = (text) => NAMED.test(text);
export const isNamedLabels: IsName = (text) => columnsOf(text) !== undefined;
/** `input` among them. */
export const isNamedTargets: IsName = (text) => isNamedLabels(text) || isArrayName(text);
const isNamedTraining: IsName = (text) => isNamedSamples(text) || DATA_NAMES.some((name) => name === text);

/** A path that is no name: `./mnist` where `mnist` is one. */
const asPath = (path: string, isName: IsName): string => (isName(path) ? `./${path}` : path);

/**
 * A name as it is; the path that is the same seen from the folder `to` as `path` is from `from`.
 * @param isName what stands for something else than a file of that name
 */
export function movedPath(path: string, from: string, to: string, isName: IsName): string {
  if (isName(path) || isAbsolute(path)) return path;
  return asPath(relative(to, resolve(from, path)) || ".", isName);
}

/** A name as it is; the path from the working folder of what `path` is in `folder`. */
export const inFolder = (path: string, folder: string | undefined, isName: IsName): string =>
  folder === undefined || isName(path) || isAbsolute(path) ? path : asPath(join(folder, path), isName);

/** The data with its files as seen from the folder `to`; names of data, columns and arrays stay. */
export function movedSpec(spec: OwnData, from: string, to: string): OwnData {
  const { train, validation, test, labels, targets } = spec;
  const moved = (path: string, isName: IsName): string => movedPath(path, from, to, isName);
  const each = (value: string | readonly string[], isName: IsName): string | string[] =>
    typeof value === "string" ? moved(value, isName) : value.map((path) => moved(path, isName));
  return {
    ...spec,
    train: moved(train, isNamedTraining),
    ...(validation !== undefined && { validation: moved(validation, isNamedSamples) }),
    ...(test !== undefined && { test: moved(test, isNamedSamples) }),
    ...(labels !== undefined && { labels: each(labels, isNamedLabels) }),
    ...(targets !== undefined && { targets: each(targets, isNamedTargets) }),
  };
}
