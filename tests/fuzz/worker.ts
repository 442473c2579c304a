/** The fuzzer's loop, in a thread of its own, so that fuzz.ts can watch it: a hang inside wasm cannot be interrupted from within. */
import { parentPort, workerData } from "node:worker_threads";
import { caseAt } from "./cases.js";
import { checkCase, Finding, type Reached } from "./check.js";
import { FILE_TARGETS, fileAt, fileOutcome } from "./files.js";
import { makeCorpus } from "./corpus.js";
import { coreMachines, v8Machines } from "./machine.js";

export interface WorkerTask {
  /** `container`, or one of FILE_TARGETS. */
  readonly target: string;
  readonly campaign: number;
  readonly count: number;
  /** Milliseconds since 1970 after which to stop. */
  readonly deadline: number;
  /** One number: the case that is being run. */
  readonly current: Int32Array;
}

export type WorkerMessage =
  | { readonly kind: "finding"; readonly index: number; readonly message: string }
  | { readonly kind: "done"; readonly cases: number; readonly tally: Readonly<Record<string, number>> };

/** What runs case `index` of a campaign. @returns how far it came @throws a finding */
type RunCase = (campaign: number, index: number) => string;

function containerCases(): { run: RunCase; tally: Record<Reached, number> } {
  const seeds = makeCorpus();
  const machines = coreMachines(v8Machines);
  return {
    run: (campaign, index) => checkCase(machines, caseAt(seeds, campaign, index)).reached,
    tally: { refused: 0, "ran into an error": 0, ran: 0, "cut off": 0 },
  };
}

function fileCases(name: string): { run: RunCase; tally: Record<string, number> } {
  const target = FILE_TARGETS[name];
  const seeds = target.seeds();
  return { run: (campaign, index) => fileOutcome(target, fileAt(target, seeds, campaign, index)), tally: {} };
}

function fuzz({ target, campaign, count, deadline, current }: WorkerTask): void {
  const { run, tally }: { run: RunCase; tally: Record<string, number> } =
    target === "container" ? containerCases() : fileCases(target);
  const post = (message: WorkerMessage): void => parentPort?.postMessage(message);
  let index = 0;
  for (; index < count && Date.now() < deadline; index++) {
    Atomics.store(current, 0, index);
    try {
      const reached = run(campaign, index);
      tally[reached] = (tally[reached] ?? 0) + 1;
    } catch (error) {
      // What is not a Finding is a trap in the core or a crash of the host's reader: found all the same.
      const message =
        error instanceof Finding ? error.message : error instanceof Error ? String(error.stack) : String(error);
      post({ kind: "finding", index, message });
    }
  }
  post({ kind: "done", cases: index, tally });
}

fuzz(workerData as WorkerTask);
