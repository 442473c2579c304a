/**
 * The search for a recipe that reaches a goal, by successive halving: several kinds of recipe are run with few epochs, the better half goes on
 * with more, the last with most. Each run is a whole recipe from the net that was given, so that it can be repeated; the work folder keeps them
 * all, and the same search goes on where it was stopped. How much is kept follows from the surrogate, corrected by what runs before came to.
 */
import { MoteError } from "../errors.js";
import type { FloatTensor, Graph, Net } from "../model/model.js";
import { parameterShapes } from "../model/shapes.js";
import { candidatesFor, recipeFor, round, roundingOf, workOf, type Candidate, type RecipeHead } from "./candidates.js";
import { draftContainer, figuresOf, type Figures } from "./figures.js";
import { checkGoal, excess, mostError, type Goal, type Limits } from "./goal.js";
import { weightedLayers } from "./integer-stages.js";
import { parseRecipe, type Recipe } from "./recipe.js";
import { errorText } from "../report/error-text.js";
import type { MetricName } from "../train/losses.js";
import type { TrainingRuntime } from "../train/trainer.js";
import type { TrainingSamples } from "./digest.js";
import type { StageReport } from "./run-recipe.js";
import { Surrogate } from "./surrogate.js";

/** One recipe that was run, and what came of it. */
export interface Trial {
  readonly candidate: string;
  readonly epochs: number;
  /** Weights that were to survive. */
  readonly keep: number;
  /** As JSON has it. */
  readonly recipe: RecipeHead;
  readonly figures: Figures;
  /** Of the validation split, by the float net on its integers: see StageReport. */
  readonly error: number;
  readonly metric: MetricName;
  /** Whether it reaches the goal. */
  readonly isWithin: boolean;
}

export interface SearchOptions {
  readonly runtime: TrainingRuntime;
  readonly threads: number;
  readonly data: TrainingSamples;
  readonly goal: Goal;
  /** What each recipe has beside its stages. */
  readonly head: RecipeHead;
  /** Training in all: epochs with all weights, or minutes of a machine with two cores. The result depends on what was asked for, not on the time it takes. */
  readonly budget: Budget;
  /** Runs a recipe. */
  readonly run: (recipe: Recipe, steps?: number) => Promise<{ net: Net; reports: StageReport[] }>;
  /** The container of a finished net. */
  readonly pack: (net: Net) => Uint8Array;
  readonly onStart?: (start: SearchStart) => void;
  readonly onTrial?: (trial: Trial, place: { readonly at: number; readonly of: number }) => void;
}

export type Budget = { readonly epochs: number } | { readonly minutes: number };

/** Of a minute of two cores of 2020: floating-point operations, those with pruned weights included. */
const MINUTE_FLOPS = 1.5e12;

/** Of all training, with all weights. */
export function trainingEpochs(budget: Budget, graph: Graph, count: number): number {
  if ("epochs" in budget) return budget.epochs;
  // Three passes, an addition and a multiplication each.
  return (budget.minutes * MINUTE_FLOPS) / (6 * workOf(graph) * (graph.steps ?? 1) * count);
}

/** What is known before the first recipe is run. */
export interface SearchStart {
  /** Validation error of the net that was given or trained: see StageReport. */
  readonly error: number;
  readonly metric: MetricName;
  /** In all. */
  readonly epochs: number;
  /** What would be run first. */
  readonly first: readonly { readonly candidate: string; readonly keep: number; readonly epochs: number }[];
}

export interface SearchResult {
  readonly best: Trial;
  readonly net: Net;
  /** Of the best run's stages. */
  readonly reports: readonly StageReport[];
  readonly trials: readonly Trial[];
  readonly teacherError: number;
  readonly metric: MetricName;
}

/** What limits are aimed at: a recipe with more epochs may come out a little larger. */
const MARGIN = 0.985;
/** Epochs of the rounds, as multiples of the first's, and how many candidates each has at most. */
const ROUNDS = [
  { candidates: 5, epochs: 1 },
  { candidates: 2, epochs: 2 },
  { candidates: 1, epochs: 6 },
];
const EPOCHS = { least: 0.5, most: 1000 };
/** Further runs of the last round while its result is above the limits. */
const REPAIRS = 3;

