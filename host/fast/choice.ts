/**
 * Which kernel runs each layer: the one that takes the fewest instructions, or the least of instructions and bytes at a price, of those that are worth
 * their code in this model.
 */
import {
  KIND_BITS,
  KIND_CONV_GAPS,
  KIND_CONV_QUADS,
  KIND_DENSE_ROWS,
  KIND_DENSE_VALUES,
  KIND_DEPTHWISE,
} from "../../assembly/fast/layout.js";
import type { LayerStream, LayerStreams } from "./rows.js";

/** About what a kernel takes in the module, in bytes, for those that a model may do without. */
const KERNEL_BYTES: ReadonlyMap<number, number> = new Map([
  [KIND_DEPTHWISE, 1200],
  [KIND_CONV_GAPS, 500],
  [KIND_CONV_QUADS, 1700],
  [KIND_DENSE_ROWS, 600],
  [KIND_DENSE_VALUES, 550],
  [KIND_BITS, 700],
]);
/** A kernel pays when a run without it takes so many times the instructions, or the stream as many more bytes as the kernel has. */
const WORTH = 1.25;

/**
 * @param layers of each the streams that it may have
 * @param price instructions of a run that a byte of the stream, or of code, is worth
 * @returns the one that each has
 */
export function chooseStreams(layers: readonly LayerStreams[], price = 0): LayerStream[] {
  const costOf = ({ instructions, bytes }: LayerStream): number => instructions + price * bytes.length;
  const kinds = new Set(KERNEL_BYTES.keys());
  const chosen = (without?: number): LayerStream[] =>
    layers.map((streams) =>
      streams
        .filter((stream) => stream !== undefined)
        .filter(({ kind }) => !KERNEL_BYTES.has(kind) || (kinds.has(kind) && kind !== without))
        .reduce((best, stream) => (costOf(stream) < costOf(best) ? stream : best)),
    );
  const pays = (kind: number): boolean => {
    const [all, others] = [chosen(), chosen(kind)];
    const bytes = KERNEL_BYTES.get(kind)!;
    return (
      (price > 0 && sum(others, costOf) >= sum(all, costOf) + price * bytes) ||
      sum(others, instructionsOf) >= WORTH * sum(all, instructionsOf) ||
      sum(others, bytesOf) >= sum(all, bytesOf) + bytes
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
