/** An old and a new model, and updates of all kinds that c/slots-test.c takes. */
import { createHash, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { concatBytes } from "../../../host/bytes.js";
import { readContainer } from "../../../host/container/read.js";
import { writeContainer } from "../../../host/container/write.js";
import { isWeighted } from "../../../host/ops/index.js";
import { keyHeader, makeKeys, privateKey, signUpdate } from "../../../host/node/update/keys.js";
import { identityOf, signedMessage, writeUpdate } from "../../../host/update/update.js";
import { encodePatch } from "../../../host/update/patch.js";
import { put } from "./native.js";

/** LeNet-5, and the same with other weights in its last layer. */
export function oldAndNew(): { old: Uint8Array; made: Uint8Array } {
  const old = Uint8Array.from(readFileSync("models/lenet5.mote"));
  const { model } = readContainer(old);
  const layers = model.layers.map((layer, index) => {
    if (index < model.layers.length - 1 || !isWeighted(layer)) return layer;
    return { ...layer, weights: layer.weights.map((w, i) => (i % 3 === 0 && w > 1 ? w - 1 : w)) };
  });
  return { old, made: writeContainer({ ...model, layers }) };
}

/** Writes all files of the test. @returns their folder's name in files of `put`, and the header with the key */
export function slotsFiles(): { folder: string; header: string } {
  const { old, made } = oldAndNew();
  const tiny = (seed: number, length: number): Uint8Array =>
    Uint8Array.from({ length }, (_, i) => (i < 3 ? "MOT".charCodeAt(i) : (i * seed) % 251));
  const [tinyOld, tinyNew, tinyThird] = [tiny(7, 29), tiny(11, 42), tiny(13, 37)];
  const [keys, others] = [makeKeys(), makeKeys()];
  const key = privateKey(Buffer.from(keys.privatePem));
  const signatureOf = (model: Uint8Array, sequence: number): Uint8Array =>
    sign(null, signedMessage(identityOf(model, sequence), createHash("sha512").update(model).digest()), key);
  const changed = Uint8Array.from(old, (byte, i) => (i === 2000 ? byte ^ 1 : byte));
  const files: Record<string, Uint8Array> = {
    "old.mote": old,
    "new.mote": made,
    "old.update": writeUpdate(old, 7),
    "new.update": writeUpdate(made, 8),
    "patch.update": writeUpdate(made, 8, { base: old }),
    // Of a patch there is most to be wrong where much is copied and inserted.
    "whole-patch.update": writeUpdate(
      Uint8Array.from(old, (byte, i) => (i % 97 === 50 ? byte ^ 4 : byte)),
      8,
      { base: old },
    ),
    "old.signed": signUpdate(old, 7, key),
    "new.signed": signUpdate(made, 8, key),
    "patch.signed": signUpdate(made, 8, key, { base: old }),
    "older.signed": signUpdate(made, 6, key),
    "stranger.signed": signUpdate(made, 8, privateKey(Buffer.from(makeKeys().privatePem))),
    "resequenced.signed": writeUpdate(made, 9, { signature: signatureOf(made, 8) }),
    "large.signed": signUpdate(
      Uint8Array.from({ length: 4001 }, (_, i) => made[i] ?? 0),
      8,
      key,
    ),
    "base.signed": signUpdate(made, 8, key, { base: changed }),
    // All of the old model, by a cursor that has been a bit in front of it.
    "moves-out.signed": concatBytes([
      signUpdate(old, 8, key, { base: old }).subarray(0, 90),
      encodePatch(
        [
          { copied: 0, inserted: 1, move: -2 },
          { copied: 0, inserted: 1, move: 1 },
          { copied: 8 * old.length - 2, inserted: 0, move: 0 },
        ],
        old,
      ),
    ]),
    "tiny-old.mote": tinyOld,
    "tiny-new.mote": tinyNew,
    "tiny-third.mote": tinyThird,
    "tiny-third.update": writeUpdate(tinyThird, 3),
    "tiny-old.update": writeUpdate(tinyOld, 1),
    "tiny-new.update": writeUpdate(tinyNew, 2),
    "tiny-last.update": writeUpdate(tinyOld, 2 ** 32 - 1),
    "tiny-first.update": writeUpdate(tinyNew, 0),
  };
  for (const [name, bytes] of Object.entries(files)) put(`slots-data/${name}`, bytes);
  const header = keyHeader(keys.publicKey, "field") + keyHeader(others.publicKey, "other");
  return { folder: put("slots-data/end", "").replace(/\/end$/, ""), header };
}
