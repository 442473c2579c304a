/** Nets as they travel by their hash: trained ones as checkpoints, others as the JSON of their graph. */
import { isSafetensors } from "../data/file-kind.js";
import { parseJson } from "../json.js";
import type { Net } from "../model/model.js";
import { tensorShapes } from "../model/shapes.js";
import { decodeCheckpoint, encodeCheckpoint } from "../train/checkpoint.js";
import { graphOf } from "../train/metadata.js";

export const encodeNet = (net: Net): Uint8Array =>
  net.tensors.size === 0 ? new TextEncoder().encode(JSON.stringify(net.graph)) : encodeCheckpoint("the net", { net });

/** @param path for messages @throws MoteError FORMAT, MISMATCH, UNSUPPORTED */
export function decodeNet(file: Uint8Array, path: string): Net {
  if (isSafetensors(file)) return decodeCheckpoint(file, path).net;
  const graph = graphOf(parseJson(new TextDecoder().decode(file), path, "the graph"), path);
  tensorShapes(graph);
  return { graph, tensors: new Map() };
}
