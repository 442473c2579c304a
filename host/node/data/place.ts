/** What stands behind a path in `--data`: an array of an archive, a part, and how many samples. */
import { existsSync } from "node:fs";
import { DEFAULT_SPLIT, PARTS, splitIndices, type Part } from "../../data/split.js";
import { MoteError } from "../../errors.js";

export interface Place {
  readonly spec: string;
  readonly path: string;
  readonly array: string | undefined;
  readonly part: Part | undefined;
  readonly seed: number;
  readonly first: number | undefined;
}

/** A path may have colons of its own: the longest one that exists is meant. */
export function parsePlace(spec: string): Place {
  const path = existingPath(spec);
  if (path === undefined) {
    const expected = "expected mnist:test, fashion:test (train, validation), or a file or folder that is there";
    throw new MoteError("ARGUMENT", `--data ${spec}: ${expected}`);
  }
  const words = path === spec ? [] : spec.slice(path.length + 1).split(":");
  const first = /^\d+$/.test(words.at(-1) ?? "") ? Number(words.pop()) : undefined;
  const [, part, seed] = new RegExp(`^(${PARTS.join("|")})(?:@(\\d+))?$`).exec(words.at(-1) ?? "") ?? [];
  if (part !== undefined) words.pop();
  const array = words.shift();
  if (words.length > 0)
    throw new MoteError("ARGUMENT", `--data ${spec}: expected FILE:ARRAY:PART@SEED:N, each of them once`);
  return { spec, path, array, part: part as Part | undefined, seed: Number(seed ?? DEFAULT_SPLIT.seed), first };
}

/** The longest beginning of it that is a file or folder, up to its end or a colon. */
export function existingPath(spec: string): string | undefined {
  let path = spec;
  while (!existsSync(path)) {
    const at = path.lastIndexOf(":");
    if (at <= 0) return undefined;
    path = path.slice(0, at);
  }
  return path;
}

/** Indices of the samples asked for; undefined for all of them in their order. @param labels of the whole, where it has any */
export function chosen(
  count: number,
  { spec, part, seed, first }: Place,
  labels: ArrayLike<number> | undefined,
): number[] | undefined {
  if (part === undefined && first === undefined) return undefined;
  const indices =
    part === undefined
      ? Array.from({ length: count }, (_, i) => i)
      : splitIndices(count, part, { ...DEFAULT_SPLIT, seed }, labels);
  if (indices.length === 0) throw new MoteError("ARGUMENT", `--data ${spec}: of ${count} samples none is left for it`);
  if (first === undefined) return indices;
  if (first >= 1 && first <= indices.length) return indices.slice(0, first);
  throw new MoteError("ARGUMENT", `--data ${spec}: expected 1 .. ${indices.length} samples, got ${first}`);
}

export function noArrays({ spec, path, array }: Place): MoteError {
  return new MoteError("ARGUMENT", `--data ${spec}: ${path} is no .npz archive with an array ${array}`);
}
