/** Entries of the layer table for what goes by lines: in front of each layer, and of the input, and behind the last (SPEC.md, "The fast module"). */
import * as layout from "../../assembly/fast/layout.js";
import { inputsOf } from "../model/edges.js";
import { pitchAndPlane } from "../model/geometry.js";
import { storedZero } from "./fold.js";
import { linesBefore, windowDown } from "./lines.js";
import type { Entry } from "./entry.js";
import { layerWindow } from "./ops.js";
import type { PlannedModel, Turns } from "./planned.js";

/**
 * @param firstElement of each tensor, of one that keeps lines in the first of them
 * @param begin where the layer's stream begins
 */
export function lineEntry(
  model: PlannedModel,
  index: number,
  kind: number,
  firstElement: readonly number[],
  begin: number,
): Entry {
  const layer = model.layers[index];
  const output = model.tensors[layer.output];
  const { kept: _, ...rate } = output.turn!;
  const { count, above } = rate;
  const { stride, pad } = windowDown(layer);
  const left = kind === layout.KIND_DEPTHWISE ? 0 : layerWindow(layer).pad[1];
  /** Where the first turn looks in an input, and how much further each turn. */
  const source = (tensor: number): readonly [begin: number, step: number] => {
    const { turn, lines, ...input } = model.tensors[tensor];
    const across = pitchAndPlane(input).pitch;
    const line =
      lines === undefined
        ? -stride * above - pad
        : turn!.kept! - linesBefore(turn!, turn!.above, rate, above, stride, pad);
    return [firstElement[tensor] + line * across - left, lines === undefined ? count * stride * across : 0];
  };
  const [input, other] = inputsOf(layer);
  const [sourcePtr, sourceStep] = source(input);
  const [otherPtr, otherStep] = other === undefined ? [0, 0] : source(other);
  return new Map([
    ...roomWords(model, layer.output, firstElement),
    [layout.LINES_SOURCE, sourcePtr],
    [layout.LINES_SOURCE_STEP, sourceStep],
    [layout.LINES_SOURCE_PITCH, stride * pitchAndPlane(model.tensors[input]).pitch],
    [layout.LINES_OTHER, otherPtr],
    [layout.LINES_OTHER_STEP, otherStep],
    [layout.LINES_HEIGHT, output.shape[1] + index * 2 ** 16],
    [layout.LINES_STREAM, begin],
  ]);
}

/** In front of the entry of a model's input that comes by lines. */
export function inputLineEntry(model: PlannedModel, input: number, firstElement: readonly number[]): Entry {
  return new Map([
    ...roomWords(model, input, firstElement),
    [layout.LINES_HEIGHT, model.tensors[input].shape[1]],
    [layout.LINES_STREAM, 0],
  ]);
}

/** Where the lines of a tensor that is made, or comes, by lines go, and which stay. */
function roomWords(model: PlannedModel, tensor: number, firstElement: readonly number[]): [number, number][] {
  const { shape, border, turn, ...other } = model.tensors[tensor];
  const { pitch, plane } = pitchAndPlane({ shape, border, ...other });
  const { count, above, shift, kept } = turn!;
  const first = firstElement[tensor];
  const words: [number, number][] = [
    [layout.LAYER_KIND, layout.KIND_LINES],
    [layout.LINES_COUNT, count + above * 2 ** 8 + storedZero(model, tensor) * 2 ** 16 + shift * 2 ** 24],
  ];
  if (kept === undefined) {
    return [
      ...words,
      [layout.LAYER_ROWS, 1],
      [layout.LINES_TARGET, first - above * pitch],
      [layout.LINES_TARGET_STEP, count * pitch],
    ];
  }
  return [
    ...words,
    [layout.LAYER_ROWS, shape[0]],
    [layout.LAYER_OUTPUT, first - border],
    [layout.LAYER_OUTPUT_PLANE, plane],
    [layout.LINES_TARGET, first + kept * pitch],
    [layout.LINES_KEPT, kept * pitch],
    [layout.LINES_NEW, count * pitch],
  ];
}

/**
 * @param back address of the first layer's KIND_LINES
 * @param end where the last layer's stream ends
 */
export function turnEntry({ last, count }: Turns, back: number, end: number): Entry {
  return new Map([
    [layout.LAYER_KIND, layout.KIND_TURN],
    [layout.LAYER_ROWS, 1],
    [layout.TURN_COUNT, count],
    [layout.TURN_BACK, back],
    [layout.LINES_HEIGHT, (last + 1) * 2 ** 16],
    [layout.LINES_STREAM, end],
  ]);
}

/** What stands in a layer's entry in a turn, and the channels of which bytes are moved and filled before it, and how many. */
export interface TurnOfLayer {
  readonly entry: Entry;
  /** Lines that it makes: none where it has nothing to do. */
  readonly height: number;
  readonly rows: number;
  readonly moved: number;
  readonly filled: number;
}

/** What the module's KIND_LINES does: for adding up its work. */
export function turnOfLayer(lines: Entry, entry: Entry, turn: number): TurnOfLayer {
  const word = (offset: number): number => lines.get(offset) ?? 0;
  const [count, above] = [word(layout.LINES_COUNT) & 0xff, (word(layout.LINES_COUNT) >>> 8) & 0xff];
  const shift = word(layout.LINES_COUNT) >>> 24;
  if ((turn + 1) % 2 ** shift !== 0) return { entry, height: 0, moved: 0, filled: 0, rows: 1 };
  const passed = Math.floor(turn / 2 ** shift);
  const first = passed * count - above;
  const end = Math.min(first + count, word(layout.LINES_HEIGHT) % 2 ** 16);
  const height = Math.max(0, end - Math.max(first, 0));
  const [kept, added] = [word(layout.LINES_KEPT), word(layout.LINES_NEW)];
  const valid = Math.max(0, end - first) * entry.get(layout.LAYER_OUTPUT_PITCH)!;
  const isDepthwise = entry.get(layout.LAYER_KIND) === layout.KIND_DEPTHWISE;
  const depthLines = entry.get(layout.LAYER_DEPTH_LINES)!;
  return {
    entry: new Map([
      ...entry,
      [layout.LAYER_OUTPUT_HEIGHT, height],
      ...(isDepthwise
        ? ([[layout.LAYER_DEPTH_LINES, depthLines - (depthLines % 2 ** 16) + Math.ceil(height / 2)]] as const)
        : []),
    ]),
    height,
    moved: passed === 0 ? 0 : kept,
    filled: added === 0 ? 0 : passed === 0 ? kept + added : added - valid,
    rows: word(layout.LAYER_ROWS),
  };
}
