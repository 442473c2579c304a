/** Nets to train and compress, from whatever a file has. */
import { extname } from "node:path";
import { isSafetensors } from "../../data/file-kind.js";
import { stemOf } from "../../data/file-name.js";
import { lowerGraph, type GivenPreprocessing } from "../../import/import.js";
import type { LoweringOptions } from "../../import/lowering.js";
import { activationBitsOf } from "../../import/net.js";
import { inferShapes, type ShapeOptions } from "../../import/shapes.js";
import { trainableNet } from "../../import/trainable.js";
import type { Net } from "../../model/model.js";
import { parseJson } from "../../json.js";
import { tensorShapes } from "../../model/shapes.js";
import { decodeCheckpoint } from "../../train/checkpoint.js";
import { graphOf } from "../../train/metadata.js";
import { readFile } from "../read-file.js";
import { isGraphName, openGraph } from "./open-graph.js";

export interface ReadNetOptions extends LoweringOptions {
  /** Sizes of inputs by name, for those that the file leaves open. */
  readonly shapes?: ShapeOptions["shapes"];
  /** How samples are to be read, in place of what the file tells. */
  readonly given?: GivenPreprocessing;
  /** Of a sample, for a net that takes a step a run and does not tell. */
  readonly steps?: number | undefined;
  /** Takes what a user should know, a line each. */
  readonly note?: (line: string) => void;
}

/**
 * A net of another format (.onnx, .tflite, .caffemodel, .net, a mote-graph .json with its weights), one by `mote train` or `mote compress`
 * (.safetensors), or a graph of layers without weights (.json, docs/compress.md), whose `tensors` are empty: training begins with drawn ones.
 * @throws MoteError FILE, FORMAT, and UNSUPPORTED with all that does not run
 */
export function readNet(path: string, options: ReadNetOptions = {}): Net {
  const isForeign = isGraphName(path);
  if (!isForeign && extname(path) !== ".tflite") {
    const file = readFile(path);
    if (isSafetensors(file) || extname(path) === ".safetensors") return decodeCheckpoint(file, path).net;
    if (extname(path) === ".json") return withoutWeights(new TextDecoder().decode(file), path);
  }
  const { graph, close } = openGraph(path);
  try {
    const { shapes, given, steps, note = () => {} } = options;
    const imported = lowerGraph(inferShapes(graph, { batch: 1, ...(shapes === undefined ? {} : { shapes }) }), options);
    imported.notes.forEach(note);
    if (imported.isQuantized)
      note(`the net is int${activationBitsOf(imported)}; its weights are taken as real numbers`);
    const isOpen = imported.states.length > 0 && imported.steps === undefined && steps !== undefined;
    return trainableNet(isOpen ? { ...imported, steps } : imported, stemOf(path), given);
  } finally {
    close();
  }
}

function withoutWeights(text: string, path: string): Net {
  const graph = graphOf(parseJson(text, path, "the graph"), path);
  tensorShapes(graph);
  return { graph, tensors: new Map() };
}
