/** A model as a fast module has it in linear memory: what its tensors are there, beside what they are in the container. */
import type { QModel, QTensor } from "../model/model.js";

/** A tensor of a fast module. */
export interface PlannedTensor extends QTensor {
  /** Of the output of a layer that goes by lines, or of an input that comes by lines. */
  readonly turn?: TurnLines;
  /** Lines that it keeps at a time, where they are not all. */
  readonly lines?: number;
  /** Whether any kernel looks at the border. */
  readonly isBorderRead?: boolean;
  /** Of an output that is written over the input: the kernel must have read a channel before it writes it. */
  readonly isOverInput?: boolean;
}

export interface PlannedModel extends QModel {
  readonly tensors: readonly PlannedTensor[];
}

/** Of a tensor that is made, or comes, by lines: lines of a turn, and how far above the tensor the first turn begins. */
export interface TurnLines {
  readonly count: number;
  readonly above: number;
  /** It has every turn, every second, every fourth … for 0, 1, 2 …. */
  readonly shift: number;
  /** Lines that stay for the next turn, of an output that is never there as a whole. */
  readonly kept?: number;
}

/** Layers from the first to the last go by turns, so many in all. */
export interface Turns {
  readonly first: number;
  readonly last: number;
  readonly count: number;
  /** The model's input, where it comes by lines: a turn begins with some of them. */
  readonly comes?: number;
}

/** Lines of an output that its kernel makes at a time. */
export const linesAtOnce = ({ shape, turn }: PlannedTensor): number => Math.min(shape[1], turn?.count ?? shape[1]);
