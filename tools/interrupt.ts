/** Ctrl-C and SIGTERM for the commands that save their work before they end; see cli.ts for the others. */
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Runs `work` with a signal that is aborted by the first of either. The second ends the process as it is. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const onSignal = (): void => abort.abort();
  for (const signal of SIGNALS) process.once(signal, onSignal);
  try {
    return await work(abort.signal);
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}
