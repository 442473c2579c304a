/** The memory plan: where the core keeps what it needs, worked out when packing and stored in the container (SPEC.md, "Memory plan"). */
import { PLAN_BASE, RECORD_BYTES, TENSOR_ENTRY_BYTES } from "../../assembly/abi.js";
import { MAX_TENSOR_BYTES, MIN_WINDOW_BYTES, NARROW_TENSOR_BYTES, PLAN_UNIT } from "../../assembly/format.js";
import type { CodedSize } from "../codecs/codec.js";
import { MoteError } from "../errors.js";
import { inputsOf, outputsOf } from "../model/edges.js";
import { tensorBytes } from "../model/geometry.js";
import type { QModel, QTensor } from "../model/model.js";
import { integerWeights, type QWeightedLayer } from "../ops/index.js";

/** Bytes of the six regions, each a multiple of 8, and the tensors' places in the arena. */
export interface Plan {
  readonly window: number;
  readonly tables: number;
  readonly columns: number;
  readonly channels: number;
  readonly records: number;
  readonly arena: number;
  /** Byte offset in the arena of each tensor's border. */
  readonly offsets: readonly number[];
}

export const REGIONS = ["window", "tables", "columns", "channels", "records", "arena"] as const;
export type Region = (typeof REGIONS)[number];

/** What one weighted layer asks of the regions, in bytes. */
export interface Requirement {
  readonly tables: number;
  readonly columns: number;
  readonly channels: number;
  /** The least it can run with: a whole row where the op needs one, else one unit. */
  readonly records: number;
}

/** A dense layer runs with any number of records; this many make the call of its kernel cheap beside its work. */
const DENSE_RECORDS = 64;

/** Window when none is asked for: each refill costs a call of the host, so a few hundred bytes. */
const DEFAULT_WINDOW = 256;

/**
 * @param coded what is known of the layer's weights once their coding is chosen
 * @param perChannel each row has a multiplier and shift of its own
 */
export function requirement(
  input: QTensor,
  layer: QWeightedLayer,
  rows: number,
  coded: CodedSize,
  perChannel: boolean,
): Requirement {
  return {
    tables: coded.tableBytes,
    columns: coded.liveColumns * (tensorBytes(input) <= NARROW_TENSOR_BYTES ? 2 : 4),
    channels: rows * (perChannel ? 12 : 4),
    records: integerWeights(layer).needsWholeRow ? coded.fullestRow * RECORD_BYTES : PLAN_UNIT,
  };
}

/**
 * Lays out linear memory for a model.
 * @param requirements one a layer, null for pools
 * @param windowBytes at least 128
 * @param usefulRecords one a layer: non-zero weights of its fullest row, so that small dense layers get no more than they fill
 * @throws MoteError MEMORY for a tensor above 2^24 bytes
 */
export function planMemory(
  model: QModel,
  requirements: readonly (Requirement | null)[],
  usefulRecords: readonly number[],
  windowBytes = DEFAULT_WINDOW,
): Plan {
  const most = (of: (requirement: Requirement, layer: number) => number): number =>
    roundUp(requirements.reduce((sum, r, layer) => (r === null ? sum : Math.max(sum, of(r, layer))), 0));
  const { offsets, bytes } = placeTensors(model);
  return {
    window: roundUp(Math.max(MIN_WINDOW_BYTES, windowBytes)),
    tables: most((r) => r.tables),
    columns: most((r) => r.columns),
    channels: most((r) => r.channels),
    records: Math.max(
      PLAN_UNIT,
      most((r, layer) => Math.max(r.records, Math.min(usefulRecords[layer], DENSE_RECORDS) * RECORD_BYTES)),
    ),
    arena: bytes,
    offsets,
  };
}

/** Bytes of linear memory that a plan takes, without a resident model. @param resident the window takes no room then */
export function planTotal(plan: Plan, resident = false): number {
  const regions = REGIONS.reduce((sum, name) => sum + (name === "window" && resident ? 0 : plan[name]), 0);
  return PLAN_BASE + TENSOR_ENTRY_BYTES * plan.offsets.length + regions;
}

/** First and last step of each tensor's life: -1 is the host writing the input, layers.length the host reading the output. */
export function tensorLives(model: QModel): { first: number; last: number }[] {
  const lives = model.tensors.map((_, index) => ({ first: index === 0 ? -1 : Infinity, last: -1 }));
  model.layers.forEach((layer, step) => {
    lives[layer.output].first = Math.min(lives[layer.output].first, step);
    lives[layer.output].last = Math.max(lives[layer.output].last, step);
    for (const input of inputsOf(layer)) lives[input].last = Math.max(lives[input].last, step);
  });
  for (const output of outputsOf(model)) lives[output].last = model.layers.length;
  return lives;
}

