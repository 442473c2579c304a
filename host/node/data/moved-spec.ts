/** What names data, as seen from another folder. */
import { isAbsolute, relative, resolve } from "node:path";
import { DATA_NAMES, INPUT_TARGETS, type OwnData } from "../../data/data-spec.js";
import { columnsOf, isArrayName } from "./answers.js";
import { NAMED } from "./load.js";

/** The path that is the same seen from the folder `to` as `path` is from `from`. */
export const movedPath = (path: string, from: string, to: string): string =>
  isAbsolute(path) ? path : relative(to, resolve(from, path)) || ".";

/** The data with its files as seen from the folder `to`; names of data, columns and arrays stay. */
export function movedSpec(spec: OwnData, from: string, to: string): OwnData {
  const samples = (path: string): string =>
    DATA_NAMES.some((name) => name === path) || NAMED.test(path) ? path : movedPath(path, from, to);
  const labels = (path: string): string => (columnsOf(path) === undefined ? movedPath(path, from, to) : path);
  const targets = (path: string): string => (path === INPUT_TARGETS || isArrayName(path) ? path : labels(path));
  const each = (value: OwnData["labels"] & {}, move: (path: string) => string): string | string[] =>
    typeof value === "string" ? move(value) : value.map(move);
  return {
    ...spec,
    train: samples(spec.train),
    ...(spec.validation !== undefined && { validation: samples(spec.validation) }),
    ...(spec.test !== undefined && { test: samples(spec.test) }),
    ...(spec.labels !== undefined && { labels: each(spec.labels, labels) }),
    ...(spec.targets !== undefined && { targets: each(spec.targets, targets) }),
  };
}
