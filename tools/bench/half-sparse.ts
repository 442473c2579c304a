/** A convolution 1 × 1 with a quarter and with half of its weights left, ahead of time on a Cortex-M4, beside the same layer dense by CMSIS-NN. */
import { writeContainer } from "../../host/container/write.js";
import type { QModel } from "../../host/model/model.js";
import { NO_POOL } from "../../host/ops/op.js";
import { randomRuns } from "../../host/node/data/runs.js";
import { BOARDS } from "../../host/node/firmware/boards.js";
import { firmwareInputs, inputSizes } from "../../host/node/firmware/inputs.js";
import { measure } from "../../host/node/firmware/measure.js";
import { Random } from "../../host/rng.js";
import { atMost, rounded, type Figure } from "./figure.js";
import { besides } from "./rivals.js";

const CHANNELS = 128;
const SIDE = 8;
const SEED = 1;
/** The figure's id, the share of weights that are left, and what it may take of the dense layer's instructions. */
const SHARES = [
  ["kernels.half.25", 0.25, 0.45],
  ["kernels.half.50", 0.5, 0.75],
] as const;

/** The dense layer in bench/rivals.json. */
const DENSE = "kernels.half.dense";

/** Any int8 weights. */
function pointwise(density: number): QModel {
  const random = new Random(SEED);
  const weights = new Int8Array(CHANNELS * CHANNELS);
  for (let i = 0; i < weights.length; i++) if (random.uniform() < density) weights[i] = random.integer(255) - 127;
  const plane = {
    shape: [CHANNELS, SIDE, SIDE],
    nominalChannels: CHANNELS,
    border: 0,
    scale: 0.1,
    zeroPoint: 0,
  } as const;
  return {
    tensors: [plane, plane],
    layers: [
      {
        op: "conv2d",
        inputs: [0],
        output: 1,
        kernel: [1, 1],
        stride: [1, 1],
        pad: [0, 0],
        groups: 1,
        pool: NO_POOL,
        weights,
        bias: new Int32Array(CHANNELS),
        multiplier: Int32Array.of(2 ** 30),
        shift: Uint8Array.of(40),
        clamp: [-128, 127],
      },
    ],
    outputs: [1],
  };
}

export async function halfSparseFigures(note: (text: string) => void): Promise<Figure[]> {
  const board = BOARDS.find(({ name }) => name === "netduinoplus2")!;
  const dense = besides(DENSE)["CMSIS-NN"];
  const figures: Figure[] = [];
  for (const [id, density, most] of SHARES) {
    const percent = 100 * density;
    note(`a convolution 1 × 1 with ${percent} % of its weights`);
    const model = { name: `pointwise-${percent}`, container: writeContainer(pointwise(density)) };
    const inputs = firmwareInputs(inputSizes(model.container), randomRuns(1, SEED), 1);
    const { instructionsPerLayer } = await measure({ board, engine: "aot", optimize: "speed", model }, inputs);
    const name = `convolution 1 × 1, ${CHANNELS} to ${CHANNELS} channels, ${percent} % of its weights: instructions, of those of the dense one by CMSIS-NN`;
    figures.push(atMost(id, name, rounded(instructionsPerLayer[0] / dense), "", most));
  }
  return figures;
}
