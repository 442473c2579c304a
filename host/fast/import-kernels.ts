/** A fast module whose kernels are the host's: ahead of time there is no finding them by name later. */
import binaryen from "binaryen";
import { IMPORT_MODULE } from "../../assembly/module.js";
import { CODE_SECTION, readSections } from "../module/sections.js";
import { KERNEL_EXPORTS } from "./parts.js";

/** The module with an import, by the same name, in the place of each kernel that it exports; what only those called is gone. Without a seal. */
export function importKernels(wasm: Uint8Array): Uint8Array {
  const module = binaryen.readBinary(wasm);
  try {
    for (const name of KERNEL_EXPORTS) {
      const exported = module.getExport(name);
      if (exported === 0) continue;
      const { value } = binaryen.getExportInfo(exported);
      const { params, results } = binaryen.getFunctionInfo(module.getFunction(value));
      module.removeExport(name);
      module.removeFunction(value);
      module.addFunctionImport(value, IMPORT_MODULE, name, params, results);
    }
    module.runPasses(["remove-unused-module-elements"]);
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

/** Bytes of code that do not run where the kernels are the host's. */
export function kernelBytes(wasm: Uint8Array): number {
  return codeBytes(wasm) - codeBytes(importKernels(wasm));
}

function codeBytes(wasm: Uint8Array): number {
  return [...readSections(wasm)].find(({ id }) => id === CODE_SECTION)!.section.rest().length;
}
