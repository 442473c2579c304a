/** From a net of another format to a container, with what that costs: behind `mote pack` and the page. */
import { writeContainer, type WriteOptions } from "../container/write.js";
import type { Streams } from "../data/sequences.js";
import type { ElementBits } from "../model/elements.js";
import type { Engine } from "../engines/engine.js";
import { MoteError } from "../errors.js";
import { nextTurn } from "../turn.js";
import { arrange, tensorOrder } from "./arrange.js";
import { calibrate, type CalibrateOptions } from "./calibrate.js";
import { importedModel, type GivenPreprocessing } from "./import.js";
import { compareReals, type Comparison } from "./layer-errors.js";
import type { ImportedNet } from "./net.js";
import { comparedSamples, realSamples, type NetSamples } from "./net-samples.js";
import { observe } from "./observation.js";
import { realNet } from "./real-net.js";
import { shareWeights } from "./share.js";

export interface ImportHow {
  readonly range: CalibrateOptions["range"];
  /** Each layer's weights have at most 2^bits values, 1 … 7; default: those of int8. */
  readonly bits?: number | undefined;
  /** Of an element of every tensor; default 8. */
  readonly activationBits?: ElementBits | undefined;
  readonly given: GivenPreprocessing;
  readonly options: WriteOptions;
  /** How convolutions of real numbers are worked out. */
  readonly convolve: CalibrateOptions["convolve"] | undefined;
  /** An engine for the container. */
  readonly open: (container: Uint8Array) => Engine;
  /** Takes what a user should know, a line each. */
  readonly note: (line: string) => void;
  /** Called with how many samples of how many have been run. */
  readonly report: (done: number, of: number) => void;
}

export interface ImportedContainer {
  readonly bytes: Uint8Array;
  /** Of a net that was calibrated: what that costs, layer by layer. */
  readonly calibration?: Comparison & ComparedCount & { readonly activationBits: ElementBits };
}

/** How many samples layers were compared on, and the steps of each. */
export interface ComparedCount extends Pick<Streams, "perSample"> {
  readonly samples: number;
}

/** Of a net with states, which may have been meant otherwise. */
const ONE_STEP =
  "each sample is a stream of one step, with states from a reset on; several steps of a stream are one sample, step after step";

/** Layers are compared on at most so many of the samples, and by so many multiplications, for which the core takes some seconds. */
const COMPARED_SAMPLES = 16;
const COMPARED_WORK = 2e9;

/**
 * @param samples a net of real numbers is quantized by them; of a quantized one with fewer bits they tell how to correct the biases
 * @throws MoteError ARGUMENT where samples are missing, and as `calibrate`, `importedModel` and `writeContainer`
 */
export async function importedContainer(
  net: ImportedNet,
  samples: NetSamples | undefined,
  how: ImportHow,
): Promise<ImportedContainer> {
  const { given, options, convolve, report } = how;
  if (net.isQuantized) return { bytes: writeContainer(importedModel(coarser(net, samples, how), given), options) };
  if (samples === undefined)
    throw new MoteError("ARGUMENT", "the net has real numbers; expected samples, some hundred will do");
  const { perSample, perStream } = samples;
  if (net.states.length > 0 && perStream === 1) how.note(ONE_STEP);
  const whole = Math.min(
    COMPARED_SAMPLES,
    samples.count / perSample,
    Math.floor(COMPARED_WORK / (multiplications(net) * perSample)),
  );
  const compared = whole * perSample;
  const all = samples.count + compared;
  const calibration = {
    range: how.range,
    perStream,
    ...(convolve === undefined ? {} : { convolve }),
    ...(how.bits === undefined ? {} : { bits: how.bits }),
    ...(how.activationBits === undefined ? {} : { activationBits: how.activationBits }),
  };
  const quantized = calibrate(net, allSamples(samples, net, how), calibration, (done) => report(done, all));
  const bytes = writeContainer(importedModel(quantized, given), options);
  if (compared === 0) {
    how.note("errors of layers are left out, since a sample takes too long; mote verify has them");
    return { bytes };
  }
  const engine = how.open(bytes);
  try {
    const comparison = await compareReals(
      arrange(net),
      tensorOrder(quantized).map((tensor) => quantized.tensors[tensor].quantization!),
      engine,
      { count: compared, perSample, perStream, sample: comparedSamples(samples, net, engine) },
      async (done) => {
        report(samples.count + done, all);
        await nextTurn();
      },
      convolve,
    );
    return {
      bytes,
      calibration: { ...comparison, samples: whole, perSample, activationBits: how.activationBits ?? 8 },
    };
  } finally {
    engine.close();
  }
}

const allSamples = (samples: NetSamples, net: ImportedNet, { given: { colours } }: ImportHow): Float32Array[][] => {
  const sample = realSamples(samples, net, colours && { colours });
  return Array.from({ length: samples.count }, (_, index) => sample(index));
};

/** A net that is quantized already, with fewer values for its weights where that is asked for. */
function coarser(net: ImportedNet, samples: NetSamples | undefined, how: ImportHow): ImportedNet {
  const { bits, convolve, report } = how;
  if (bits === undefined) return net;
  if (samples === undefined) return shareWeights(net, bits, () => undefined);
  const inputs = allSamples(samples, net, how);
  const seen = observe(realNet(net), inputs, samples, convolve, (done) => report(done, samples.count));
  return shareWeights(net, bits, (tensor) => seen[tensor].means());
}

/** For a sample. */
export function multiplications({ layers, tensors }: ImportedNet): number {
  return layers.reduce((sum, layer) => {
    if (!("weights" in layer)) return sum;
    const [, height, width] = tensors[layer.output].shape;
    return sum + layer.weights.rows * layer.weights.columns * height * width;
  }, 0);
}
