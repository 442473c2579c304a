/** The dense net that a recipe starts from, and the bank of augmented digits that it labels for its students. */
import { sharedFloats, sliceSamples, type Samples } from "../data/samples.js";
import type { Graph, Net } from "../model/model.js";
import { resultsOf } from "../model/edges.js";
import { sampleShape, tensorShapes } from "../model/shapes.js";
import { bankOf } from "../train/augment-bank.js";
import { overSteps, type Augmentation } from "../train/augment.js";
import type { Task } from "../train/losses.js";
import { cosine } from "../train/schedule.js";
import { Trainer, type TrainingRuntime } from "../train/trainer.js";
import { expectToGoOn, nextTurn } from "../turn.js";
import { meanOfNets } from "./ensemble.js";
import type { TeacherSettings } from "./recipe.js";
import type { Keeper, WorkFolder } from "./work-folder.js";
import { valuesOf } from "../model/geometry.js";

export interface TeacherOptions {
  readonly runtime: TrainingRuntime;
  readonly graph: Graph;
  /** What to begin with; absent: noise. */
  readonly start?: Net;
  readonly settings: Omit<TeacherSettings, "members">;
  readonly batch: number;
  readonly threads: number;
  readonly train: Samples;
  readonly task?: Task;
  /** Gets the state after each epoch, and when stopped. */
  readonly keeper: Keeper;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number, loss: number) => void;
}

/**
 * One net, or several of the seeds from the settings' on, each of which the folder keeps as if it were alone: then the mean of them.
 * @param names of the members in the folder
 * @throws MoteError INTERRUPTED, DIVERGED
 */
export async function trainTeachers(
  options: Omit<TeacherOptions, "keeper" | "settings"> & {
    readonly settings: TeacherSettings;
    readonly work: WorkFolder;
    readonly names: readonly string[];
  },
): Promise<Net> {
  const { work, names, settings, onProgress } = options;
  const nets: Net[] = [];
  for (const [i, name] of names.entries()) {
    const earlier = work.read(name);
    const net =
      earlier?.net ??
      (await trainTeacher({
        ...options,
        settings: memberSettings(settings, i),
        keeper: work.keeper(name),
        onProgress: (done, total, loss) => onProgress?.(i * total + done, names.length * total, loss),
      }));
    if (earlier === undefined && names.length > 1) work.finish(name, { net });
    nets.push(net);
  }
  return nets.length === 1 ? nets[0] : meanOfNets(nets);
}

/** Of the teacher's member i, without their number: as those of a teacher that is alone. */
export function memberSettings<T extends Pick<TeacherSettings, "members" | "seed">>(
  { members: _members, ...settings }: T,
  i: number,
): Omit<T, "members"> & { readonly seed: number } {
  return { ...settings, seed: settings.seed + i };
}

/** Trains a dense net, from the seed's noise or further; goes on from where an earlier run was stopped. @throws MoteError INTERRUPTED, DIVERGED */
export async function trainTeacher(options: TeacherOptions): Promise<Net> {
  const { runtime, graph, settings, batch, threads, train, task, keeper, signal, onProgress } = options;
  const trainer = await Trainer.create({ runtime, graph, seed: settings.seed, threads, batch });
  try {
    const perEpoch = trainer.stepsPerEpoch(train.count);
    const total = Math.round(settings.epochs * perEpoch);
    let done = 0;
    if (options.start !== undefined) trainer.load(options.start);
    const earlier = keeper.load();
    if (earlier !== undefined) {
      trainer.load(earlier.net);
      if (earlier.optimizer !== undefined) trainer.restoreOptimizer(earlier.optimizer);
      done = Number(earlier.progress?.step ?? 0);
    }
    while (done < total) {
      const before = done;
      const result = await trainer.train({
        data: train,
        steps: Math.min(perEpoch, total - before),
        firstStep: before,
        lr: cosine(settings, total),
        weightDecay: settings.weightDecay,
        augment: settings.augment,
        ...(settings.dropout && { dropout: settings.dropout }),
        ...(task && { task }),
        ...(signal && { signal }),
        onProgress: (steps, _, loss) => onProgress?.(before + steps, total, loss),
      });
      done += result.steps;
      keeper.save({ net: trainer.toNet(), optimizer: trainer.optimizerState(), progress: { step: done } });
      expectToGoOn(signal);
    }
    return trainer.toNet();
  } finally {
    await trainer.close();
  }
}

/** With weights drawn from the seed. */
export async function drawnNet({
  runtime,
  graph,
  seed,
  batch,
}: Pick<TeacherOptions, "runtime" | "graph" | "batch"> & { readonly seed: number }): Promise<Net> {
  const trainer = await Trainer.create({ runtime, graph, seed, threads: 1, batch });
  try {
    return trainer.toNet();
  } finally {
    await trainer.close();
  }
}

export interface BankOptions {
  readonly runtime: TrainingRuntime;
  readonly train: Samples;
  readonly copies: number;
  readonly augment: Augmentation;
  readonly seed: number;
  readonly teacher: Net;
  readonly threads: number;
  readonly batch: number;
  readonly work: WorkFolder;
  /** Of the teacher's logits, [copies × count, classes] float32: slow to make, so they are kept, the first of them where it was stopped. The images are made anew. */
  readonly logitsName: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Samples that are labelled before someone may stop it. */
const LABELLED_AT_ONCE = 2048;

/** Augmented copies of the training digits with the teacher's logits; goes on from where an earlier run was stopped. @throws MoteError INTERRUPTED */
export async function makeBank(options: BankOptions): Promise<Samples> {
  const { runtime, train, teacher, copies, augment, seed, threads, batch, work, logitsName, signal, onProgress } =
    options;
  const changes = overSteps(augment, teacher.graph.steps);
  const bank = bankOf(runtime.kernels(), train, sampleShape(teacher.graph), copies, changes, seed);
  const { count } = bank.samples;
  const scores = valuesOf(tensorShapes(teacher.graph).get(resultsOf(teacher.graph)[0])!);
  const logits = sharedFloats(count * scores);
  const bytes = new Uint8Array(logits.buffer);
  const sampleBytes = bytes.length / count;
  const kept = await work.readBytes(logitsName);
  const before = kept === undefined || kept.length > bytes.length ? 0 : Math.floor(kept.length / sampleBytes);
  if (before > 0) bytes.set(kept!.subarray(0, before * sampleBytes));
  let labelled = before;
  const trainer =
    before < count ? await Trainer.create({ runtime, graph: teacher.graph, seed, threads, batch }) : undefined;
  try {
    trainer?.load(teacher);
    for (let copy = 0; copy < copies; copy++) {
      bank.make(copy);
      const end = (copy + 1) * train.count;
      do {
        if (labelled < end) {
          const to = Math.min(end, labelled + LABELLED_AT_ONCE);
          logits.set(await trainer!.logits(sliceSamples(bank.samples, labelled, to)), labelled * scores);
          labelled = to;
        }
        onProgress?.(Math.min(labelled, end), count);
        await nextTurn();
        expectToGoOn(signal);
      } while (labelled < end);
    }
    return { ...bank.samples, logits };
  } finally {
    if (labelled > before) work.writeBytes(logitsName, bytes.subarray(0, labelled * sampleBytes));
    await trainer?.close();
  }
}