/** Of the memory, for tensors alone; the rest is for decoding weights. */
const RAM_SHARE = 0.85;

const NO_FACTORS: Figures = { bytes: 1, ram: 1, instructions: 1 };

/** A kind of recipe on its way. */
interface Entry {
  readonly candidate: Candidate;
  factors: Figures;
  last?: Trial;
}

export async function searchRecipe(options: SearchOptions): Promise<SearchResult> {
  checkGoal(options.goal);
  return new Search(options, await begin(options)).run();
}

/** What would be run, without running more than the teacher. */
export async function planSearch(options: SearchOptions): Promise<SearchStart> {
  checkGoal(options.goal);
  return new Search(options, await begin(options)).start();
}

interface Begun {
  readonly teacher: Net;
  readonly error: number;
  readonly metric: MetricName;
  readonly surrogate: Surrogate;
}

/** The net that recipes begin with: the one that was given, or a teacher. */
async function begin({ run, head, data, runtime, threads }: SearchOptions): Promise<Begun> {
  const any: Candidate = { name: "any", step: { "*": 0.5 }, multiplicationBits: 0, cost: 1 };
  const recipe = readRecipe(recipeFor(head, any, 1, 0));
  const { batch, task } = recipe;
  const { net, reports } = await run(recipe, 1);
  const surrogate = await Surrogate.create({ runtime, net, data: data.train, batch, threads, ...(task && { task }) });
  const { error, metric } = reports.at(-1)!;
  return { teacher: net, error, metric, surrogate };
}

/** A recipe of the search, as `run` takes it. */
export const readRecipe = (recipe: object): Recipe => parseRecipe(JSON.stringify(recipe), "the recipe of the search");

/** A recipe takes 1 for a share, which is all of them. */
const LEAST_KEEP = 2;

class Search {
  private readonly trials: { readonly trial: Trial; readonly net: Net; readonly reports: readonly StageReport[] }[] =
    [];
  private readonly limits: Limits;
  private readonly epochs: number;

  constructor(
    private readonly options: SearchOptions,
    private readonly begun: Begun,
  ) {
    const { goal, data, budget } = options;
    this.epochs = trainingEpochs(budget, begun.teacher.graph, data.train.count);
    const { maxDrop: _maxDrop, ...limits } = goal;
    this.limits = limits;
  }

  start(): SearchStart {
    const entries = this.entries(this.limits);
    const [first] = this.schedule(entries.length);
    return {
      error: this.begun.error,
      metric: this.begun.metric,
      epochs: round(this.epochs, 3),
      first: entries.map((entry) => ({
        candidate: entry.candidate.name,
        keep: this.keepFor(entry, this.limits),
        epochs: this.epochsFor(entry.candidate, first.epochs),
      })),
    };
  }

  async run(): Promise<SearchResult> {
    this.options.onStart?.(this.start());
    await (this.options.goal.maxDrop === undefined ? this.leastError() : this.smallest());
    const within = this.trials.filter(({ trial }) => trial.isWithin);
    if (within.length === 0) throw this.outOfReach();
    const best = within.reduce((a, b) => (this.isBetter(b.trial, a.trial) ? b : a));
    return {
      best: best.trial,
      net: best.net,
      reports: best.reports,
      trials: this.trials.map(({ trial }) => trial),
      teacherError: this.begun.error,
      metric: this.begun.metric,
    };
  }

