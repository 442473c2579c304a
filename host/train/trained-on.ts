/** What a net has been trained on, as its checkpoint says, and whether it has seen the samples by which it is to be judged. */
import { fail, integer, object, text, type Check } from "../compress/check-value.js";
import { checkDataSpec, type OwnData } from "../data/data-spec.js";
import { isSketch, seenIn, sketchOf } from "../data/fingerprint.js";
import { MoteError } from "../errors.js";
import { parseJson } from "../json.js";

export interface TrainedOn {
  /** As it was given, paths included. */
  readonly spec: OwnData;
  /** For people. */
  readonly source: string;
  /** Training samples. */
  readonly count: number;
  /** Of the parts: see TrainingData. */
  readonly digests: { readonly train: string; readonly validation: string };
  /** Fingerprints of training samples: see `sketchOf`. */
  readonly sketch: string;
}

/** What is known of data that a net is trained on or judged by. */
export interface KnownData {
  readonly spec: OwnData;
  readonly source: string;
  readonly digests: { readonly train: string; readonly validation: string };
  readonly prints: {
    readonly train: Float64Array;
    readonly validation: Float64Array;
    readonly test?: Float64Array;
  };
}

export const trainedOn = ({ spec, source, digests, prints }: KnownData): TrainedOn => ({
  spec,
  source,
  count: prints.train.length,
  digests: { train: digests.train, validation: digests.validation },
  sketch: sketchOf(prints.train),
});

const digest: Check<string> = (value, path) =>
  typeof value === "string" && /^[\da-f]{16}$/.test(value) ? value : fail(path, "16 hexadecimal digits", value);

const sketch: Check<string> = (value, path) =>
  typeof value === "string" && isSketch(value) ? value : fail(path, "fingerprints", undefined);

const record = object({
  spec: checkDataSpec,
  source: text,
  count: integer(1, 2 ** 31),
  digests: object({ train: digest, validation: digest }),
  sketch,
});

/** @throws MoteError FORMAT */
export function parseTrainedOn(json: string, path: string): TrainedOn[] {
  const value = parseJson(json, path, "mote.data");
  try {
    if (!Array.isArray(value)) fail("", "a list", value);
    return value.map((item, i) => record(item, `[${i}]`));
  } catch (error) {
    throw new MoteError("FORMAT", `${path}: mote.data${(error as Error).message}`, { cause: error });
  }
}

/**
 * @param before what the net had been trained on
 * @returns this data after it, once where it is what came last
 */
export function withTrainedOn(before: readonly TrainedOn[], data: KnownData): TrainedOn[] {
  const isSame = before.at(-1)?.digests.train === data.digests.train;
  return [...(isSame ? before.slice(0, -1) : before), trainedOn(data)];
}

/**
 * Sentences about samples to judge by that a net has been trained on already. Of this data's own training part nothing is said.
 * @param name of the net
 * @param before what it had been trained on
 */
export function seenBefore(name: string, before: readonly TrainedOn[], { digests, prints }: KnownData): string[] {
  return before
    .filter((earlier) => earlier.digests.train !== digests.train)
    .flatMap((earlier) =>
      (["validation", "test"] as const).flatMap((part) => {
        const of = prints[part];
        if (of === undefined) return [];
        const { seen, checked } = seenIn(earlier.sketch, of);
        if (seen === 0) return [];
        const all = checked === of.length;
        const share = all
          ? `${seen} of the ${of.length} ${part} samples`
          : `about ${Math.max(1, Math.round((100 * seen) / checked))} % of the ${part} samples (${seen} of ${checked} looked at)`;
        return [`${name} has been trained on ${share}, by ${earlier.source}: its errors on them say little`];
      }),
    );
}
