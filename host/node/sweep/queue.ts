/** The queue that a sweep and its workers share: a Redis by way of BullMQ, both of which are loaded when they are asked for. */
import type { Redis } from "ioredis";
import { MoteError, type ErrorCode } from "../../errors.js";
import { optionalPackage } from "./optional-package.js";

export const QUEUE_NAME = "mote-sweep";

/** A job that a worker is asked to stop has this key; for a day, so that nothing stays behind. */
export const cancelKey = (job: string): string => `${QUEUE_NAME}:cancel:${job}`;
export const CANCEL_SECONDS = 86_400;

const CONNECT_MS = 5_000;
const RETRY_MS = 500;

export interface QueueConnection {
  readonly bullmq: typeof import("bullmq");
  readonly client: Redis;
  /** Rejects when Redis has been away for as long as is borne. */
  readonly lost: Promise<never>;
  close(): void;
}

/**
 * @param url "redis://host:port", with user, password and database where they are needed, or "rediss://" for TLS
 * @param patienceMs how long Redis may be away, once it was there
 * @throws MoteError ARGUMENT for another URL; SERVER within seconds when it cannot be reached; ENGINE where a package is missing
 */
export async function connectQueue(url: string, patienceMs: number): Promise<QueueConnection> {
  if (!/^rediss?:\/\/\S+$/.test(url) || !URL.canParse(url))
    throw new MoteError("ARGUMENT", `--queue ${withoutSecrets(url)}: expected redis://host:port or rediss://host:port`);
  const where = withoutSecrets(url);
  const bullmq = await optionalPackage("bullmq", () => import("bullmq"));
  const { Redis } = await optionalPackage("ioredis", () => import("ioredis"));
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    // As BullMQ wants it: commands wait for the connection, and `lost` is what ends the waiting.
    maxRetriesPerRequest: null,
    retryStrategy: () => RETRY_MS,
  });
  // BullMQ makes connections of its own from it, which would try for ever.
  const all: Redis[] = [client];
  const duplicate = client.duplicate.bind(client);
  client.duplicate = (override) => {
    const copy = duplicate(override);
    copy.on("error", () => {});
    all.push(copy);
    return copy;
  };
  let reason = "";
  client.on("error", (error: Error & { code?: string }) => (reason = error.message || error.code || reason));
  let timer: NodeJS.Timeout | undefined;
  const patience = deferred<never>();
  patience.promise.catch(() => {});
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${CONNECT_MS / 1000} s`)), CONNECT_MS);
    });
    await Promise.race([client.connect().then(() => client.ping()), late]);
  } catch (error) {
    client.disconnect();
    throw new MoteError("SERVER", `${where}: cannot be reached: ${reason || (error as Error).message}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
  let isClosed = false;
  client.on("close", () => {
    if (isClosed) return;
    timer ??= setTimeout(() => {
      const away = `${where}: has been away for ${patienceMs / 1000} s: ${reason || "the connection was closed"}`;
      patience.reject(new MoteError("SERVER", away));
    }, patienceMs);
  });
  client.on("ready", () => {
    clearTimeout(timer);
    timer = undefined;
  });
  timer = undefined;
  return {
    bullmq,
    client,
    lost: patience.promise,
    close: () => {
      isClosed = true;
      clearTimeout(timer);
      for (const one of all) one.disconnect();
    },
  };
}

/** What may be shown of it. */
function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return url.replace(/\/\/.*@/, "//");
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** Another try on another machine comes to the same. */
const FINAL: readonly ErrorCode[] = [
  "FORMAT",
  "UNSUPPORTED",
  "MEMORY",
  "RECIPE",
  "DIVERGED",
  "MISMATCH",
  "INTERRUPTED",
];

export const isFinal = ({ code }: MoteError): boolean => FINAL.includes(code);

/** An error as a queue keeps it: text. */
export const reasonOf = (error: unknown): string =>
  error instanceof MoteError
    ? `${error.code}: ${error.message}`
    : `ENGINE: ${error instanceof Error ? error.message : String(error)}`;

/** What `reasonOf` made of an error; what a queue says for itself is an ENGINE error. */
export function errorOfReason(reason: string): MoteError {
  const [, code, message] = /^([A-Z]+): ([^]*)$/.exec(reason) ?? [];
  const known = [...FINAL, "FILE", "SERVER"].find((name) => name === code);
  return new MoteError((known ?? "ENGINE") as ErrorCode, known === undefined ? reason : message);
}

/** At most so long for what a Redis that is away would keep waiting. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work.catch(() => {}), late]);
  clearTimeout(timer);
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** A promise that is settled from outside. */
export function deferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, "promise"> | undefined;
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle! };
}
