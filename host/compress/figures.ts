/** What a packed model takes: its bytes, its memory, and the instructions of an inference, all by the packer's own plan and counts. */
import { readContainer } from "../container/read.js";
import { planTotal } from "../container/plan.js";
import { writeContainer } from "../container/write.js";
import { MoteError } from "../errors.js";
import { fastProgram } from "../fast/memory.js";
import { tensorShapes } from "../model/shapes.js";
import type { Net } from "../model/model.js";
import { quantize } from "../quantize/quantize.js";

export interface Figures {
  /** Of the container. */
  readonly bytes: number;
  /** Linear memory of a run, as `mote inspect` has it. */
  readonly ram: number;
  /** Of a Cortex-M4, by the kernels of a fast module; Infinity for a model that none can be made of. */
  readonly instructions: number;
}

export function figuresOf(container: Uint8Array): Figures {
  const parsed = readContainer(container);
  return { bytes: container.length, ram: planTotal(parsed.plan), instructions: instructionsOf(parsed) };
}

function instructionsOf(container: ReturnType<typeof readContainer>): number {
  try {
    return fastProgram(container).choices.reduce((sum, { chosen }) => sum + chosen.instructions, 0);
  } catch (error) {
    if (error instanceof MoteError && (error.code === "UNSUPPORTED" || error.code === "MEMORY")) return Infinity;
    throw error;
  }
}

/** Scale of activations that nobody has looked at: of weights on their integers, only sums need one that fits. */
const ANY_SCALE = { scale: 1 / 32, zeroPoint: 0 };

/**
 * The container of a net that has integers but no activations yet: its size and plan are about what it will have.
 * @param net whose weights have `integers`
 * @param weightScale of each layer
 */
export function draftContainer(net: Net, weightScale: Readonly<Record<string, number>>, biasBits: number): Uint8Array {
  const shapes = tensorShapes(net.graph);
  const names = [...shapes.keys()];
  const compression = {
    nominalChannels: Object.fromEntries([...shapes].map(([name, [channels]]) => [name, channels])),
    weightScale,
    activations: Object.fromEntries(names.map((name) => [name, ANY_SCALE])),
    biasBits: Object.fromEntries(Object.keys(weightScale).map((name) => [name, biasBits])),
  };
  return writeContainer(quantize({ ...net, compression }));
}
