/** Ed25519 keys (RFC 8032) of updates, as PEM files that other tools read as well, and signatures of models by them. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, unlinkSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { MoteError } from "../../errors.js";
import {
  identityOf,
  modelOf,
  signedMessage,
  writeUpdate,
  type Update,
  type UpdateOptions,
} from "../../update/update.js";
import { describeSystemError } from "../write-file.js";

const PUBLIC_KEY_BYTES = 32;

export interface KeyPair {
  /** PKCS #8 and SPKI, as PEM. */
  readonly privatePem: string;
  readonly publicPem: string;
  /** The public key's 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** NAME.pem, NAME.pub.pem and NAME.h. */
export interface KeyFiles {
  readonly private: string;
  readonly public: string;
  readonly header: string;
}

/**
 * Writes a pair's files, all or none, where none of them is yet; the private key for its owner alone.
 * @param name their path, without an ending
 * @throws MoteError ARGUMENT for a folder in place of a name; FILE where one of them is there, or cannot be written
 */
export function writeKeyFiles(name: string, { privatePem, publicPem, publicKey }: KeyPair): KeyFiles {
  if (name === "" || /[/\\]$|^\.{1,2}$|[/\\]\.{1,2}$/.test(name)) {
    throw new MoteError("ARGUMENT", `${name}: expected a name for the keys, such as keys/field`);
  }
  const files = { private: `${name}.pem`, public: `${name}.pub.pem`, header: `${name}.h` };
  const contents = [
    [files.private, privatePem, 0o600],
    [files.public, publicPem, 0o666],
    [files.header, keyHeader(publicKey, name), 0o666],
  ] as const;
  const there = Object.values(files).find((path) => existsSync(path));
  if (there !== undefined) {
    throw new MoteError("FILE", `${there}: is there already, and a key that is lost cannot be made again`);
  }
  const made: string[] = [];
  for (const [path, text, mode] of contents) {
    try {
      mkdirSync(dirname(path), { recursive: true });
      const file = openSync(path, "wx", mode);
      made.push(path);
      try {
        writeFileSync(file, text);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      for (const half of made) unlinkSync(half);
      throw new MoteError("FILE", `${path}: cannot be written: ${describeSystemError(error)}`, { cause: error });
    }
  }
  return files;
}

export function makeKeys(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    privatePem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
    publicKey: rawKey(publicKey),
  };
}

/** SPKI ends with the key. */
function rawKey(key: KeyObject): Uint8Array {
  return Uint8Array.from(key.export({ type: "spki", format: "der" }).subarray(-PUBLIC_KEY_BYTES));
}

/** @param pem PKCS #8 @throws MoteError FORMAT for what is not a private Ed25519 key */
export function privateKey(pem: Uint8Array): KeyObject {
  return ed25519(() => createPrivateKey(Buffer.from(pem)), "a private Ed25519 key in PEM, which mote keygen writes");
}

/** @param pem SPKI @throws MoteError FORMAT for what is not a public Ed25519 key */
export function publicKey(pem: Uint8Array): KeyObject {
  if (Buffer.from(pem).includes("PRIVATE KEY")) {
    throw new MoteError("FORMAT", "expected the public key, .pub.pem; this is the private one");
  }
  return ed25519(() => createPublicKey(Buffer.from(pem)), "a public Ed25519 key in PEM, which mote keygen writes");
}

function ed25519(read: () => KeyObject, expected: string): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (error) {
    throw new MoteError("FORMAT", `expected ${expected}`, { cause: error });
  }
  if (key.asymmetricKeyType === "ed25519") return key;
  throw new MoteError("FORMAT", `expected ${expected}; this is one of ${key.asymmetricKeyType}`);
}

function messageOf(model: Uint8Array, sequence: number): Uint8Array {
  return signedMessage(identityOf(model, sequence), createHash("sha512").update(model).digest());
}

/** @returns the update, signed */
export function signUpdate(
  model: Uint8Array,
  sequence: number,
  key: KeyObject,
  options: Omit<UpdateOptions, "signature"> = {},
): Uint8Array {
  return writeUpdate(model, sequence, { ...options, signature: sign(null, messageOf(model, sequence), key) });
}

/**
 * The model that an update brings, once its signature has been found right.
 * @param old the model that a patch is for
 * @param key null: unsigned updates are taken, and no signature is looked at
 * @throws MoteError MISMATCH for one that is unsigned or signed by another key; as modelOf
 */
export function trustedModel(update: Update, key: KeyObject | null, old?: Uint8Array): Uint8Array {
  if (key !== null && update.signature === undefined) throw new MoteError("MISMATCH", "the update is not signed");
  const model = modelOf(update, old);
  if (key === null) return model;
  // What the head says of the kind is signed, whatever the bytes look like.
  const message = signedMessage(update, createHash("sha512").update(model).digest());
  if (verify(null, message, key, update.signature!)) return model;
  throw new MoteError("MISMATCH", "the update's signature is not by this key, or not of this model and sequence");
}

/** The macro that a key's header defines, by the header's name: FIELD_KEY of keys/field. */
export function keyMacro(name: string): string {
  const word = basename(name)
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, "_");
  return `${/^[A-Z]/.test(word) ? "" : "KEY_"}${word}_KEY`;
}

/** A C header with the public key, for firmware. @param name as of keyMacro */
export function keyHeader(key: Uint8Array, name: string): string {
  const bytes = [...key].map((byte) => `0x${byte.toString(16).padStart(2, "0")}`);
  const lines = [0, 8, 16, 24].map((at) => `   ${bytes.slice(at, at + 8).join(", ")}`);
  return `/* A public key, by which updates are signed: mote-slots.h. Made by mote keygen. */\n#define ${keyMacro(name)} \\\n  {\\\n${lines.join(", \\\n")} \\\n  }\n`;
}
