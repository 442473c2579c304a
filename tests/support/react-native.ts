/**
 * react-native-webassembly without React Native: its JavaScript as it is, on the wasm3 of the host's addon in the place of the C++ that binds it.
 * Both are wasm3 0.5.0.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compileFunction } from "node:vm";
import { dependencyFolder } from "../../host/node/paths.js";
import { Wasm3Runtime } from "../../host/node/wasm3/runtime.js";

interface Call {
  readonly module: string;
  readonly func: string;
  readonly args: readonly string[];
}

/** What its C++ offers to its JavaScript. */
interface Binding {
  RNWebassembly_instantiate(parameters: {
    readonly iid: string;
    /** The module, as base64. */
    readonly bufferSource: string;
    readonly callback: (call: Call) => number;
  }): { readonly result: number; readonly buffer?: ArrayBuffer };
  RNWebassembly_invoke(call: {
    readonly iid: string;
    readonly func: string;
    readonly args: readonly string[];
  }): string[];
}

/** @returns what the package exports */
export function webAssembly(): object {
  const path = join(dependencyFolder("react-native-webassembly"), "lib/commonjs/index.js");
  const evaluate = compileFunction(readFileSync(path, "utf8"), ["exports", "require", "global"]) as (
    exports: object,
    require: (name: string) => object,
    global: object,
  ) => void;
  let instances = 0;
  const packages: Readonly<Record<string, object>> = {
    "react-native": {},
    buffer: { Buffer },
    "nanoid/non-secure": { nanoid: () => String(instances++) },
  };
  const exports = {};
  evaluate(exports, (name) => packages[name], binding());
  return exports;
}

function binding(): Binding {
  const invokes = new Map<string, (func: string, args: readonly number[]) => number | undefined>();
  return {
    RNWebassembly_instantiate: ({ iid, bufferSource, callback }) => {
      const read = (...args: number[]): number => {
        pull();
        const status = callback({ module: "mote", func: "read", args: args.map(String) });
        push();
        return status;
      };
      let runtime: Wasm3Runtime;
      try {
        const imports = { "mote.read": { signature: "i(iii)", call: read } };
        runtime = new Wasm3Runtime(Buffer.from(bufferSource, "base64"), { imports });
      } catch {
        return { result: 1 };
      }
      // There the buffer is wasm3's own memory; here a copy, brought up to date on both sides of a call.
      const buffer = new ArrayBuffer(runtime.memoryBytes);
      const pull = (): void => new Uint8Array(buffer).set(runtime.read(0, buffer.byteLength));
      const push = (): void => runtime.write(0, new Uint8Array(buffer));
      pull();
      invokes.set(iid, (func, args) => {
        push();
        const result = runtime.call(func, ...args);
        pull();
        return result;
      });
      return { result: 0, buffer };
    },
    RNWebassembly_invoke: ({ iid, func, args }) => {
      const result = invokes.get(iid)!(func, args.map(Number));
      return result === undefined ? [] : [String(result)];
    },
  };
}
