/** The nets of the zoo that figures name, and what they are run on. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { writeContainer } from "../../host/container/write.js";
import { importedModel, lowerGraph } from "../../host/import/import.js";
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

/** The int8 nets that run on boards: MLPerf Tiny's, TFLM's person detection, and microWakeWord's, of which a run is a step of 30 ms of sound. */
export const INT8_NETS = {
  kws: "tiny-kws_int8.tflite",
  vww: "tiny-vww_int8.tflite",
  person: "tflm-person_detect_int8.tflite",
  resnet: "tiny-resnet_int8.tflite",
  ad: "tiny-ad01_int8.tflite",
  wake: "mww-v2-okay_nabu.tflite",
} as const;
export type Int8Net = keyof typeof INT8_NETS;

const containers = new Map<string, Uint8Array>();

/** One of them, packed once. */
export function zooContainer(folder: string, net: Int8Net): Uint8Array {
  const path = join(folder, INT8_NETS[net]);
  const container = containers.get(path) ?? writeContainer(importedModel(lowered(path)));
  containers.set(path, container);
  return container;
}

/** The path of a net's file in the folder that MOTE_ZOO names, if it is there. */
export function fileInZoo(name: string): string | undefined {
  const folder = process.env.MOTE_ZOO || undefined;
  const path = folder === undefined ? undefined : resolve(folder, name);
  return path !== undefined && existsSync(path) ? path : undefined;
}

export function lowered(path: string): ImportedNet {
  const { graph, close } = openGraph(path);
  try {
    return lowerGraph(inferShapes(graph, { batch: 1 }));
  } finally {
    close();
  }
}

/** What the nets of anomaly detection take of the zoo's spectrogram (mlcommons/tiny): windows of 5 frames of 128. */
export function spectrogramWindows(folder: string): Float32Array[] {
  const bytes = Uint8Array.from(readFileSync(join(folder, "tiny-ad01-normal_id_01_00000000.f32")));
  const frames = new Float32Array(bytes.buffer);
  return Array.from({ length: frames.length / 128 - 4 }, (_, t) => frames.slice(128 * t, 128 * (t + 5)));
}
