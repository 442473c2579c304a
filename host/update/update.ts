/** Updates: what a device takes into the slot that is not in use (spec/update.md, "Update"). */
import { MAX_BYTES } from "../../assembly/format.js";
import { concatBytes } from "../bytes.js";
import { crc32 } from "../container/crc32.js";
import { isMote } from "../data/file-kind.js";
import { MoteError } from "../errors.js";
import { isWasm } from "../module/sections.js";
import { applyPatch, writePatch } from "./patch.js";

/** "MOU", then the version. */
const MAGIC = Uint8Array.of(0x4d, 0x4f, 0x55, 1);
const IS_PATCH = 1;
const IS_SIGNED = 2;
const HEAD_BYTES = 18;
const BASE_BYTES = 8;
export const SIGNATURE_BYTES = 64;
export const MAX_SEQUENCE = 2 ** 32 - 1;

/** What a model is, and its number in heads. */
const KINDS = { container: 1, module: 2 } as const;
export type ModelKind = keyof typeof KINDS;

/** What a head says of the model that it brings. */
export interface ModelIdentity {
  readonly kind: ModelKind;
  /** 0 … 2^32 - 1: what is installed is newer than what it takes the place of. */
  readonly sequence: number;
  readonly length: number;
  readonly crc: number;
}

export interface Update extends ModelIdentity {
  /** Of a patch: the model that it is for. */
  readonly base?: { readonly length: number; readonly crc: number };
  readonly signature?: Uint8Array;
  /** The model, or what makes it of the base. */
  readonly payload: Uint8Array;
}

/** @throws MoteError FORMAT for what is neither a container nor a module, MEMORY for what is too long */
export function identityOf(model: Uint8Array, sequence: number): ModelIdentity {
  const isContainer = isMote(model);
  if (!isContainer && !isWasm(model)) throw new MoteError("FORMAT", "neither a .mote nor a .wasm file");
  if (model.length > MAX_BYTES) {
    throw new MoteError("MEMORY", `${model.length} bytes, expected at most ${MAX_BYTES}`);
  }
  return { kind: isContainer ? "container" : "module", sequence, length: model.length, crc: crc32(model) };
}

/** What is signed: what the model is for, and its bytes by their digest. */
export function signedMessage({ kind, sequence, length }: ModelIdentity, digest: Uint8Array): Uint8Array {
  const numbers = new DataView(new ArrayBuffer(9));
  numbers.setUint8(0, KINDS[kind]);
  numbers.setUint32(1, sequence, true);
  numbers.setUint32(5, length, true);
  return concatBytes([new TextEncoder().encode("mote model 1"), new Uint8Array(numbers.buffer), digest]);
}

export interface UpdateOptions {
  /** Makes it a patch of this model, where that is smaller than the new one. */
  readonly base?: Uint8Array;
  /** Of `signedMessage`. */
  readonly signature?: Uint8Array;
  /** Told what share of a patch has been worked out. */
  readonly onProgress?: (share: number) => void;
}

export function writeUpdate(
  model: Uint8Array,
  sequence: number,
  { base, signature, onProgress }: UpdateOptions = {},
): Uint8Array {
  const { kind, length, crc } = identityOf(model, sequence);
  const patch = base === undefined ? undefined : writePatch(base, model, onProgress);
  const isPatch = patch !== undefined && patch.length + BASE_BYTES < length;
  const head = new DataView(new ArrayBuffer(HEAD_BYTES + (isPatch ? BASE_BYTES : 0)));
  MAGIC.forEach((byte, i) => head.setUint8(i, byte));
  head.setUint8(4, (isPatch ? IS_PATCH : 0) | (signature === undefined ? 0 : IS_SIGNED));
  head.setUint8(5, KINDS[kind]);
  [sequence, length, crc].forEach((value, i) => head.setUint32(6 + 4 * i, value, true));
  if (isPatch) [base!.length, crc32(base!)].forEach((value, i) => head.setUint32(HEAD_BYTES + 4 * i, value, true));
  return concatBytes([new Uint8Array(head.buffer), signature ?? new Uint8Array(0), isPatch ? patch : model]);
}

export function isUpdate(bytes: Uint8Array): boolean {
  return MAGIC.subarray(0, 3).every((byte, i) => bytes[i] === byte);
}

/** @throws MoteError FORMAT for bytes that are no update; UNSUPPORTED for another version */
export function readUpdate(bytes: Uint8Array): Update {
  if (!isUpdate(bytes)) throw broken("expected 4D 4F 55, an update", 0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < HEAD_BYTES) throw broken("the head breaks off", bytes.length);
  if (bytes[3] !== MAGIC[3]) throw new MoteError("UNSUPPORTED", `update: version ${bytes[3]}, expected ${MAGIC[3]}`);
  const flags = bytes[4];
  if (flags > (IS_PATCH | IS_SIGNED)) throw broken(`flags ${flags}, expected 0 … 3`, 4);
  const kind = (Object.keys(KINDS) as ModelKind[]).find((name) => KINDS[name] === bytes[5]);
  if (kind === undefined) throw broken(`kind ${bytes[5]}, expected 1 or 2`, 5);
  const [isPatch, isSigned] = [(flags & IS_PATCH) !== 0, (flags & IS_SIGNED) !== 0];
  const headBytes = HEAD_BYTES + (isPatch ? BASE_BYTES : 0) + (isSigned ? SIGNATURE_BYTES : 0);
  if (bytes.length <= headBytes) throw broken("breaks off", bytes.length);
  const length = view.getUint32(10, true);
  if (length === 0 || length > MAX_BYTES) throw broken(`a model of ${length} bytes, expected 1 … ${MAX_BYTES}`, 10);
  return {
    kind,
    sequence: view.getUint32(6, true),
    length,
    crc: view.getUint32(14, true),
    ...(isPatch ? { base: { length: view.getUint32(18, true), crc: view.getUint32(22, true) } } : {}),
    ...(isSigned ? { signature: bytes.slice(headBytes - SIGNATURE_BYTES, headBytes) } : {}),
    payload: bytes.subarray(headBytes),
  };
}

/**
 * The model that an update brings. Its signature is not looked at.
 * @param old the model that a patch is for
 * @throws MoteError MISMATCH for a patch of another model, or where what comes out is not what the head says; FORMAT for a patch that breaks a rule
 */
export function modelOf(update: Update, old?: Uint8Array): Uint8Array {
  const { base, payload, length, crc } = update;
  if (base !== undefined && (old?.length !== base.length || crc32(old) !== base.crc)) {
    const found = old === undefined ? "none was given" : `this one has ${old.length} and ${hex(crc32(old))}`;
    throw new MoteError(
      "MISMATCH",
      `a patch of a model of ${base.length} bytes with checksum ${hex(base.crc)}: ${found}`,
    );
  }
  const model = base === undefined ? payload : applyPatch(old!, payload, length);
  if (model.length !== length) {
    throw new MoteError("MISMATCH", `the update has ${model.length} bytes of a model, its head says ${length}`);
  }
  if (crc32(model) !== crc) {
    throw new MoteError("MISMATCH", `the model's checksum is ${hex(crc32(model))}, the update's head says ${hex(crc)}`);
  }
  return model;
}

const hex = (crc: number): string => crc.toString(16).padStart(8, "0");

function broken(problem: string, byte: number): MoteError {
  return new MoteError("FORMAT", `update: ${problem} (byte ${byte})`);
}
