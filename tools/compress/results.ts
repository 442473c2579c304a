/** What both ways of compressing do with their result: pack it, measure it as integers, write it. */
import { extname } from "node:path";
import { MoteError } from "../../host/errors.js";
import type { Net } from "../../host/model/model.js";
import type { TrainingData } from "../../host/node/data/training-data.js";
import { checkWritable } from "../../host/node/check-writable.js";
import { measureIntegers, type Measured } from "../../host/node/compress/integer-model.js";
import { writeCheckpoint } from "../../host/node/train/checkpoint.js";
import { writeFileAtomic } from "../../host/node/write-file.js";
import { noBetterThanChance } from "../../host/train/classes.js";
import type { Task } from "../../host/train/losses.js";

export interface ResultFlags {
  readonly out?: string;
  readonly checkpoint?: string;
  readonly work: string;
  readonly allowChance?: true;
}

/** @throws MoteError ARGUMENT, FILE */
export function checkResultFlags({ out, checkpoint }: ResultFlags): void {
  if (out === undefined && checkpoint === undefined)
    throw new MoteError("ARGUMENT", "compress: --out or --checkpoint says where the result goes");
  if (out !== undefined && ![".mote", ".safetensors"].includes(extname(out)))
    throw new MoteError("ARGUMENT", `--out ${out}: expected a name ending in .mote or .safetensors`);
  for (const file of [out, checkpoint]) if (file !== undefined) checkWritable(file);
}

/**
 * @returns the error of the integers on the validation samples, and the files that were written
 * @throws MoteError DIVERGED unless a model that tells nothing apart was asked for
 */
export function finish(
  net: Net,
  container: Uint8Array,
  { validation }: TrainingData,
  task: Task | undefined,
  flags: ResultFlags,
  warn: (text: string) => void,
): { readonly measured: Measured; readonly written: string[] } {
  const measured = measureIntegers(container, validation, task);
  if (measured.errors !== undefined && validation.labels && noBetterThanChance(measured.errors, validation.labels))
    requireAllowance(flags, warn);
  return { measured, written: writeResults(net, container, flags) };
}

function requireAllowance({ allowChance, work }: ResultFlags, warn: (text: string) => void): void {
  const found = "the model does no better than one that always answers the same class";
  if (allowChance) return warn(found);
  throw new MoteError("DIVERGED", `${found}; nothing written, ${work} keeps the stages (--allow-chance writes it)`);
}

function writeResults(net: Net, container: Uint8Array, { out, checkpoint }: ResultFlags): string[] {
  const written: string[] = [];
  for (const file of [out, checkpoint]) {
    if (file === undefined) continue;
    if (extname(file) === ".mote") writeFileAtomic(file, container);
    else writeCheckpoint(file, { net });
    written.push(file);
  }
  return written;
}
