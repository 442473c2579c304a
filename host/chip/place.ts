/** Where a layer finds its tensors. Elements are bytes: the int8 and 128. */
import type { Axes, Shape } from "../model/model.js";
import type { Argument } from "./c-code.js";

export interface Place {
  readonly shape: Shape;
  /** Of the first element, from the begin of memory; an expression where it moves as rows come. */
  readonly at: Argument;
  readonly pitch: number;
  readonly plane: number;
  /** The byte that stands for 0. */
  readonly zero: number;
}

export interface Places {
  readonly inputs: readonly Place[];
  readonly output: Place;
  /** Rows of the output that are made at a call: all, or 1. */
  readonly rows: number;
}

/** What the first windows look at, from the begin of memory. */
export const windowsAt = ({ at, pitch }: Place, [top, left]: Axes): number => (at as number) - top * pitch - left;
