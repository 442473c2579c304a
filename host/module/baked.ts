/** A packed .wasm seen from outside: where the model stands in it. Needs no WebAssembly tools. */
import { CONTROL_MODEL_BYTES, CONTROL_MODEL_PTR } from "../../assembly/abi.js";
import { METADATA_SECTION } from "../../assembly/module.js";
import { expectExports, foreignModule, initialWord, outlineModule } from "./module-outline.js";
import { readContainer } from "../container/read.js";
import { isMote } from "../data/file-kind.js";
import { isSealed } from "./seal.js";
import { withMetadata } from "../container/write.js";

export interface Baked {
  /** The `.mote` container that was packed. */
  readonly container: Uint8Array;
  /** The same without its metadata, which has a section of its own: a view of the module's bytes. */
  readonly resident: Uint8Array;
  /** Bytes of linear memory in front of the model: what the memory plan takes. */
  readonly planBytes: number;
  /** Bytes of the module without the container. */
  readonly codeBytes: number;
}

/**
 * Finds the model in a module that `bake` made.
 * @throws MoteError FORMAT for anything else: not WebAssembly, damaged, or some other module
 */
export function bakedContainer(wasm: Uint8Array): Baked {
  const outline = outlineModule(wasm);
  const { imports, segments, custom } = outline;
  if (imports.length > 0) throw foreignModule(`it has imports: ${imports.join(", ")}`);
  expectExports(outline);
  const address = initialWord(segments, CONTROL_MODEL_PTR);
  const length = initialWord(segments, CONTROL_MODEL_BYTES);
  const home = segments.find((segment) => segment.address === address && segment.bytes.length === length);
  if (address === 0 || home === undefined || !isMote(home.bytes)) {
    throw foreignModule(`no model of ${length} bytes at address ${address}`);
  }
  if (!isSealed(wasm)) throw foreignModule("its checksum is missing or wrong");
  const resident = home.bytes;
  const metadata = custom.get(METADATA_SECTION);
  const container = metadata === undefined ? resident : withMetadata(resident, readContainer(resident), metadata);
  return { container, resident, planBytes: address, codeBytes: wasm.length - length };
}
