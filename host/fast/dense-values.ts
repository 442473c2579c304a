/** Dense layers by the values that the weights of a row share, in the manner of CER (Wiedemann et al. 2019): what the kernel's stream holds. */
import {
  GROUP_GAPS,
  GROUP_HEAD_BYTES,
  GROUP_OFFSET_BITS,
  KIND_DENSE_VALUES,
  LAYER_GROUP_BITS,
  ROW_BYTES,
} from "../../assembly/fast/layout.js";
import { concatBytes } from "../bytes.js";
import { inputOf } from "../model/edges.js";
import { offsetOf, pitchAndPlane } from "../model/geometry.js";
import type { QDense, QModel } from "../model/model.js";
import { valueInstructions } from "./cost.js";
import { rowHead } from "./fold.js";
import { eachRow, elementOffsets, foldRow, tapsOf, type LayerStream, type Taps } from "./rows.js";

const HEAD_BITS = 16;
const MOST_GAP = 255;

/** Bits that a group's number of gaps has: those that no offset needs. */
function groupBits(model: QModel, layer: QDense): number {
  const input = model.tensors[inputOf(layer)];
  const [channels, height, width] = input.shape;
  const last = offsetOf(pitchAndPlane(input), channels - 1, height - 1, width - 1);
  return HEAD_BITS - (32 - Math.clz32(last));
}

/** @returns undefined where elements are too far apart */
export function denseValuesStream(model: QModel, layer: QDense, where: string): LayerStream | undefined {
  const bits = groupBits(model, layer);
  if (bits < HEAD_BITS - GROUP_OFFSET_BITS) return undefined;
  const offsets = elementOffsets(model.tensors[inputOf(layer)]);
  const pieces: Uint8Array[] = [];
  let instructions = 0;
  eachRow(model, layer, (row, weights) => {
    const groups = groupsOf(tapsOf(weights, offsets), Math.min(GROUP_GAPS, 2 ** bits - 1));
    const bytes = concatBytes(groups.map((group) => groupBytes(group, bits)));
    const place = `${where}, row ${row}`;
    pieces.push(rowHead(foldRow(model, layer, row, weights, 0, place), bytes.length, place), bytes);
    instructions += valueInstructions(groups.length, bytes.length - groups.length * GROUP_HEAD_BYTES);
  });
  return {
    kind: KIND_DENSE_VALUES,
    bytes: concatBytes(pieces),
    isWide: false,
    windowBytes: ROW_BYTES,
    scratchBytes: 0,
    instructions,
  };
}

/** Words of the layer's entry. */
export function denseValuesWords(model: QModel, layer: QDense): [offset: number, value: number][] {
  return [[LAYER_GROUP_BITS, groupBits(model, layer)]];
}

interface ValueGroup {
  readonly value: number;
  /** Ascending, no two of them farther apart than a byte says. */
  readonly offsets: number[];
}

/** At least one. */
function groupsOf({ offsets, weights }: Taps, mostGaps: number): ValueGroup[] {
  const groups: ValueGroup[] = [];
  const open = new Map<number, ValueGroup>();
  for (let tap = 0; tap < weights.length; tap++) {
    const [value, offset] = [weights[tap], offsets[tap]];
    const group = open.get(value);
    if (group !== undefined && group.offsets.length <= mostGaps && offset - group.offsets.at(-1)! <= MOST_GAP) {
      group.offsets.push(offset);
      continue;
    }
    const next = { value, offsets: [offset] };
    open.set(value, next);
    groups.push(next);
  }
  return groups.length > 0 ? groups : [{ value: 0, offsets: [0] }];
}

function groupBytes({ value, offsets }: ValueGroup, bits: number): Uint8Array {
  const bytes = new Uint8Array(GROUP_HEAD_BYTES + offsets.length - 1);
  const head = (offsets[0] << bits) | (offsets.length - 1);
  bytes.set([value, head, head >> 8]);
  for (let at = 1; at < offsets.length; at++) bytes[GROUP_HEAD_BYTES + at - 1] = offsets[at] - offsets[at - 1];
  return bytes;
}
