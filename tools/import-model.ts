/** What `mote pack` makes of nets of other formats. */
import { extname } from "node:path";
import { writeContainer, type WriteOptions } from "../host/container/write.js";
import { isOnnx } from "../host/data/file-kind.js";
import { realFiller } from "../host/engines/fill-input.js";
import { MoteError } from "../host/errors.js";
import { calibrate, type CalibrateOptions } from "../host/import/calibrate.js";
import { importedModel, lowerGraph } from "../host/import/import.js";
import type { ImportedNet } from "../host/import/net.js";
import { inferShapes } from "../host/import/shapes.js";
import { valuesOf } from "../host/model/geometry.js";
import { loadData } from "../host/node/data/load.js";
import { isTflite, openGraph } from "../host/node/import/open-graph.js";
import { Progress } from "../host/node/progress.js";
import { readingOf, type DataFlags } from "./data-flags.js";

export interface ImportFlags extends DataFlags {
  /** Samples by which a net of real numbers is quantized. */
  readonly calibrate?: string;
  readonly range: CalibrateOptions["range"];
  readonly shape?: ReadonlyMap<string, readonly number[]>;
}

/** By its first bytes or its name. */
export function isImportable(path: string, file: Uint8Array): boolean {
  return isTflite(file) || isOnnx(file) || extname(path) === ".tflite";
}

/**
 * @param file its bytes, where they have been read already
 * @param note takes what a user should know, a line each
 * @throws MoteError UNSUPPORTED with all that does not run, ARGUMENT where samples are missing or not needed
 */
export function importContainer(
  path: string,
  file: Uint8Array | undefined,
  flags: ImportFlags,
  options: WriteOptions,
  note: (line: string) => void,
): Uint8Array {
  const { graph, close } = openGraph(path, file);
  try {
    const net = lowerGraph(inferShapes(graph, { shapes: flags.shape ?? new Map(), batch: 1 }));
    net.notes.forEach(note);
    return writeContainer(importedModel(quantized(net, flags)), options);
  } finally {
    close();
  }
}

function quantized(net: ImportedNet, flags: ImportFlags): ImportedNet {
  if (net.isQuantized) {
    if (flags.calibrate === undefined) return net;
    throw new MoteError("ARGUMENT", "--calibrate: the net is quantized already, and needs no samples");
  }
  if (flags.calibrate === undefined) {
    throw new MoteError(
      "ARGUMENT",
      "the net has real numbers; expected --calibrate with samples, some hundred will do",
    );
  }
  if (net.inputs.length > 1) {
    throw new MoteError("UNSUPPORTED", `calibration of a net with ${net.inputs.length} inputs; expected one`);
  }
  const { shape } = net.tensors[net.inputs[0].tensor];
  const set = loadData(flags.calibrate, { labels: flags.labels, shape, reading: readingOf(flags) });
  const fill = realFiller(set, shape);
  const samples = Array.from({ length: set.count }, (_, index) => {
    const sample = new Float32Array(valuesOf(shape));
    fill(index, sample);
    return [sample];
  });
  const progress = new Progress("calibrate", 2 * samples.length);
  try {
    return calibrate(net, samples, { range: flags.range }, (done) => progress.update(done));
  } finally {
    progress.finish();
  }
}
