/** The C library's engine for fast modules as data, with the kernels that one model needs and no others. */
import * as layout from "../../../assembly/fast/layout.js";
import { fastParts } from "../../fast/parts.js";
import { initialWord, outlineModule } from "../../module/module-outline.js";

/** As layout.ts has them, without the KIND_ in front. */
const KIND_NAMES = new Map<number, string>(
  Object.entries(layout).flatMap(([name, kind]) => (name.startsWith("KIND_") ? [[kind, name.slice(5)] as const] : [])),
);

/** The kinds in a fast module's layer table that take a kernel, each once, by name. */
export function kindsOf(module: Uint8Array): string[] {
  const { segments } = outlineModule(module);
  const kinds = new Set<number>();
  const kindAt = (entry: number): number => initialWord(segments, entry + layout.LAYER_KIND);
  const { statesPtr } = fastParts(module);
  for (let entry = statesPtr; kindAt(entry) !== layout.KIND_END; entry += layout.LAYER_ENTRY_BYTES) {
    kinds.add(kindAt(entry));
  }
  for (const kind of [layout.KIND_CONCAT, layout.KIND_TURN, layout.KIND_INPUT]) kinds.delete(kind);
  return [...kinds].sort((a, b) => a - b).map((kind) => KIND_NAMES.get(kind)!);
}

/** C text of `engine`, a mote_engine: see mote-native.h. */
export function dataEngine(module: Uint8Array): string {
  const kinds = [...kindsOf(module), "NO_MORE"].map((name) => `MOTE_RUNS_${name}`);
  return `static const mote_kind kinds[] = {${kinds.join(", ")}};
static const mote_engine engine = MOTE_DATA_ENGINE(kinds);
`;
}
