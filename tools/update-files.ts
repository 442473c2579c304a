/** What the commands that make updates share: models, keys, and what an update comes to. */
import type { KeyObject } from "node:crypto";
import { realpathSync } from "node:fs";
import { readContainer } from "../host/container/read.js";
import { MoteError } from "../host/errors.js";
import { fastParts, isFastModule } from "../host/fast/parts.js";
import { Progress } from "../host/node/progress.js";
import { readFile } from "../host/node/read-file.js";
import { privateKey, publicKey, signUpdate } from "../host/node/update/keys.js";
import { writeFileAtomic } from "../host/node/write-file.js";
import { MAX_SEQUENCE, modelOf, readUpdate, writeUpdate, type Update } from "../host/update/update.js";
import { containerOf, grouped, namingFile, readModel } from "./model-file.js";
import type { Output } from "./output.js";
import { wholeNumber } from "./whole-number.js";

/** Bytes of a LoRaWAN packet that a fragment has at the lowest data rates: 51 without its number. */
export const FRAGMENT_BYTES = 48;

export const sequenceNumber = wholeNumber(0, MAX_SEQUENCE);
export const SEQUENCE_HELP = "of the model: a device takes what is newer than what it has";

/** A model that is whole: a container, or a module with one inside, or a fast one. @throws MoteError that names the file */
export function updatableModel(path: string): Uint8Array {
  const file = readModel(path);
  namingFile(path, () => (isFastModule(file) ? fastParts(file) : readContainer(containerOf(file))));
  return file;
}

/** @param outs files that the command writes: none may be the key's. @throws MoteError ARGUMENT for one that is */
export const readPrivateKey = (path: string, outs: readonly string[]): KeyObject =>
  readKey("private", path, outs, privateKey);

/** The same of the key that an update is checked by. */
export const readPublicKey = (path: string, outs: readonly string[]): KeyObject =>
  readKey("public", path, outs, publicKey);

function readKey(kind: string, path: string, outs: readonly string[], key: (pem: Uint8Array) => KeyObject): KeyObject {
  const taken = outs.find((out) => realPath(out) !== undefined && realPath(out) === realPath(path));
  if (taken !== undefined) throw new MoteError("ARGUMENT", `${taken}: is the ${kind} key, which would be written over`);
  return namingFile(path, () => key(readFile(path)));
}

/** Nothing of what is not there. */
function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

export interface UpdateRequest {
  readonly out: string;
  /** Of the model, which errors name. */
  readonly path: string;
  readonly model: Uint8Array;
  readonly sequence: number;
  readonly key?: KeyObject | undefined;
  readonly base?: Uint8Array;
}

export interface MadeUpdate {
  readonly out: string;
  readonly bytes: Uint8Array;
  /** What it is, for people and scripts. */
  readonly pairs: [string, string][];
  readonly json: object;
}

/** An update that has been found to bring the model; nothing is written yet. @throws MoteError that names the model's file */
export function makeUpdate({ out, path, model, sequence, key, base }: UpdateRequest): MadeUpdate {
  const progress = new Progress("diff", 100);
  const options =
    base === undefined ? {} : { base, onProgress: (share: number) => progress.update(Math.floor(100 * share)) };
  const bytes = namingFile(path, () =>
    key === undefined ? writeUpdate(model, sequence, options) : signUpdate(model, sequence, key, options),
  );
  progress.finish();
  const update = readUpdate(bytes);
  modelOf(update, base);
  const fragments = Math.ceil(bytes.length / FRAGMENT_BYTES);
  return {
    out,
    bytes,
    pairs: [
      [out, `${grouped(bytes.length)} bytes, ${fragments} fragments of ${FRAGMENT_BYTES}`],
      ...describeUpdate(update, true),
    ],
    json: { file: out, bytes: bytes.length, fragments, ...updateJson(update) },
  };
}

/** @param isChecked whether its signature is known to be right */
export function describeUpdate(update: Update, isChecked: boolean): [string, string][] {
  const { kind, sequence, length, base, signature, payload } = update;
  return [
    ["brings", `a ${kind} of ${grouped(length)} bytes, sequence ${sequence}`],
    [
      "as",
      base === undefined
        ? "it is"
        : `a patch of ${grouped(payload.length)} bytes of a model of ${grouped(base.length)}`,
    ],
    ["signed", signature === undefined ? "no" : isChecked ? "by Ed25519" : "has a signature, not checked"],
  ];
}

export function updateJson({ kind, sequence, length, crc, base, signature, payload }: Update): object {
  return {
    kind,
    sequence,
    modelBytes: length,
    modelCrc: crc,
    payloadBytes: payload.length,
    isPatch: base !== undefined,
    isSigned: signature !== undefined,
  };
}

/** Writes an update, and says what it is. */
export function finishUpdate(output: Output, { out, bytes, pairs, json }: MadeUpdate): void {
  writeFileAtomic(out, bytes);
  output.pairs(pairs);
  output.json(() => json);
}
