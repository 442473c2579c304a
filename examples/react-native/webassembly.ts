/**
 * WebAssembly for React Native's JavaScript, which has none: as much of it as mote-nn/module takes. react-native-webassembly runs modules by
 * wasm3, the interpreter that Mote's boards have too.
 */
import { instantiate } from "react-native-webassembly";

type Call = (...values: number[]) => number;
type Imports = Record<string, Record<string, Call>>;

/** Import it before mote-nn/module opens anything. */
export function installWebAssembly(): void {
  Object.assign(globalThis, { WebAssembly: { instantiate: instantiateModule, Module: { customSections } } });
}

async function instantiateModule(module: Uint8Array, imports: Imports) {
  const { exports } = (await instantiate<Record<string, Call>>(module, imports)).instance;
  // It passes arguments on as texts, and an argument that is not there has none.
  const exported = (name: string): Call => {
    return (...values) => exports[name](...values.filter((value) => value !== undefined));
  };
  const memory = {
    get buffer(): ArrayBuffer {
      return exports.memory!;
    },
  };
  const names = ["open", "start", "step", "reset"];
  const calls = Object.fromEntries(names.map((name) => [name, exported(name)]));
  return { module, instance: { exports: { ...calls, memory } } };
}

/** Contents of a module's custom sections of a name (WebAssembly Core Specification 1.0, 5.5). */
function customSections(module: Uint8Array, name: string): ArrayBuffer[] {
  const found: ArrayBuffer[] = [];
  let at = 8;
  const size = (): number => {
    for (let value = 0, weight = 1; ; weight *= 128) {
      const byte = module[at++];
      value += (byte & 127) * weight;
      if (byte < 128) return value;
    }
  };
  while (at < module.length) {
    const isCustom = module[at++] === 0;
    const length = size();
    const end = at + length;
    if (isCustom) {
      const nameLength = size();
      const title = String.fromCharCode(...module.subarray(at, at + nameLength));
      if (title === name) found.push(module.slice(at + nameLength, end).buffer as ArrayBuffer);
    }
    at = end;
  }
  return found;
}
