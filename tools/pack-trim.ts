/** `--trim` of `mote pack`: a model's file made smaller as long as samples are told apart as well as before. */
import type { Command } from "commander";
import { trim } from "../host/compress/trim.js";
import { readContainer } from "../host/container/read.js";
import { writeContainer, type WriteOptions } from "../host/container/write.js";
import { isSmallMote } from "../host/data/file-kind.js";
import { classifyAll } from "../host/engines/classify.js";
import { fastestEngine } from "../host/engines/open.js";
import { MoteError } from "../host/errors.js";
import type { QModel } from "../host/model/model.js";
import { loadData } from "../host/node/data/load.js";
import { openEngine } from "../host/node/engines/open.js";
import { Progress } from "../host/node/progress.js";
import { noBetterThanChance } from "../host/train/classes.js";
import { codecIn, codecOptions, type CodecFlags } from "./codec-flags.js";
import { dataOptions, labelled, SAMPLES, type LabelledSet, type ReadingFlags, type StepsFlag } from "./data-flags.js";
import { grouped } from "./model-file.js";

export interface TrimFlags extends CodecFlags, ReadingFlags, StepsFlag {
  readonly trim?: string;
  readonly trimLabels?: string;
  readonly tables?: number;
}

export function addTrimFlags(command: Command): Command {
  return command
    .option(
      "--trim <spec>",
      `labelled samples to make the file smaller by: units in the order that codes best, of biases and multipliers the bits without which no more of them are wrong: ${SAMPLES}`,
    )
    .option(
      "--trim-labels <file>",
      "labels of these samples, as .npy, .npz:ARRAY, idx or CSV; column:NAME of a CSV file",
    );
}

export interface TrimReport {
  readonly bytesBefore: number;
  readonly samples: number;
  readonly errorsBefore: number;
  readonly errors: number;
}

/**
 * @param bytes of a container @returns those of the smaller one, its weights coded as the flags say, or else as they were
 * @throws MoteError ARGUMENT for samples without labels, or that the model does not tell apart, UNSUPPORTED for a model of several outputs
 */
export async function trimmedContainer(
  bytes: Uint8Array,
  spec: string,
  flags: TrimFlags,
): Promise<{ readonly bytes: Uint8Array; readonly report: TrimReport }> {
  const container = readContainer(bytes);
  const { length } = container.model.outputs;
  if (length > 1) {
    // Nothing would say what the others may lose.
    throw new MoteError(
      "UNSUPPORTED",
      `--trim: the model has ${length} outputs, expected one, whose classes are judged`,
    );
  }
  const { tables } = flags;
  const options: WriteOptions = {
    windowBytes: container.plan.window,
    codec: codecIn(container),
    ...codecOptions(flags),
    ...(tables === undefined ? {} : { tableBytes: tables }),
    container: isSmallMote(bytes) ? "small" : "plain",
  };
  const set = labelledFor(bytes, spec, flags);
  let progress: Progress | undefined;
  const { model, errors } = await trim(container.model, {
    bytesOf: (changed) => writeContainer(changed, options).length,
    errorsOf: async (changed) => {
      const wrong = await errorsOf(changed, set, flags);
      if (changed === container.model && noBetterThanChance(wrong, set.labels)) {
        const problem = `the model takes ${wrong} of ${set.count} for what they are not, no better than chance`;
        throw new MoteError("ARGUMENT", `--trim ${spec}: ${problem}; expected samples as it sees them`);
      }
      return wrong;
    },
    onProgress: (done, total) => (progress ??= new Progress("trim", total)).update(done),
  });
  progress?.finish();
  const report = { bytesBefore: bytes.length, samples: set.count, errorsBefore: errors.before, errors: errors.after };
  return { bytes: writeContainer(model, options), report };
}

function labelledFor(bytes: Uint8Array, spec: string, flags: TrimFlags): LabelledSet {
  const { trimLabels: labels } = flags;
  const engine = openEngine(fastestEngine(bytes), bytes);
  try {
    return labelled(
      loadData(spec, dataOptions({ ...flags, ...(labels === undefined ? {} : { labels }) }, engine)),
      "--trim-labels",
    );
  } finally {
    engine.close();
  }
}

async function errorsOf(model: QModel, set: LabelledSet, { steps = 1 }: StepsFlag): Promise<number> {
  const bytes = writeContainer(model);
  const engine = openEngine(fastestEngine(bytes), bytes);
  try {
    return (await classifyAll(engine, set, { steps })).errors!;
  } finally {
    engine.close();
  }
}

export const trimPair = ({ bytesBefore, samples, errorsBefore, errors }: TrimReport): [string, string] => [
  "trimmed",
  `from ${grouped(bytesBefore)} bytes; ${grouped(errors)} of ${grouped(samples)} samples wrong, ${grouped(errorsBefore)} before`,
];