  /** The recipe of the least error within the limits. */
  private async leastError(): Promise<void> {
    let entries = this.entries(this.limits);
    const rounds = this.schedule(entries.length);
    const total = rounds.reduce((sum, { candidates }) => sum + candidates, 0);
    for (const [i, { candidates, epochs }] of rounds.entries()) {
      entries = entries.slice(0, candidates);
      const trained: Entry[] = [];
      for (const entry of entries) {
        if (await this.try(entry, this.keepFor(entry, this.limits), epochs, total)) trained.push(entry);
      }
      entries = trained;
      if (i < rounds.length - 1) entries.sort((a, b) => this.rank(a.last!) - this.rank(b.last!));
    }
    const winner = entries.at(0);
    const { epochs } = rounds[rounds.length - 1];
    for (let repair = 0; winner !== undefined && repair < REPAIRS && !winner.last!.isWithin; repair++) {
      const keep = Math.min(this.keepFor(winner, this.limits), Math.floor(winner.last!.keep * 0.97));
      if (keep < LEAST_KEEP) break;
      // Something that is within the limits is there already, or a short run is to find out what can be.
      const short = this.trials.some(({ trial }) => trial.isWithin) ? epochs : rounds[0].epochs;
      await this.try(winner, keep, short, total + repair + 1);
    }
  }

  /** By error; what is far above the limits only by how far. */
  private rank({ figures, error }: Trial): number {
    const over = excess(this.limits, figures);
    return over > 1.1 ? 1e6 * over : error;
  }

  /** The smallest within the limits that errs on at most so many points more: steps down in size, then closer to where the error is too much. */
  private async smallest(): Promise<void> {
    const [entry] = this.entries(this.limits);
    const rounds = [
      { sizes: 4, epochs: 1 },
      { sizes: 2, epochs: 2 },
      { sizes: 2, epochs: 4 },
    ];
    const unit = this.epochs / rounds.reduce((sum, { sizes, epochs }) => sum + sizes * epochs, 0);
    const total = rounds.reduce((sum, { sizes }) => sum + sizes, 0);
    const most = Math.min(this.keepFor(entry, this.limits), 0.6 * this.begun.surrogate.weights);
    let good: number | undefined;
    let bad: number | undefined;
    let keep = 0.4 * most;
    for (const { sizes, epochs } of rounds) {
      for (let i = 0; i < sizes; i++) {
        const trial = await this.try(entry, Math.max(LEAST_KEEP, Math.round(keep)), unit * epochs, total);
        if (trial?.isWithin) good = Math.min(keep, good ?? Infinity);
        else bad = Math.max(keep, bad ?? 0);
        if (bad !== undefined && good !== undefined && bad >= good) bad = undefined;
        if (good === undefined) keep = Math.min(most, keep * 1.8);
        else keep = bad === undefined ? good * 0.55 : Math.sqrt(good * bad);
      }
      // What was too small with few epochs may do with more.
      if (bad !== undefined) bad *= 0.7;
      if (good !== undefined && bad !== undefined) keep = Math.sqrt(good * bad);
    }
  }

  private isBetter(a: Trial, b: Trial): boolean {
    if (this.options.goal.maxDrop !== undefined) return a.figures.bytes < b.figures.bytes;
    return a.error < b.error || (a.error === b.error && a.figures.bytes < b.figures.bytes);
  }

  private entries(limits: Limits): Entry[] {
    const { graph } = this.begun.teacher;
    const even: Candidate = candidatesFor(graph, Infinity, false, false, () => true)[0];
    const rounding = roundingOf(even, graph);
    const { ram, ...others } = limits;
    const { surrogate } = this.begun;
    const keep = surrogate.keepFor(others, rounding, NO_FACTORS);
    const fits = (narrow: Graph): boolean => ram === undefined || ramOf(narrow) <= RAM_SHARE * ram;
    const savesWork = limits.instructions !== undefined;
    const mustNarrow = ram !== undefined && surrogate.keepFor(limits, rounding, NO_FACTORS) < keep / 2;
    return candidatesFor(graph, Math.max(1, keep), savesWork, mustNarrow, fits).map((candidate) => ({
      candidate,
      factors: NO_FACTORS,
    }));
  }

