/** How long each layer takes on the SIMD engine, and how many instructions on a board, dense and pruned side by side. */
import { CONTROL_LAYERS_DONE } from "../../assembly/abi.js";
import { readContainer } from "../container/read.js";
import type { CoreInstance } from "../engines/driver.js";
import type { Engine } from "../engines/engine.js";
import { readWord } from "../engines/linear-tensor.js";
import { openSimd } from "../engines/simd.js";
import type { Instantiate } from "../engines/wasm.js";
import { MoteError } from "../errors.js";
import { plansFast } from "../fast/plan.js";
import type { QModel } from "../model/model.js";
import { Random } from "../rng.js";
import { valuesOf } from "../model/geometry.js";
import type { LayerSpeed } from "./parts/speed.js";

export interface SpeedOptions {
  readonly instantiate: Instantiate;
  /** The bytes of simd.wasm, where the machine has SIMD128. */
  readonly simd: Uint8Array | undefined;
  /** Milliseconds that the two nets are run for together. */
  readonly duration: number;
  /** Of the layers of the integer model. */
  readonly names: readonly string[];
}

/**
 * @param dense a container with all weights @param pruned of the same net
 * @throws MoteError MISMATCH where the nets have not the same layers
 */
export function layerSpeeds(dense: Uint8Array, pruned: Uint8Array, options: SpeedOptions): LayerSpeed[] {
  const models = [dense, pruned].map((container) => readContainer(container).model);
  const ops = models.map(({ layers }) => layers.map(({ op }) => op).join());
  if (ops[0] !== ops[1]) throw new MoteError("MISMATCH", "the dense net and the compressed one have other layers");
  const [denseCost, prunedCost] = models.map(instructionsOf);
  const times = options.simd === undefined ? undefined : timesOf([dense, pruned], options.simd, options);
  return options.names.map((layer, index) => ({
    layer,
    simd: times === undefined ? null : { dense: times[0][index], pruned: times[1][index] },
    board: { dense: denseCost[index], pruned: prunedCost[index] },
  }));
}

/** Of a Cortex-M4 ahead of time, by the packer's cost model, with the kernels that the packer chooses. */
export function instructionsOf(model: QModel): number[] {
  const [plan] = plansFast(model);
  return plan.streams.map(({ instructions }) => instructions);
}

/** The least microseconds of each layer over many runs, the containers by turns. */
function timesOf(
  containers: readonly Uint8Array[],
  simd: Uint8Array,
  { instantiate, duration }: SpeedOptions,
): Float64Array[] {
  const timed = containers.map((container) => timedEngine(container, simd, instantiate));
  try {
    const random = new Random(1);
    const input = Int8Array.from({ length: valuesOf(timed[0].engine.input.shape) }, () => random.integer(256) - 128);
    for (const end = performance.now() + duration; performance.now() < end;) {
      for (const { engine, begin, end: take } of timed) {
        begin();
        engine.run(input);
        take();
      }
    }
    return timed.map(({ least }) => least);
  } finally {
    for (const { engine } of timed) engine.close();
  }
}

interface TimedEngine {
  readonly engine: Engine;
  /** Microseconds of each layer. */
  readonly least: Float64Array;
  readonly begin: () => void;
  readonly end: () => void;
}

/** An engine whose steps are timed: each ends with a layer at the latest, so that what is read and written between them does not count. */
function timedEngine(container: Uint8Array, simd: Uint8Array, instantiate: Instantiate): TimedEngine {
  const outline = readContainer(container, { outline: true });
  const layers = outline.model.layers.length;
  const times = new Float64Array(layers);
  const timedInstantiate: Instantiate = (...given) => {
    const instance = instantiate(...given);
    const layersDone = (): number => readWord(instance.read(CONTROL_LAYERS_DONE, 4), 0);
    const timed: CoreInstance = {
      open: (bytes) => instance.open(bytes),
      start: () => instance.start(),
      step: (budget) => {
        const layer = layersDone();
        const began = performance.now();
        const status = instance.step(budget);
        if (layer < layers) times[layer] += 1000 * (performance.now() - began);
        return status;
      },
      reset: () => instance.reset(),
      read: (address, length) => instance.read(address, length),
      write: (address, bytes) => instance.write(address, bytes),
      close: () => instance.close(),
    };
    return timed;
  };
  const engine = openSimd(timedInstantiate, { ...outline, wasm: simd, container, packed: false });
  const least = new Float64Array(layers).fill(Infinity);
  return {
    engine,
    least,
    begin: () => times.fill(0),
    end: () => times.forEach((time, layer) => (least[layer] = Math.min(least[layer], time))),
  };
}
