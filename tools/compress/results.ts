/** What both ways of compressing do with their result: pack it, measure it as integers, write it. */
import { extname, resolve } from "node:path";
import { MoteError } from "../../host/errors.js";
import type { Net } from "../../host/model/model.js";
import { checkWritable } from "../../host/node/check-writable.js";
import { measureIntegers, type Measured } from "../../host/node/compress/integer-model.js";
import { writeCheckpoint } from "../../host/node/train/checkpoint.js";
import type { NetWithData } from "../../host/node/train/open-net.js";
import { writeFileAtomic } from "../../host/node/write-file.js";
import type { RunRecorder } from "../../host/report/run-record.js";
import { noBetterThanChance } from "../../host/train/classes.js";
import type { Task } from "../../host/train/losses.js";

export interface ResultFlags {
  readonly out?: string;
  readonly checkpoint?: string;
  /** The HTML file of its report. */
  readonly report?: string;
  readonly work: string;
  readonly allowChance?: true;
}

/** @throws MoteError ARGUMENT, FILE */
export function checkResultFlags({ out, checkpoint, report }: ResultFlags): void {
  if (out === undefined && checkpoint === undefined)
    throw new MoteError("ARGUMENT", "compress: --out or --checkpoint says where the result goes");
  if (out !== undefined && ![".mote", ".safetensors"].includes(extname(out)))
    throw new MoteError("ARGUMENT", `--out ${out}: expected a name ending in .mote or .safetensors`);
  if (checkpoint !== undefined && extname(checkpoint) !== ".safetensors")
    throw new MoteError("ARGUMENT", `--checkpoint ${checkpoint}: expected a name ending in .safetensors`);
  if (out !== undefined && checkpoint !== undefined && resolve(out) === resolve(checkpoint))
    throw new MoteError("ARGUMENT", `--checkpoint ${checkpoint}: --out is the same file, expected another`);
  for (const file of [out, checkpoint, report]) if (file !== undefined) checkWritable(file);
}

/** A run that is through. */
export interface Finished extends Pick<NetWithData, "data" | "trainedOn"> {
  readonly net: Net;
  readonly container: Uint8Array;
  readonly task: Task | undefined;
  /** Of its stages. */
  readonly recorder: RunRecorder;
}

/**
 * Measures, writes what the flags ask for, and leaves the run's record.
 * @returns the error of the integers on the validation samples, and the files that were written
 * @throws MoteError DIVERGED unless a model that tells nothing apart was asked for
 */
export async function finish(
  { net, container, task, data, trainedOn, recorder }: Finished,
  flags: ResultFlags,
  warn: (text: string) => void,
): Promise<{ readonly measured: Measured; readonly written: string[] }> {
  const { validation } = data;
  const measured = measureIntegers(container, validation, task);
  if (measured.errors !== undefined && validation.labels && noBetterThanChance(measured.errors, validation.labels))
    requireAllowance(flags, warn);
  const { out, checkpoint, report, work } = flags;
  const written: string[] = [];
  for (const file of [out, checkpoint]) {
    if (file === undefined) continue;
    if (extname(file) === ".mote") writeFileAtomic(file, container);
    else writeCheckpoint(file, { net, data: trainedOn });
    written.push(file);
  }
  const { record } = recorder.finish({ bytes: container.length, error: measured.error });
  if (report !== undefined) {
    // Only a report needs what it is made with.
    const { reportRun } = await import("../report.js");
    await reportRun({ record, folder: work }, report, container, net.graph, data);
    written.push(report);
  }
  return { measured, written };
}

function requireAllowance({ allowChance, work }: ResultFlags, warn: (text: string) => void): void {
  const found = "the model does no better than one that always answers the same class";
  if (allowChance) return warn(found);
  throw new MoteError("DIVERGED", `${found}; nothing written, ${work} keeps the stages (--allow-chance writes it)`);
}
