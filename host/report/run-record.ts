/**
 * What a run of a recipe leaves for a report: JSON beside the checkpoints in its work folder, `run-KEY.json` of the whole run and
 * `stage-KEY.json` of what a stage took, which a run that finds the stage's result there cannot measure again.
 */
import type { Recipe } from "../compress/recipe.js";
import type { StageReport } from "../compress/run-recipe.js";
import { checkSensitivity, type Sensitivity } from "../compress/sensitivity.js";
import type { WorkFolder } from "../compress/work-folder.js";
import { MoteError, printable } from "../errors.js";
import { isRecord, parseJson } from "../json.js";
import { METRIC_NAMES, type MetricName } from "../train/losses.js";

export interface StageRecord {
  /** "teacher", "given net", or the stage's kind with its place, such as "3 prune". */
  readonly stage: string;
  /** Name of the result in the work folder; null for a net that was given. */
  readonly result: string | null;
  /** Of the validation split, by the float net: a percentage, or with the metric "mse" what that is. */
  readonly error: number;
  readonly nonZeros: number;
  readonly weights: number;
  /** Of the container, as `StageReport.estimatedBytes`. */
  readonly bytes: number;
  /** When it was made; of a stage that was stopped and gone on with, the last piece. Null where nobody has written it down. */
  readonly seconds: number | null;
  /** Of training; 0 for a stage without. */
  readonly epochs: number;
  /** What was measured for its "auto". */
  readonly sensitivity?: Sensitivity;
}

export interface RunRecord {
  readonly net: string;
  /** What it was trained on, for people: "mnist", "train.npz". */
  readonly data: string;
  readonly metric: Metric;
  readonly recipe: Readonly<Record<string, unknown>>;
  /** That the recipe's paths are relative to. */
  readonly folder: string;
  readonly stages: readonly StageRecord[];
  /** The container, and the error of its integers on the validation split. */
  readonly model: { readonly bytes: number; readonly error: number };
}

export type Metric = MetricName;

const KIND = "mote run";
const VERSION = 1;
const MOST_STAGES = 1000;
const MOST_LETTERS = 300;
const LONGEST_PATH = 4096;

const utf8 = (value: unknown): Uint8Array => new TextEncoder().encode(`${JSON.stringify(value, null, 1)}\n`);

export interface RunSettings {
  readonly recipe: Recipe;
  /** What `workNames` lists for it. */
  readonly names: readonly string[];
  /** As `RunRecord` has them. */
  readonly data: string;
  readonly folder: string;
}

/** Writes the record of a run, stage by stage. */
export class RunRecorder {
  private readonly stages: StageRecord[] = [];
  private readonly results: readonly string[];
  private metric: Metric = "accuracy";

  /** @param folder of the run's checkpoints */
  constructor(
    private readonly folder: Pick<WorkFolder, "writeBytes"> & { readBytes(name: string): Uint8Array | undefined },
    private readonly run: RunSettings,
  ) {
    this.results = run.names.filter((name) => !name.startsWith("bank-"));
  }

  /** To be called when a stage is done, in order. */
  stage(report: StageReport): void {
    const { stage, error, metric, nonZeros, weights, estimatedBytes: bytes, sensitivity } = report;
    const at = Number.parseInt(stage, 10);
    const { teacher, stages } = this.run.recipe;
    const settings = at >= 1 ? stages[at - 1] : stage === "teacher" ? teacher : undefined;
    const result =
      stage === "teacher"
        ? this.results[0]
        : at >= 1
          ? this.results[this.results.length - stages.length + at - 1]
          : null;
    const each = settings !== undefined && "epochs" in settings ? settings.epochs : 0;
    const epochs = stage === "teacher" ? each * teacher!.members : each;
    const seconds = result === null ? null : this.cost(result, report.seconds);
    this.metric = metric;
    const measured = sensitivity && { sensitivity };
    this.stages.push({ stage, result, error, nonZeros, weights, bytes, seconds, epochs, ...measured });
  }

  /** @returns the record, and its name in the work folder */
  finish(model: RunRecord["model"]): { record: RunRecord; name: string } {
    const { recipe, data, folder } = this.run;
    const { metric, stages } = this;
    const record = { net: recipe.net, data, metric, recipe: { ...recipe }, folder, stages, model };
    const name = recordName(this.stages);
    this.folder.writeBytes(name, utf8({ kind: KIND, version: VERSION, ...record }));
    return { record, name };
  }

  /** @param seconds 0 where the result was there already */
  private cost(result: string, seconds: number): number | null {
    const name = `${result}.json`;
    if (seconds > 0) {
      this.folder.writeBytes(name, utf8({ seconds }));
      return seconds;
    }
    const kept = this.folder.readBytes(name);
    if (kept === undefined) return null;
    const value = parseJson(new TextDecoder().decode(kept), name, "cost of a stage");
    return isRecord(value) && isAmount(value.seconds) ? value.seconds : null;
  }
}

