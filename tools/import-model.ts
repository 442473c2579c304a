/** What `mote pack` makes of nets of other formats. */
import { extname } from "node:path";
import { writeContainer, type WriteOptions } from "../host/container/write.js";
import { isOnnx } from "../host/data/file-kind.js";
import { MoteError } from "../host/errors.js";
import { arrange, tensorOrder } from "../host/import/arrange.js";
import { calibrate, type CalibrateOptions } from "../host/import/calibrate.js";
import { importedModel } from "../host/import/import.js";
import { compareReals, type Comparison } from "../host/import/layer-errors.js";
import type { ImportedNet } from "../host/import/net.js";
import { openEngine } from "../host/node/engines/open.js";
import { isTflite } from "../host/node/import/open-graph.js";
import { Progress } from "../host/node/progress.js";
import { nextTurn } from "../host/turn.js";
import type { DataFlags } from "./data-flags.js";
import { comparedSamples, loadNet, loadSamples, realSamples, type NetSamples } from "./net-samples.js";

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

export interface ImportedContainer {
  readonly bytes: Uint8Array;
  /** Of a net that was calibrated: what that costs, layer by layer. */
  readonly calibration?: Comparison & { readonly samples: number };
}

/** Layers are compared on at most so many of the samples. */
const COMPARED_SAMPLES = 16;

/**
 * @param file its bytes, where they have been read already
 * @param note takes what a user should know, a line each
 * @throws MoteError UNSUPPORTED with all that does not run, ARGUMENT where samples are missing or not needed
 */
export async function importContainer(
  path: string,
  file: Uint8Array | undefined,
  flags: ImportFlags,
  options: WriteOptions,
  note: (line: string) => void,
): Promise<ImportedContainer> {
  const net = loadNet(path, file, flags.shape);
  net.notes.forEach(note);
  if (net.isQuantized) {
    if (flags.calibrate === undefined) return { bytes: writeContainer(importedModel(net), options) };
    throw new MoteError("ARGUMENT", "--calibrate: the net is quantized already, and needs no samples");
  }
  if (flags.calibrate === undefined) {
    throw new MoteError(
      "ARGUMENT",
      "the net has real numbers; expected --calibrate with samples, some hundred will do",
    );
  }
  const samples = loadSamples(flags.calibrate, net, flags);
  const compared = Math.min(COMPARED_SAMPLES, samples.count);
  const progress = new Progress("calibrate", 2 * samples.count + compared);
  try {
    const quantized = calibrated(net, samples, flags.range, progress);
    const bytes = writeContainer(importedModel(quantized), options);
    const engine = openEngine("v8", bytes);
    const comparison = await compareReals(
      arrange(net),
      tensorOrder(quantized).map((tensor) => quantized.tensors[tensor].quantization!),
      engine,
      compared,
      comparedSamples(samples, net, engine),
      async (done) => {
        progress.update(2 * samples.count + done);
        await nextTurn();
      },
    );
    engine.close();
    return { bytes, calibration: { ...comparison, samples: compared } };
  } finally {
    progress.finish();
  }
}

function calibrated(
  net: ImportedNet,
  loaded: NetSamples,
  range: CalibrateOptions["range"],
  progress: Progress,
): ImportedNet {
  const sample = realSamples(loaded, net);
  const samples = Array.from({ length: loaded.count }, (_, index) => sample(index));
  return calibrate(net, samples, { range }, (done) => progress.update(done));
}
