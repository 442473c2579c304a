/**
 * Where the machines of a sweep put what they make, and find what others have made: bytes by their SHA-256, and names for them.
 *
 *   objects/HASH    what never changes: recipes, nets, samples, results
 *   results/NAME    the hash of a finished result
 *   states/NAME     of a training that is not finished, as of its last epoch
 */
import { MoteError } from "../errors.js";

/** A folder or a bucket. Keys are of letters, digits, `-`, `.` and `/`. */
export interface Store {
  /** For messages. */
  readonly name: string;
  /** @throws MoteError FILE, SERVER */
  read(key: string): Promise<Uint8Array | undefined>;
  /** Whole or not at all. @throws MoteError FILE, SERVER */
  write(key: string, bytes: Uint8Array): Promise<void>;
  /** What is not there is removed already. @throws MoteError FILE, SERVER */
  remove(key: string): Promise<void>;
}

const HASH = /^[0-9a-f]{64}$/;

export const isHash = (value: unknown): value is string => typeof value === "string" && HASH.test(value);

/** SHA-256, 64 hexadecimal digits. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function putObject(store: Store, bytes: Uint8Array): Promise<string> {
  const hash = await sha256(bytes);
  await store.write(`objects/${hash}`, bytes);
  return hash;
}

/**
 * @param what it is, for messages
 * @throws MoteError FILE when it is not there, FORMAT when it is not what its name says
 */
export async function getObject(store: Store, hash: string, what: string): Promise<Uint8Array> {
  const bytes = await store.read(`objects/${hash}`);
  if (bytes === undefined) {
    throw new MoteError("FILE", `${store.name}: no objects/${hash}, ${what}; is it the store that the sweep uses?`);
  }
  if ((await sha256(bytes)) === hash) return bytes;
  throw new MoteError("FORMAT", `${store.name}: objects/${hash}, ${what}: its bytes have another SHA-256; delete it`);
}

/** Puts a finished result under its name. */
export async function putResult(store: Store, name: string, bytes: Uint8Array): Promise<void> {
  const hash = await putObject(store, bytes);
  await store.write(`results/${name}`, new TextEncoder().encode(`${hash}\n`));
}

/** A finished result. One whose bytes are gone or damaged is as good as none: it can be made anew. */
export async function getResult(store: Store, name: string): Promise<Uint8Array | undefined> {
  const text = await store.read(`results/${name}`);
  const hash = text && new TextDecoder().decode(text).trim();
  if (!isHash(hash)) return undefined;
  const bytes = await store.read(`objects/${hash}`);
  return bytes !== undefined && (await sha256(bytes)) === hash ? bytes : undefined;
}