/** After the last stage's result, whose name is made of all that it depends on. */
const recordName = (stages: readonly StageRecord[]): string =>
  `run-${stages.at(-1)?.result?.replace(/^[a-z]+-/, "") ?? "empty"}.json`;

/** Names that records have in a work folder. */
export const isRecordName = (name: string): boolean => /^run-[0-9a-z]+\.json$/.test(name);

/** A number of 0 or more. */
export const isAmount = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && value >= 0;

/**
 * @param file its name, for messages
 * @throws MoteError FORMAT naming the key, what was expected and what was found
 */
export function parseRunRecord(text: string, file: string): RunRecord {
  const value = parseJson(text, file, "run record");
  const fail = (key: string, expected: string, found: unknown): never => {
    const got = found === undefined ? "nothing" : JSON.stringify(found).slice(0, 60);
    throw new MoteError("FORMAT", printable(`${file}: ${key}: expected ${expected}, got ${got}`));
  };
  const fields = (found: unknown, key: string, known: readonly string[]): Record<string, unknown> => {
    if (!isRecord(found)) return fail(key, "an object", found);
    const unknown = Object.keys(found).find((name) => !known.includes(name));
    if (unknown !== undefined) {
      throw new MoteError(
        "FORMAT",
        printable(`${file}: ${key}.${unknown.slice(0, 60)}: unknown key; known are ${known.join(", ")}`),
      );
    }
    return found;
  };
  const name = (found: unknown, key: string, most = MOST_LETTERS): string =>
    typeof found === "string" && found.length > 0 && found.length <= most
      ? found
      : fail(key, `a text of 1 .. ${most} letters`, found);
  const amount = (found: unknown, key: string): number =>
    isAmount(found) ? found : fail(key, "a number of 0 or more", found);
  const whole = (found: unknown, key: string): number =>
    Number.isSafeInteger(amount(found, key)) ? (found as number) : fail(key, "a whole number", found);
  const table = (found: unknown, key: string): Sensitivity => {
    try {
      return checkSensitivity(found, key);
    } catch (error) {
      throw new MoteError("FORMAT", printable(`${file}: ${(error as Error).message}`), { cause: error });
    }
  };
  const result = (found: unknown, key: string): string | null =>
    found === null || (typeof found === "string" && /^[a-z]{1,20}-[0-9a-f]{16}$/.test(found))
      ? found
      : fail(key, "the name of a result, such as stage-0123456789abcdef, or null", found);

  if (!isRecord(value) || value.kind !== KIND)
    throw new MoteError(
      "FORMAT",
      printable(`${file}: no record of a run; mote compress leaves one in its work folder`),
    );
  const all = fields(value, "record", [
    "kind",
    "version",
    "net",
    "data",
    "metric",
    "recipe",
    "folder",
    "stages",
    "model",
  ]);
  if (all.version !== VERSION) fail("version", String(VERSION), all.version);
  if (!METRIC_NAMES.includes(all.metric as Metric)) fail("metric", `one of ${METRIC_NAMES.join(", ")}`, all.metric);
  if (!isRecord(all.recipe)) fail("recipe", "an object", all.recipe);
  if (!Array.isArray(all.stages) || all.stages.length === 0 || all.stages.length > MOST_STAGES)
    fail("stages", `a list of 1 .. ${MOST_STAGES} stages`, Array.isArray(all.stages) ? all.stages.length : all.stages);
  const stages = (all.stages as unknown[]).map((entry, at): StageRecord => {
    const key = `stages[${at}]`;
    const known = ["stage", "result", "error", "nonZeros", "weights", "bytes", "seconds", "epochs", "sensitivity"];
    const stage = fields(entry, key, known);
    return {
      stage: name(stage.stage, `${key}.stage`),
      result: result(stage.result, `${key}.result`),
      error: amount(stage.error, `${key}.error`),
      nonZeros: whole(stage.nonZeros, `${key}.nonZeros`),
      weights: whole(stage.weights, `${key}.weights`),
      bytes: whole(stage.bytes, `${key}.bytes`),
      seconds: stage.seconds === null ? null : amount(stage.seconds, `${key}.seconds`),
      epochs: amount(stage.epochs, `${key}.epochs`),
      ...(stage.sensitivity !== undefined && { sensitivity: table(stage.sensitivity, `${key}.sensitivity`) }),
    };
  });
  const model = fields(all.model, "model", ["bytes", "error"]);
  return {
    net: name(all.net, "net"),
    data: name(all.data, "data"),
    metric: all.metric as Metric,
    recipe: all.recipe as Record<string, unknown>,
    folder: name(all.folder, "folder", LONGEST_PATH),
    stages,
    model: { bytes: whole(model.bytes, "model.bytes"), error: amount(model.error, "model.error") },
  };
}

/** Whether a record is of this recipe; one whose seed was given by a flag is of the recipe with that seed. */
export function isRecordOf(record: RunRecord, recipe: Recipe): boolean {
  return JSON.stringify(sorted(record.recipe)) === JSON.stringify(sorted(recipe));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map((key) => [key, sorted(value[key])]),
  );
}
