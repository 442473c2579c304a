/** The nets of the zoo that figures name. */
import { lowerGraph } from "../../host/import/import.js";
import type { ImportedNet } from "../../host/import/net.js";
import { inferShapes } from "../../host/import/shapes.js";
import { openGraph } from "../../host/node/import/open-graph.js";

/** MLPerf Tiny's int8 nets, and what their containers may take of the file's bytes. */
export const MLPERF = [
  ["vww", "tiny-vww_int8.tflite", 0.19],
  ["kws", "tiny-kws_int8.tflite", 0.5],
  ["ad", "tiny-ad01_int8.tflite", 0.72],
  ["resnet", "tiny-resnet_int8.tflite", 0.8],
] as const;

export function lowered(path: string): ImportedNet {
  const { graph, close } = openGraph(path);
  try {
    return lowerGraph(inferShapes(graph, { batch: 1 }));
  } finally {
    close();
  }
}
