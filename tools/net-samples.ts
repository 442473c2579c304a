/** Nets of other formats as the commands take them, and samples of their inputs. */
import { lowerGraph } from "../host/import/import.js";
import type { ImportedNet } from "../host/import/net.js";
import { samplesFor, type NetSamples } from "../host/import/net-samples.js";
import { inferShapes } from "../host/import/shapes.js";
import { loadInputs } from "../host/node/data/load-inputs.js";
import { openGraph } from "../host/node/import/open-graph.js";
import { readingOf, type DataFlags, type StepsFlag } from "./data-flags.js";
import type { Shapes } from "./inspect-graph.js";

/**
 * Large weights stay in the file, which is open from then on.
 * @param file its bytes, where they have been read already
 * @param shapes that fix what the file leaves open
 * @throws MoteError UNSUPPORTED with all that does not run
 */
export function loadNet(path: string, file: Uint8Array | undefined, shapes: Shapes = new Map()): ImportedNet {
  const { graph, close } = openGraph(path, file);
  try {
    return lowerGraph(inferShapes(graph, { shapes, batch: 1 }));
  } catch (error) {
    close();
    throw error;
  }
}

/** @param spec of a net with several inputs an .npz with an array for each */
export function loadSamples(spec: string, net: ImportedNet, flags: DataFlags & StepsFlag): NetSamples {
  const inputs = net.inputs.map(({ name, tensor }) => ({ name, shape: net.tensors[tensor].shape }));
  return samplesFor(net, loadInputs(spec, inputs, { reading: readingOf(flags) }), flags.steps);
}
