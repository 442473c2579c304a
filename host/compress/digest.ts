/** Names made from all that a result depends on: 16 hexadecimal digits of SHA-256. */
import { concatBytes } from "../bytes.js";
import type { Samples } from "../data/samples.js";
import type { Net } from "../model/model.js";

/** Raise it when a change of the training or of a stage makes old checkpoints wrong. */
export const WORK_VERSION = 3;

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

async function shortHash(parts: readonly Uint8Array[]): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", concatBytes(parts)));
  return [...hash.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Of what JSON has, and of the version of the training. */
export const digest = (...parts: unknown[]): Promise<string> =>
  shortHash([utf8(JSON.stringify([WORK_VERSION, ...parts]))]);

/** Of a net's graph and weights, and of what an earlier compression has settled: a stage may keep its scales and bits of biases. */
export function netDigest({ graph, tensors, compression }: Net): Promise<string> {
  const weights = [...tensors].flatMap(([name, { data }]) => [utf8(name), bytesOf(data)]);
  return shortHash([
    utf8(JSON.stringify(graph)),
    ...weights,
    ...(compression === undefined ? [] : [utf8(JSON.stringify(compression))]),
  ]);
}

/** Values are hashed in pieces, so that no second copy of them all is made. */
const PIECE = 2 ** 22;

/** What a run learns from and chooses by. */
export interface TrainingSamples {
  readonly train: Samples;
  readonly validation: Samples;
  /** `dataDigest` of them, where it is known. */
  readonly digest?: string;
}

export const dataDigest = async ({ train, validation }: TrainingSamples): Promise<string> =>
  digest(await samplesDigest(train), await samplesDigest(validation));

/** Of what samples are, and how the net sees them; not of what a teacher makes of them. */
async function samplesDigest({ count, images, labels, targets, reading }: Samples): Promise<string> {
  const pieces: string[] = [];
  for (const array of [images, labels, targets]) {
    pieces.push(array?.constructor.name ?? "none");
    for (let at = 0; array !== undefined && at < array.byteLength; at += PIECE)
      pieces.push(await shortHash([bytesOf(array).subarray(at, at + PIECE)]));
  }
  return digest(count, reading ?? null, pieces);
}
