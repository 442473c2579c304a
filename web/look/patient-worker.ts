/** The worker that looks, begun when it is first asked, and given up where it does not answer. */
import type { Answer, Question } from "./protocol.js";

/** After which a worker that does not answer is given up. */
const PATIENCE_MS = 30_000;

export interface Listener {
  answered(answer: Answer): void;
  /** There is no worker any more, and with it no net. @param reason a sentence */
  lost(reason: string): void;
}

export class PatientWorker {
  private worker: Worker | undefined;
  private patience = 0;

  constructor(private readonly listener: Listener) {}

  ask(question: Question): void {
    this.worker ??= this.start();
    clearTimeout(this.patience);
    this.worker.postMessage(question, question.kind === "open" ? [] : [question.picture]);
    // How long a network takes is nobody's fault.
    if (question.kind === "open" && typeof question.source === "string") return;
    this.patience = window.setTimeout(
      () => this.lose(`There was no answer for ${PATIENCE_MS / 1000} seconds: the net was closed.`),
      PATIENCE_MS,
    );
  }

  /** Ends what it is at, however long that would take; the next question begins another one. */
  end(): void {
    clearTimeout(this.patience);
    this.worker?.terminate();
    this.worker = undefined;
  }

  private start(): Worker {
    const started = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    started.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
      clearTimeout(this.patience);
      this.listener.answered(data);
    });
    started.addEventListener("error", ({ message }) => this.lose(`The net could not be started: ${message}`));
    return started;
  }

  private lose(reason: string): void {
    this.end();
    this.listener.lost(reason);
  }
}
