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
import { observe } from "../host/import/observation.js";
import { realNet } from "../host/import/real-net.js";
import { shareWeights } from "../host/import/share.js";
import { openEngine } from "../host/node/engines/open.js";
import { nodeConvolve } from "../host/node/import/convolve.js";
import { isTflite } from "../host/node/import/open-graph.js";
import { Progress } from "../host/node/progress.js";
import { nextTurn } from "../host/turn.js";
import { readingOf, type DataFlags } from "./data-flags.js";
import { comparedSamples, loadNet, loadSamples, realSamples, type NetSamples } from "./net-samples.js";

export interface ImportFlags extends DataFlags {
  /** Samples by which a net of real numbers is quantized. */
  readonly calibrate?: string;
  readonly range: CalibrateOptions["range"];
  readonly bits?: number;
  readonly colours?: "rgb" | "bgr";
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

/** Layers are compared on at most so many of the samples, and by so many multiplications, for which the core takes some seconds. */
const COMPARED_SAMPLES = 16;
const COMPARED_WORK = 2e9;

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
  const given = { reading: readingOf(flags), colours: flags.colours };
  if (net.isQuantized) return { bytes: writeContainer(importedModel(coarser(net, flags), given), options) };
  if (flags.calibrate === undefined) {
    throw new MoteError(
      "ARGUMENT",
      "the net has real numbers; expected --calibrate with samples, some hundred will do",
    );
  }
  const convolve = nodeConvolve();
  const samples = loadSamples(flags.calibrate, net, flags);
  const compared = Math.min(COMPARED_SAMPLES, samples.count, Math.floor(COMPARED_WORK / multiplications(net)));
  const progress = new Progress("calibrate", samples.count + compared);
  try {
    const calibration = { range: flags.range, convolve, ...(flags.bits === undefined ? {} : { bits: flags.bits }) };
    const quantized = calibrate(net, allSamples(samples, net, flags), calibration, (done) => progress.update(done));
    const bytes = writeContainer(importedModel(quantized, given), options);
    if (compared === 0) {
      note("errors of layers are left out, since a sample takes too long; mote verify has them");
      return { bytes };
    }
    const engine = openEngine("v8", bytes);
    const comparison = await compareReals(
      arrange(net),
      tensorOrder(quantized).map((tensor) => quantized.tensors[tensor].quantization!),
      engine,
      compared,
      comparedSamples(samples, net, engine),
      async (done) => {
        progress.update(samples.count + done);
        await nextTurn();
      },
      convolve,
    );
    engine.close();
    return { bytes, calibration: { ...comparison, samples: compared } };
  } finally {
    progress.finish();
  }
}

const allSamples = (samples: NetSamples, net: ImportedNet, { colours }: ImportFlags): Float32Array[][] => {
  const sample = realSamples(samples, net, colours && { colours });
  return Array.from({ length: samples.count }, (_, index) => sample(index));
};

/** A net that is quantized already, with fewer values for its weights where that is asked for. Samples tell how to correct the biases. */
function coarser(net: ImportedNet, flags: ImportFlags): ImportedNet {
  const { bits, calibrate: spec } = flags;
  if (bits === undefined && spec !== undefined)
    throw new MoteError("ARGUMENT", "--calibrate: the net is quantized already, and needs no samples but with --bits");
  if (bits === undefined) return net;
  if (spec === undefined) return shareWeights(net, bits, () => undefined);
  const samples = loadSamples(spec, net, flags);
  const progress = new Progress("calibrate", samples.count);
  try {
    const seen = observe(realNet(net), allSamples(samples, net, flags), nodeConvolve(), (done) =>
      progress.update(done),
    );
    return shareWeights(net, bits, (tensor) => seen[tensor].means());
  } finally {
    progress.finish();
  }
}

/** For a sample. */
function multiplications({ layers, tensors }: ImportedNet): number {
  return layers.reduce((sum, layer) => {
    if (!("weights" in layer)) return sum;
    const [, height, width] = tensors[layer.output].shape;
    return sum + layer.weights.rows * layer.weights.columns * height * width;
  }, 0);
}