/**
 * Offsets such that tensors alive at the same time do not overlap: one after the other, each into the smallest gap that takes it.
 * Optimal placing is NP-hard; largest first is within a few per cent on chains, and the other orders now and then do better.
 */
function placeTensors(model: QModel): { offsets: number[]; bytes: number } {
  const lives = tensorLives(model);
  const sizes = model.tensors.map((tensor, index) => {
    const bytes = tensorBytes(tensor);
    if (bytes > MAX_TENSOR_BYTES) {
      throw new MoteError(
        "MEMORY",
        `tensor ${index}: ${bytes} bytes with its border, at most ${MAX_TENSOR_BYTES} are allowed`,
      );
    }
    return roundUp(bytes);
  });
  const all = sizes.map((_, index) => index);
  const orders = [
    all.toSorted((a, b) => sizes[b] - sizes[a] || a - b),
    all.toSorted((a, b) => lives[a].first - lives[b].first || a - b),
    all.toSorted(
      (a, b) => (lives[b].last - lives[b].first) * sizes[b] - (lives[a].last - lives[a].first) * sizes[a] || a - b,
    ),
  ];
  const placings = orders.map((order) => placeInOrder(order, sizes, lives));
  return placings.reduce((best, placing) => (placing.bytes < best.bytes ? placing : best));
}

function placeInOrder(
  order: readonly number[],
  sizes: readonly number[],
  lives: readonly { first: number; last: number }[],
): { offsets: number[]; bytes: number } {
  const offsets = sizes.map(() => 0);
  const placed: number[] = [];
  let bytes = 0;
  for (const index of order) {
    const beside = placed
      .filter((other) => lives[other].first <= lives[index].last && lives[index].first <= lives[other].last)
      .sort((a, b) => offsets[a] - offsets[b]);
    let end = 0;
    let place = -1;
    let room = Infinity;
    for (const other of beside) {
      const gap = offsets[other] - end;
      if (gap >= sizes[index] && gap < room) {
        place = end;
        room = gap;
      }
      end = Math.max(end, offsets[other] + sizes[other]);
    }
    offsets[index] = place < 0 ? end : place;
    bytes = Math.max(bytes, offsets[index] + sizes[index]);
    placed.push(index);
  }
  return { offsets, bytes };
}

/** The plan as lines for people: address, bytes and use of every byte, the arena tensor by tensor. */
export function describePlan(plan: Plan, model: QModel, resident = false): string[] {
  const uses: Record<Region, string> = {
    window: "window: a piece of the container",
    tables: "tables: the two Huffman decoding tables of a layer",
    columns: "columns: input offsets of the live columns",
    channels: "channels: bias (and multiplier and shift) of each row",
    records: "records: decoded weights of a row",
    arena: "arena: the tensors",
  };
  const lines = [
    "  address      bytes  use",
    planLine(0, PLAN_BASE, "control block and static data"),
    planLine(PLAN_BASE, TENSOR_ENTRY_BYTES * plan.offsets.length, `tensor table: ${plan.offsets.length} tensors`),
  ];
  let address = PLAN_BASE + TENSOR_ENTRY_BYTES * plan.offsets.length;
  for (const name of REGIONS) {
    if (name === "window" && resident) continue;
    lines.push(planLine(address, plan[name], uses[name]));
    if (name === "arena") {
      model.tensors.forEach((tensor, index) => {
        const border = tensor.border > 0 ? `, border ${tensor.border}` : "";
        lines.push(
          planLine(
            address + plan.offsets[index],
            tensorBytes(tensor),
            `  tensor ${index}: ${tensor.shape.join(" × ")}${border}`,
          ),
        );
      });
    }
    address += plan[name];
  }
  lines.push(`           ${String(address).padStart(9)}  in all${resident ? ", without the resident model" : ""}`);
  return lines;
}

/** A line of a memory plan: address, bytes, what is there. */
export function planLine(address: number, bytes: number, what: string): string {
  return `${String(address).padStart(9)}  ${String(bytes).padStart(9)}  ${what}`;
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / PLAN_UNIT) * PLAN_UNIT;
}
