/**
 * The work folder of a job whose results are in a store: what the job may need is fetched before it starts, and what it makes goes there
 * while it runs on. Only the newest state of a training is worth sending.
 */
import type { Keeper, WorkFolder } from "../compress/work-folder.js";
import { decodeCheckpoint, encodeCheckpoint, type Checkpoint } from "../train/checkpoint.js";
import { getResult, putResult, type Store } from "./store.js";

export class StoreWorkFolder implements WorkFolder {
  readonly path: string;
  private readonly results = new Map<string, Uint8Array>();
  private readonly states = new Map<string, Uint8Array>();
  /** What is still to be sent, by key, in the order in which it came. */
  private readonly pending = new Map<string, () => Promise<void>>();
  private sending: Promise<void> | undefined;
  private problem: unknown;

  private constructor(
    private readonly store: Store,
    private readonly onProblem: (reason: string) => void,
  ) {
    this.path = store.name;
  }

  /**
   * @param names of the results that the job makes or goes on from
   * @param onProblem called with the reason when something cannot be sent: `settle` tries again
   * @throws MoteError FILE, SERVER
   */
  static async open(
    store: Store,
    names: readonly string[],
    onProblem: (reason: string) => void,
  ): Promise<StoreWorkFolder> {
    const folder = new StoreWorkFolder(store, onProblem);
    for (const name of names) {
      const result = await getResult(store, name);
      if (result !== undefined) {
        folder.results.set(name, result);
        continue;
      }
      const state = await store.read(`states/${name}`);
      if (state !== undefined) folder.states.set(name, state);
    }
    return folder;
  }

  get isBehind(): boolean {
    return this.pending.size > 0;
  }

  read(name: string): Checkpoint | undefined {
    const bytes = this.results.get(name);
    return bytes && decodeCheckpoint(bytes, `${this.path}: ${name}`);
  }

  finish(name: string, result: Checkpoint): void {
    const bytes = encodeCheckpoint(name, result);
    this.states.delete(name);
    this.pending.delete(`states/${name}`);
    this.writeBytes(name, bytes);
    this.send(`states/${name}`, () => this.store.remove(`states/${name}`));
  }

  keeper(name: string): Keeper {
    return {
      load: () => {
        const bytes = this.states.get(name);
        return bytes && decodeCheckpoint(bytes, `${this.path}: ${name}, of a stage not finished`);
      },
      save: (state) => {
        const bytes = encodeCheckpoint(name, state);
        this.states.set(name, bytes);
        this.send(`states/${name}`, () => this.store.write(`states/${name}`, bytes));
      },
    };
  }

  /** What another job may have made: not all of it has a name before a job runs. */
  async readBytes(name: string): Promise<Uint8Array | undefined> {
    const bytes = this.results.get(name) ?? (await getResult(this.store, name));
    if (bytes !== undefined) this.results.set(name, bytes);
    return bytes;
  }

  writeBytes(name: string, shared: Uint8Array): void {
    // Of memory that threads share no hash is made.
    const bytes = Uint8Array.from(shared);
    this.results.set(name, bytes);
    this.send(`results/${name}`, () => putResult(this.store, name, bytes));
  }

  /** Until all is in the store. @throws MoteError FILE, SERVER when something cannot be */
  async settle(): Promise<void> {
    await this.sending;
    if (this.pending.size > 0) await this.flush();
    if (this.pending.size > 0) throw this.problem;
  }

  private send(key: string, action: () => Promise<void>): void {
    this.pending.set(key, action);
    this.sending ??= this.flush().finally(() => (this.sending = undefined));
  }

  /** In order; ends at the first that fails. */
  private async flush(): Promise<void> {
    for (;;) {
      const next = this.pending.entries().next();
      if (next.done) return;
      const [key, action] = next.value;
      try {
        await action();
      } catch (error) {
        this.problem = error;
        this.onProblem(error instanceof Error ? error.message : String(error));
        return;
      }
      // A newer state may have taken its place meanwhile.
      if (this.pending.get(key) === action) this.pending.delete(key);
    }
  }
}
