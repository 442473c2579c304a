/** Nets of real numbers quantized here by calibration, beside themselves on test samples. */
import { writeContainer } from "../../host/container/write.js";
import { classifyAll } from "../../host/engines/classify.js";
import { fastestEngine } from "../../host/engines/open.js";
import { calibrate } from "../../host/import/calibrate.js";
import { importedModel } from "../../host/import/import.js";
import { realSamples, samplesFor } from "../../host/import/net-samples.js";
import type { ElementBits } from "../../host/model/elements.js";
import { loadData } from "../../host/node/data/load.js";
import { openEngine } from "../../host/node/engines/open.js";
import { nodeConvolve } from "../../host/node/import/convolve.js";
import { floatEvaluator } from "../evaluate-float.js";
import { lowered } from "./zoo-nets.js";

export interface CalibratedNet {
  readonly container: Uint8Array;
  /** Test samples that are wrong as integers, and as real numbers. */
  readonly errors: number;
  readonly realErrors: number;
  /** Test samples that get the same class from both. */
  readonly agreeing: number;
  /** Of so many. */
  readonly count: number;
}

/** Samples by which a net is calibrated and those on which it is tested, with labels, as `loadData` has them. */
export interface CalibrationData {
  readonly samples: string;
  readonly test: string;
}

/**
 * As `mote pack --calibrate` makes it.
 * @param path of the net, which has one input
 * @param activationBits of an element of every tensor
 */
export async function calibratedNet(
  path: string,
  data: CalibrationData,
  activationBits: ElementBits = 8,
): Promise<CalibratedNet> {
  const net = lowered(path);
  const { shape } = net.tensors[net.inputs[0].tensor];
  const runs = samplesFor(net, [loadData(data.samples, { shape })]);
  const sample = realSamples(runs, net, undefined);
  const samples = Array.from({ length: runs.count }, (_, run) => sample(run));
  const how = { range: "all", perStream: runs.perStream, activationBits, convolve: nodeConvolve() } as const;
  const container = writeContainer(importedModel(calibrate(net, samples, how)));
  const engine = openEngine(fastestEngine(container), container);
  try {
    const test = loadData(data.test, { shape });
    const real = floatEvaluator(path, undefined, engine, { ...test, labels: test.labels! }, 1);
    const { errors } = await classifyAll(engine, test, { onResult: real.add });
    const { errors: realErrors, agreeing } = real.result();
    return { container, errors: errors!, realErrors, agreeing, count: test.count };
  } finally {
    engine.close();
  }
}
