import { availableParallelism } from "node:os";

/** Of each process, where nothing else is asked for: the cores shared out. */
export const threadsOf = ({ threads, workers }: { readonly threads?: number; readonly workers: number }): number =>
  threads ?? Math.max(1, Math.floor(availableParallelism() / workers));