  private keepFor({ candidate, factors }: Entry, limits: Limits): number {
    const { surrogate, teacher } = this.begun;
    // Memory depends on the units first, of which a candidate has as many as there is room for.
    const { ram: _ram, ...others } = limits;
    const aimed = Object.fromEntries(Object.entries(others).map(([key, limit]) => [key, limit * MARGIN]));
    return Math.max(LEAST_KEEP, surrogate.keepFor(aimed, roundingOf(candidate, teacher.graph), factors));
  }

  /** Epochs of the first round's candidates, and so on: all of the work together. */
  private schedule(count: number): { readonly candidates: number; readonly epochs: number }[] {
    const rounds = ROUNDS.map(({ candidates, epochs }) => ({ candidates: Math.min(candidates, count), epochs }));
    const parts = rounds.reduce((sum, { candidates, epochs }) => sum + candidates * epochs, 0);
    return rounds.map(({ candidates, epochs }) => ({ candidates, epochs: (this.epochs * epochs) / parts }));
  }

  /** More of a net whose epochs cost less. */
  private epochsFor({ cost }: Candidate, epochs: number): number {
    return round(Math.min(EPOCHS.most, Math.max(EPOCHS.least, epochs / cost)), 3);
  }

  /** @returns undefined where its training diverges */
  private async try(entry: Entry, keep: number, epochs: number, of: number): Promise<Trial | undefined> {
    const { options, begun } = this;
    const { candidate } = entry;
    const recipe = recipeFor(options.head, candidate, keep, this.epochsFor(candidate, epochs));
    const made = await options.run(readRecipe(recipe)).catch((error: unknown) => {
      if (error instanceof MoteError && error.code === "DIVERGED") return undefined;
      throw error;
    });
    if (made === undefined) return undefined;
    const { net, reports } = made;
    const figures = figuresOf(options.pack(net));
    const { error } = reports.at(-1)!;
    const trial: Trial = {
      candidate: candidate.name,
      epochs: this.epochsFor(candidate, epochs),
      keep,
      recipe,
      figures,
      error,
      metric: begun.metric,
      isWithin: excess(this.limits, figures) <= 1 && error <= mostError(options.goal, begun.error, begun.metric),
    };
    const predicted = begun.surrogate.figures(keep, roundingOf(candidate, begun.teacher.graph), this.limits);
    const factor = (real: number, guess: number): number => (guess > 0 && Number.isFinite(real) ? real / guess : 1);
    entry.factors = {
      bytes: factor(figures.bytes, predicted.bytes),
      ram: 1,
      instructions: factor(figures.instructions, predicted.instructions),
    };
    entry.last = trial;
    this.trials.push({ trial, net, reports });
    options.onTrial?.(trial, { at: this.trials.length, of });
    return trial;
  }

  private outOfReach(): MoteError {
    if (this.trials.length === 0) return new MoteError("DIVERGED", "the training of every candidate diverges");
    const over = ({ trial }: { readonly trial: Trial }): number => Math.max(1, excess(this.limits, trial.figures));
    const { trial } = this.trials.reduce((a, b) =>
      over(b) < over(a) || (over(b) === over(a) && b.trial.error < a.trial.error) ? b : a,
    );
    const { bytes, ram, instructions } = trial.figures;
    const reached = `${bytes} bytes, ${ram} bytes of RAM, ${Math.round(instructions)} instructions, ${errorText(trial.error, trial.metric)} ${trial.metric === "mse" ? "mean squared error" : "error"}`;
    return new MoteError("RECIPE", `the goal was not reached; nearest were ${reached} (${trial.candidate})`);
  }
}

/** Memory that a graph takes before any weight is decoded: its tensors. */
function ramOf(graph: Graph): number {
  const shapes = parameterShapes(graph);
  const tensors = [...shapes].map(([name, shape]): [string, FloatTensor] => {
    const count = shape.reduce((a, b) => a * b, 1);
    return [name, { shape, data: new Float32Array(count), integers: new Int8Array(count) }];
  });
  const scales = Object.fromEntries(weightedLayers(graph).map(({ name }) => [name, 1]));
  return figuresOf(draftContainer({ graph, tensors: new Map(tensors) }, scales, 8)).ram;
}
