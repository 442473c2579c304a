import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { checkModule } from "../../module/module-check.js";
import { MoteError } from "../../errors.js";
import { builtFile } from "../paths.js";

/** A function that the module imports, in wasm3's notation: "i(iii)" takes three i32 and gives one, "v()" neither. */
export interface Wasm3Import {
  readonly signature: string;
  readonly call: (...args: number[]) => number | void;
}

export interface Wasm3Options {
  /** Bytes of linear memory that can be accessed, below one page too. Default: what the module declares. */
  readonly memoryLimit?: number;
  /** By "module.function". What the module does not import is ignored; what it imports and is not here is an error. */
  readonly imports?: Readonly<Record<string, Wasm3Import>>;
}

/** The addon's class; errors are plain Errors with wasm3's message. See addon.c. */
interface NativeRuntime {
  readonly memoryBytes: number;
  call(name: string, ...args: number[]): number | undefined;
  read(address: number, length: number): Uint8Array;
  write(address: number, bytes: Uint8Array | Int8Array): void;
  close(): void;
}

interface Addon {
  readonly version: string;
  readonly Runtime: new (
    wasm: Uint8Array,
    memoryLimit: number,
    imports: readonly (readonly [name: string, signature: string, call: (...args: number[]) => number | void])[],
  ) => NativeRuntime;
}

const ADDON = "build/wasm3/Release/wasm3.node";

/** Whether there is an addon; it takes a C compiler to build one. */
export const isWasm3Built = (): boolean => existsSync(builtFile(ADDON));

let loaded: Addon | undefined;

function addon(): Addon {
  if (loaded) return loaded;
  const path = builtFile(ADDON);
  if (!isWasm3Built()) {
    throw new MoteError("ENGINE", `wasm3: the addon ${ADDON} is missing; mend with: node host/node/wasm3/build.mjs`);
  }
  try {
    loaded = createRequire(import.meta.url)(path) as Addon;
    return loaded;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new MoteError(
      "ENGINE",
      `wasm3: the addon does not load (${reason}); mend with: node host/node/wasm3/build.mjs`,
      {
        cause: error,
      },
    );
  }
}

/** The release of wasm3 in the addon, such as "0.5.0". */
export function wasm3Version(): string {
  return addon().version;
}

/**
 * A WebAssembly module under the wasm3 interpreter: one of those that SPEC.md describes in "Modules", as `mote pack` makes them. wasm3 0.5.0 does
 * not validate, and valid modules of other kinds can make it write outside its memory, so others are refused. Every function is
 * compiled at once. Freed by `close`, or with the object.
 */
export class Wasm3Runtime {
  readonly #native: NativeRuntime;

  /**
   * @throws MoteError ENGINE for what is not valid WebAssembly, or with wasm3's message: a module it cannot link or compile; FORMAT for
   *   a module of another kind
   */
  constructor(wasm: Uint8Array, options: Wasm3Options = {}) {
    const { Runtime } = addon();
    checkModule(wasm);
    const imports = Object.entries(options.imports ?? {}).map(
      ([name, { signature, call }]) => [name, signature, call] as const,
    );
    this.#native = guard(() => new Runtime(wasm, options.memoryLimit ?? 0, imports));
  }

  /** Bytes of linear memory that can be accessed now: what the module has, at most the limit. */
  get memoryBytes(): number {
    return guard(() => this.#native.memoryBytes);
  }

  /**
   * Calls an exported function of i32 parameters.
   * @returns its i32 result, or undefined where it has none
   * @throws MoteError ENGINE with wasm3's message, such as "[trap] out of bounds memory access"; what an imported
   *   function throws comes through as it is
   */
  call(name: string, ...args: number[]): number | undefined {
    return guard(() => this.#native.call(name, ...args));
  }

  /** A copy of linear memory. @throws RangeError when the span is not all inside */
  read(address: number, length: number): Uint8Array {
    return guard(() => this.#native.read(address, length));
  }

  /** Copies bytes into linear memory. @throws RangeError when the span is not all inside */
  write(address: number, bytes: Uint8Array | Int8Array): void {
    guard(() => this.#native.write(address, bytes));
  }

  /** Frees the runtime; any use after that throws. Closing twice is allowed. */
  close(): void {
    guard(() => this.#native.close());
  }
}

/** wasm3's own failures are plain Errors; RangeError, TypeError and what callbacks throw are passed on. */
function guard<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof Error && Object.getPrototypeOf(error) === Error.prototype) {
      const text = error.message.startsWith("wasm3: ") ? error.message : `wasm3: ${error.message}`;
      throw new MoteError("ENGINE", text, { cause: error });
    }
    throw error;
  }
}
