/** Which kernel runs each layer: the one that takes the fewest instructions, of those that are worth their code in this model. */
import { KIND_CONV_GAPS, KIND_CONV_QUADS, KIND_DENSE_ROWS, KIND_DEPTHWISE } from "../../assembly/fast/layout.js";
import type { LayerStream, LayerStreams } from "./rows.js";

/** About what a kernel takes in the module, in bytes, for those that a model may do without. */
const KERNEL_BYTES: ReadonlyMap<number, number> = new Map([
  [KIND_DEPTHWISE, 1200],
  [KIND_CONV_GAPS, 500],
  [KIND_CONV_QUADS, 1700],
  [KIND_DENSE_ROWS, 600],
]);
/** A kernel pays when a run without it takes so many times the instructions, or the stream as many more bytes as the kernel has. */
const WORTH = 1.25;

/** @param layers of each the streams that it may have @returns the one that it has */
export function chooseStreams(layers: readonly LayerStreams[]): LayerStream[] {
  const kinds = new Set(KERNEL_BYTES.keys());
  const chosen = (without?: number): LayerStream[] =>
    layers.map((streams) =>
      streams
        .filter((stream) => stream !== undefined)
        .filter(({ kind }) => !KERNEL_BYTES.has(kind) || (kinds.has(kind) && kind !== without))
        .reduce((best, stream) => (stream.instructions < best.instructions ? stream : best)),
    );
  const pays = (kind: number): boolean => {
    const [all, others] = [chosen(), chosen(kind)];
    return (
      sum(others, instructionsOf) >= WORTH * sum(all, instructionsOf) ||
      sum(others, bytesOf) >= sum(all, bytesOf) + KERNEL_BYTES.get(kind)!
    );
  };
  // One that does not pay may be worth it for layers that would have had another.
  for (const kind of KERNEL_BYTES.keys()) if (!pays(kind)) kinds.delete(kind);
  return chosen();
}

const instructionsOf = ({ instructions }: LayerStream): number => instructions;
const bytesOf = ({ bytes }: LayerStream): number => bytes.length;

const sum = (streams: readonly LayerStream[], of: (stream: LayerStream) => number): number =>
  streams.reduce((all, stream) => all + of(stream), 0);
