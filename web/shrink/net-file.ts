/** Which of the files that were dropped is the net, and which ones it may find beside it. */
import { describeFile, isMote, isOnnx, isSafetensors, isTflite } from "../../host/data/file-kind.js";
import { extensionOf } from "../../host/data/file-name.js";
import { MoteError } from "../../host/errors.js";
import { isGraphJson } from "../../host/import/graph-json.js";
import type { ByteSource } from "../../host/import/graph.js";
import type { Beside } from "../../host/import/read-graph.js";
import { isWasm } from "../../host/module/sections.js";
import { isSamples } from "./sample-files.js";

/** A file as the browser or a test hands it over. */
export interface Dropped {
  readonly name: string;
  readonly source: ByteSource;
}

export type NetKind = "graph" | "container" | "packed" | "trained";

export interface NetFile {
  readonly file: Dropped;
  readonly kind: NetKind;
  readonly beside: Beside;
  /** Files that were opened beside it so far. */
  readonly opened: ReadonlySet<Dropped>;
  readonly samples: readonly Dropped[];
  /** Neither the net nor samples. */
  readonly others: readonly Dropped[];
}

/** A page has some gigabytes; what is larger is for the command line. */
const MOST_BYTES = 2 ** 31;
const HEAD_BYTES = 64;
const EXPECTED = ".onnx, .tflite, .caffemodel, .net, .safetensors, .json of a graph, .mote, or .wasm by mote pack";

/** @throws MoteError FORMAT for no net or two of them, MEMORY for one that is too large */
export function findNet(files: readonly Dropped[]): NetFile {
  const empty = files.find(({ source }) => source.size === 0);
  if (empty !== undefined) throw new MoteError("FORMAT", `${empty.name}: is empty`);
  const large = files.find(({ source }) => source.size > MOST_BYTES);
  if (large !== undefined) {
    throw new MoteError(
      "MEMORY",
      `${large.name}: has ${large.source.size.toLocaleString("en")} bytes, expected at most ${MOST_BYTES.toLocaleString("en")}; mote pack takes larger ones`,
    );
  }
  const kinds = files.map((file) => ({ file, kind: kindOf(file, files) }));
  const nets = kinds.filter((one): one is { file: Dropped; kind: NetKind } => one.kind !== undefined);
  if (nets.length > 1) {
    const names = nets.map(({ file }) => file.name).join(" and ");
    throw new MoteError("FORMAT", `${names} are a net each, expected one, with the files that belong to it`);
  }
  if (nets.length === 0) {
    const [first] = files;
    const what = `this is ${describeFile(headOf(first))}`;
    const lacks = extensionOf(first.name) === ".prototxt" ? "; a .prototxt is dropped together with its model" : "";
    throw new MoteError("FORMAT", `${first.name}: expected a net (${EXPECTED}); ${what}${lacks}`);
  }
  const [{ file, kind }] = nets;
  const opened = new Set<Dropped>();
  const rest = files.filter((other) => other !== file);
  const samples = rest.filter((other) => isSamples(headOf(other)));
  const others = rest.filter((other) => !samples.includes(other));
  return { file, kind, beside: besideOf(files, opened), opened, samples, others };
}

function kindOf(file: Dropped, files: readonly Dropped[]): NetKind | undefined {
  const { name, source } = file;
  const extension = extensionOf(name).toLowerCase();
  const head = headOf(file);
  if (isMote(head) || extension === ".mote") return "container";
  if (isWasm(head)) return "packed";
  if (extension === ".json") return isGraphJson(source) ? "graph" : undefined;
  if (isSafetensors(head) || extension === ".safetensors") {
    // With a graph it is that one's weights.
    return files.some((other) => extensionOf(other.name) === ".json" && isGraphJson(other.source))
      ? undefined
      : "trained";
  }
  if ([".onnx", ".tflite", ".caffemodel", ".net"].includes(extension)) return "graph";
  return isTflite(head) || isOnnx(head) ? "graph" : undefined;
}

const headOf = ({ source }: Dropped): Uint8Array => source.read(0, Math.min(source.size, HEAD_BYTES));

/** By their names alone: what is dropped has no folders. @param opened gets what is opened */
function besideOf(files: readonly Dropped[], opened: Set<Dropped>): Beside {
  const find = (name: string): Dropped | undefined => {
    const wanted = name.slice(name.lastIndexOf("/") + 1);
    return files.find((file) => file.name === wanted);
  };
  return {
    has: (name) => find(name) !== undefined,
    open(name) {
      const file = find(name);
      if (file === undefined) throw new MoteError("FILE", `${name} belongs to it; drop both together`);
      opened.add(file);
      return file.source;
    },
  };
}
