/** WebAssembly by hand: modules of the core's form from types and code in bytes, sealed, however wrong they are. */
import { sealModule } from "../../host/module/seal.js";
import { leb128 } from "../../host/module/leb128.js";
import { writeModule } from "../../host/module/sections.js";

export const I32 = 0x7f;
export const I64 = 0x7e;
/** Of a block without result. */
export const NONE = 0x40;
export type Type = typeof I32 | typeof I64;

export interface Signature {
  readonly parameters: readonly Type[];
  readonly result: Type | undefined;
}

export interface HandWritten {
  /**
   * Those behind the import, which is function 0: `mote.read`. Each has a type of its own, from 3 on. Behind them come two more, for the core's
   * exports `start` and `step`; the first is `open`.
   */
  readonly functions: readonly {
    readonly signature: Signature;
    readonly locals?: readonly number[];
    /** Without the last end. */
    readonly code: readonly number[];
  }[];
  /** Type, and the constant's LEB128. */
  readonly globals?: readonly (readonly [type: number, value: readonly number[]])[];
  /** Sections to put in place of others, or beside them, by number. */
  readonly sections?: ReadonlyMap<number, readonly number[]>;
}

export const READ: Signature = { parameters: [I32, I32, I32], result: I32 };
export const START: Signature = { parameters: [], result: I32 };
export const STEP: Signature = { parameters: [I32], result: I32 };
/** Of `start` and `step`, the last two. */
export const LAST_BODIES: readonly (readonly number[])[] = [
  [4, 0, 0x41, 1, 0x0b],
  [4, 0, 0x20, 0, 0x0b],
];

/** A section's content: how many, then all. */
export function vector(entries: readonly (readonly number[])[]): number[] {
  return [...leb128(entries.length), ...entries.flat()];
}

export function text(word: string): number[] {
  return [word.length, ...new TextEncoder().encode(word)];
}

/** A function type. */
export function typeBytes({ parameters, result }: Signature): number[] {
  return [0x60, parameters.length, parameters, result === undefined ? [0] : [1, result]].flat();
}

/** One page of memory, exported, with some data in it. */
export function assemble({ functions, globals = [], sections }: HandWritten): Uint8Array {
  const bodies = functions.map(({ locals = [], code }) => {
    const body = [...vector(locals.map((type) => [1, type])), ...code, 0x0b];
    return [...leb128(body.length), ...body];
  });
  const names = ["open", "start", "step"].map((name, i) => [
    ...text(name),
    0,
    ...leb128(i === 0 ? 1 : functions.length + i),
  ]);
  const contents = new Map<number, readonly number[]>([
    [1, vector([READ, START, STEP, ...functions.map(({ signature }) => signature)].map(typeBytes))],
    [2, vector([[...text("mote"), ...text("read"), 0, 0]])],
    [3, vector([...functions.map((_, index) => leb128(index + 3)), [1], [2]])],
    [5, vector([[1, 1, 1]])],
    [6, vector(globals.map(([type, value]) => [type, 1, type === I64 ? 0x42 : 0x41, ...value, 0x0b]))],
    [7, vector([...names, [...text("memory"), 2, 0]])],
    [10, vector([...bodies, ...LAST_BODIES])],
    [11, vector([[0, 0x41, 16, 0x0b, 4, 1, 2, 3, 4]])],
    ...(sections ?? []),
  ]);
  const ordered = [...contents].sort(([a], [b]) => (a === 0 ? 99 : a) - (b === 0 ? 99 : b));
  return sealModule(writeModule(ordered.map(([id, content]) => ({ id, content: Uint8Array.from(content) }))));
}
