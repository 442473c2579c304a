/** The dense net that a recipe starts from, and the bank of augmented digits that it labels for its students. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { sharedFloats, type Samples } from "../data/samples.js";
import { MoteError } from "../errors.js";
import type { Graph, Net } from "../model.js";
import { augmentBank } from "../train/augment.js";
import { readCheckpoint, writeCheckpoint } from "../train/checkpoint.js";
import { Trainer } from "../train/trainer.js";
import { writeFileAtomic } from "../write-file.js";
import type { TeacherSettings } from "./recipe.js";
import { cosine } from "./stages.js";

export interface TeacherOptions {
  readonly graph: Graph;
  readonly settings: TeacherSettings;
  readonly batch: number;
  readonly threads: number;
  readonly train: Samples;
  /** Where the state after each epoch is kept until the last is done. */
  readonly partial: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number, loss: number) => void;
}

/** Trains a dense net; goes on from `partial` when an earlier run left it. @throws MoteError INTERRUPTED */
export async function trainTeacher(options: TeacherOptions): Promise<Net> {
  const { graph, settings, batch, threads, train, partial, signal, onProgress } = options;
  const trainer = await Trainer.create({ graph, seed: settings.seed, threads, batch });
  try {
    const perEpoch = trainer.stepsPerEpoch(train.count);
    const total = Math.round(settings.epochs * perEpoch);
    let done = 0;
    if (existsSync(partial)) {
      const { net, optimizer, progress } = readCheckpoint(partial);
      trainer.load(net);
      if (optimizer !== undefined) trainer.restoreOptimizer(optimizer);
      done = Number(progress?.step ?? 0);
    }
    while (done < total) {
      const before = done;
      const result = await trainer.train({
        data: train,
        steps: Math.min(perEpoch, total - before),
        firstStep: before,
        lr: cosine(settings, total),
        optimizer: { kind: "adam", weightDecay: settings.weightDecay },
        augment: settings.augment,
        ...(signal && { signal }),
        onProgress: (steps, _, loss) => onProgress?.(before + steps, total, loss),
      });
      done += result.steps;
      writeCheckpoint(partial, { net: trainer.toNet(), optimizer: trainer.optimizerState(), progress: { step: done } });
      if (signal?.aborted) throw new MoteError("INTERRUPTED", "stopped");
    }
    rmSync(partial, { force: true });
    return trainer.toNet();
  } finally {
    await trainer.close();
  }
}

export interface BankOptions {
  readonly train: Samples;
  readonly copies: number;
  readonly augment: number;
  readonly seed: number;
  readonly teacher: Net;
  readonly threads: number;
  readonly batch: number;
  /** The teacher's logits, [copies × count, classes] float32: slow to make, so they are kept. The images are made anew. */
  readonly logitsFile: string;
}

/** Augmented copies of the training digits with the teacher's logits. */
export async function makeBank(options: BankOptions): Promise<Samples> {
  const bank = augmentBank(options.train, options.copies, options.augment, options.seed);
  if (existsSync(options.logitsFile)) {
    const bytes = readFileSync(options.logitsFile);
    const logits = sharedFloats(bytes.length / Float32Array.BYTES_PER_ELEMENT);
    new Uint8Array(logits.buffer).set(bytes);
    if (logits.length % bank.count === 0) return { ...bank, logits };
  }
  const trainer = await Trainer.create({
    graph: options.teacher.graph,
    seed: options.seed,
    threads: options.threads,
    batch: options.batch,
  });
  try {
    trainer.load(options.teacher);
    const logits = await trainer.logits(bank);
    writeFileAtomic(options.logitsFile, new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength));
    return { ...bank, logits };
  } finally {
    await trainer.close();
  }
}
