/** The memory plan: where the core keeps what it needs, worked out when packing and stored in the container (SPEC.md, "Memory plan"). */
import { PLAN_BASE, RECORD_BYTES, TENSOR_ENTRY_BYTES } from "../../assembly/abi.js";
import { MAX_TENSOR_BYTES, MIN_WINDOW_BYTES, NARROW_TENSOR_BYTES, PLAN_UNIT } from "../../assembly/format.js";
import type { CodedSize } from "../codecs/codec.js";
import { MoteError } from "../errors.js";
import { givenTensors, inputOf, inputsOf, outputsOf } from "../model/edges.js";
import { tensorBytes } from "../model/geometry.js";
import type { QModel, QTensor } from "../model/model.js";
import { integerOp, integerWeights, isWeighted, rowCount, type QWeightedLayer } from "../ops/index.js";

/** Bytes of the three regions, each a multiple of 8, and the tensors' places in the arena, multiples of 8 but for parts of others. */
export interface Plan {
  readonly window: number;
  /** What a layer's weights are decoded with: each lays it out anew. */
  readonly scratch: number;
  readonly arena: number;
  /** Byte offset in the arena of each tensor's border. */
  readonly offsets: readonly number[];
}

export const REGIONS = ["window", "scratch", "arena"] as const;
export type Region = (typeof REGIONS)[number];

/** What a weighted layer asks of the scratch region, in bytes, one part behind the other, each rounded up to 8. */
export interface Requirement {
  /** Bias, and multiplier and shift, of each row. */
  readonly channels: number;
  /** Input offsets of the live columns. */
  readonly columns: number;
  /** What the codec decodes by. */
  readonly tables: number;
  /** Decoded weights. The least the layer can run with: a whole row where the op needs one, else one unit. */
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
    channels: rows * (perChannel ? 12 : 4),
    columns: coded.liveColumns * (tensorBytes(input) <= NARROW_TENSOR_BYTES ? 2 : 4),
    tables: coded.tableBytes,
    records: Math.max(PLAN_UNIT, integerWeights(layer).needsWholeRow ? coded.fullestRow * RECORD_BYTES : 0),
  };
}

export const SCRATCH_PARTS = ["channels", "columns", "tables", "records"] as const;

/** Bytes of the scratch region that a layer needs. */
export function scratchBytes(needed: Requirement): number {
  return SCRATCH_PARTS.reduce((sum, part) => sum + roundUp(needed[part]), 0);
}

/** What a layer asks for that is to have the records that it makes use of. @param useful non-zero weights of its fullest row */
function granted(needed: Requirement, useful: number): Requirement {
  return { ...needed, records: Math.max(needed.records, Math.min(useful, DENSE_RECORDS) * RECORD_BYTES) };
}

/**
 * Lays out linear memory for a model.
 * @param requirements one a layer, null for those without weights
 * @param usefulRecords one a layer: non-zero weights of its fullest row, so that small dense layers get no more than they fill
 * @param windowBytes at least 128
 * @throws MoteError MEMORY for a tensor above 2^24 bytes
 */
export function planMemory(
  model: QModel,
  requirements: readonly (Requirement | null)[],
  usefulRecords: readonly number[],
  windowBytes = DEFAULT_WINDOW,
): Plan {
  const { offsets, bytes } = placeTensors(model, tensorLives(model));
  const wanted = requirements.map((r, layer) =>
    r === null ? (integerOp(model.layers[layer]).scratchBytes ?? 0) : scratchBytes(granted(r, usefulRecords[layer])),
  );
  return {
    window: roundUp(Math.max(MIN_WINDOW_BYTES, windowBytes)),
    scratch: wanted.reduce((most, layer) => Math.max(most, layer), 0),
    arena: bytes,
    offsets,
  };
}

/** Bytes of linear memory that a plan takes, without a resident model. @param resident the window takes no room then */
export function planTotal(plan: Plan, resident = false): number {
  const regions = REGIONS.reduce((sum, name) => sum + (name === "window" && resident ? 0 : plan[name]), 0);
  return PLAN_BASE + TENSOR_ENTRY_BYTES * plan.offsets.length + regions;
}

/** First and last step that a tensor is in use at. */
export interface Life {
  first: number;
  last: number;
}

/**
 * First and last step of each tensor's life: -1 is before a run, layers.length the host reading an output and a state taking over its source's
 * elements. A state lives always.
 */
export function tensorLives(model: QModel): Life[] {
  const { tensors, layers } = model;
  const given = givenTensors(model);
  const lives = tensors.map(({ source }, index) => ({
    first: index < given ? -1 : Infinity,
    last: source === undefined ? -1 : layers.length,
  }));
  layers.forEach(({ output, ...layer }, step) => {
    lives[output].first = Math.min(lives[output].first, step);
    lives[output].last = Math.max(lives[output].last, step);
    for (const input of inputsOf(layer)) lives[input].last = Math.max(lives[input].last, step);
  });
  for (const output of outputsOf(model)) lives[output].last = layers.length;
  for (const { source } of tensors) if (source !== undefined) lives[source].last = layers.length;
  return lives;
}

/** Where a tensor is a part of another one: that tensor, itself a part of none, and the bytes from its begin. */
interface PartOf {
  readonly whole: number;
  readonly offset: number;
}

/** Inputs of layers that work in place are parts of the outputs, whose parts they remain when those are parts themselves. */
export function partsOf(model: QModel): Map<number, PartOf> {
  const direct = new Map<number, PartOf>();
  model.layers.forEach((layer, index) => {
    if (!integerOp(layer).isInPlace) return;
    let offset = 0;
    for (const input of inputsOf(layer)) {
      const isState = model.tensors[input].source !== undefined;
      if (direct.has(input) || isState) {
        const problem = isState ? "is a state" : "is a part of another tensor already";
        throw new MoteError(
          "UNSUPPORTED",
          `layer ${index} (${layer.op}): its input, tensor ${input}, ${problem}; expected a copy`,
        );
      }
      direct.set(input, { whole: layer.output, offset });
      offset += tensorBytes(model.tensors[input]);
    }
  });
  const resolve = (part: PartOf): PartOf => {
    const above = direct.get(part.whole);
    return above === undefined ? part : resolve({ whole: above.whole, offset: part.offset + above.offset });
  };
  return new Map([...direct].map(([tensor, part]) => [tensor, resolve(part)]));
}

/** Tensors that begin at one place, though they may be in use at the same time: whoever says so knows that it does no harm. */
type Together = readonly number[];

/**
 * Offsets such that tensors alive at the same time do not overlap: one after the other, each into the smallest gap that takes it.
 * Optimal placing is NP-hard; largest first is within a few per cent on chains, and the other orders now and then do better.
 * @param together no tensor in two of them, and none that is a part or has parts
 * @param reserved bytes at the beginning that a layer needs for itself, by its step
 * @throws MoteError MEMORY for a tensor above 2^24 bytes
 */
export function placeTensors(
  model: QModel,
  tensors: readonly Life[],
  together: readonly Together[] = [],
  reserved: readonly number[] = [],
): { offsets: number[]; bytes: number } {
  const parts = partsOf(model);
  const lives = tensors.map((life) => ({ ...life }));
  for (const [part, { whole }] of parts) {
    lives[whole].first = Math.min(lives[whole].first, lives[part].first);
    lives[whole].last = Math.max(lives[whole].last, lives[part].last);
  }
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
  const joined = new Set(together.flat());
  const others = sizes.map((_, index) => index).filter((index) => !parts.has(index) && !joined.has(index));
  const units = [...others.map((index) => [index]), ...together].toSorted((a, b) => a[0] - b[0]);
  const first = (unit: Together): number => Math.min(...unit.map((index) => lives[index].first));
  const size = (unit: Together): number => Math.max(...unit.map((index) => sizes[index]));
  const area = (unit: Together): number =>
    unit.reduce((sum, index) => sum + (lives[index].last - lives[index].first) * sizes[index], 0);
  const orders = [
    units.toSorted((a, b) => size(b) - size(a)),
    units.toSorted((a, b) => first(a) - first(b)),
    units.toSorted((a, b) => area(b) - area(a)),
  ];
  const kept = reserved.map(roundUp);
  const placings = orders.map((order) => placeInOrder(order, sizes, lives, kept));
  const { offsets, bytes } = placings.reduce((best, placing) => (placing.bytes < best.bytes ? placing : best));
  for (const [part, { whole, offset }] of parts) offsets[part] = offsets[whole] + offset;
  return { offsets, bytes };
}

function placeInOrder(
  order: readonly Together[],
  sizes: readonly number[],
  lives: readonly Life[],
  reserved: readonly number[],
): { offsets: number[]; bytes: number } {
  const offsets = sizes.map(() => 0);
  const placed: number[] = [];
  let bytes = Math.max(0, ...reserved);
  for (const unit of order) {
    // Where the unit may not begin, because of what is placed: from behind the first offset to before the second.
    const taken = unit
      .flatMap((index) =>
        placed
          .filter((other) => lives[other].first <= lives[index].last && lives[index].first <= lives[other].last)
          .map((other) => [offsets[other] - sizes[index], offsets[other] + sizes[other]] as const)
          .concat([[-sizes[index], reservedIn(lives[index], reserved)]]),
      )
      .sort((a, b) => a[0] - b[0]);
    let end = 0;
    let place = -1;
    let room = Infinity;
    for (const [from, to] of taken) {
      if (from >= end && from - end < room) {
        place = end;
        room = from - end;
      }
      end = Math.max(end, to);
    }
    for (const index of unit) {
      offsets[index] = place < 0 ? end : place;
      bytes = Math.max(bytes, offsets[index] + sizes[index]);
    }
    placed.push(...unit);
  }
  return { offsets, bytes };
}

/**
 * Offsets that a small container states in few bits, in the same arena: tensors begin where it begins, or end where it ends, where they can.
 * Those that are parts of others, or have parts, stay where they are.
 */
export function toArenaEnds(model: QModel, { arena, offsets }: Plan): number[] {
  const lives = tensorLives(model);
  const parts = partsOf(model);
  const fixed = new Set([...parts].flatMap(([part, { whole }]) => [part, whole]));
  const sizes = model.tensors.map(tensorBytes);
  const places = [...offsets];
  const isFree = (tensor: number, from: number): boolean =>
    sizes.every(
      (size, other) =>
        other === tensor ||
        lives[other].first > lives[tensor].last ||
        lives[tensor].first > lives[other].last ||
        places[other] >= from + sizes[tensor] ||
        from >= places[other] + size,
    );
  sizes.forEach((size, tensor) => {
    if (fixed.has(tensor)) return;
    const place = [0, arena - size].find((from) => isFree(tensor, from));
    if (place !== undefined) places[tensor] = place;
  });
  return places;
}

/** The most bytes that a layer needs for itself while a tensor is in use. */
const reservedIn = ({ first, last }: Life, reserved: readonly number[]): number =>
  Math.max(0, ...reserved.slice(Math.max(0, first), last + 1));

/** A container that has been read, as far as its memory is concerned. */
export interface Planned {
  readonly plan: Plan;
  readonly model: QModel;
  readonly layers: readonly { readonly section?: CodedSize & { readonly perChannel: boolean } }[];
}

/** How the layer that decides the size of the scratch region divides it. */
export interface ScratchUse {
  readonly layer: number;
  /** Bytes, each a multiple of 8; in all those of the region. */
  readonly parts: Requirement;
}

/** @returns undefined for a model without weights */
export function scratchUse({ plan, model, layers }: Planned): ScratchUse | undefined {
  let most: { layer: number; needed: Requirement } | undefined;
  model.layers.forEach((layer, index) => {
    const { section } = layers[index];
    if (section === undefined || !isWeighted(layer)) return;
    const input = model.tensors[inputOf(layer)];
    const least = requirement(input, layer, rowCount(model, layer), section, section.perChannel);
    const needed = granted(least, section.fullestRow);
    if (most === undefined || scratchBytes(needed) > scratchBytes(most.needed)) most = { layer: index, needed };
  });
  if (most === undefined) return undefined;
  const [channels, columns, tables] = SCRATCH_PARTS.map((part) => roundUp(most!.needed[part]));
  const records = plan.scratch - channels - columns - tables;
  return { layer: most.layer, parts: { channels, columns, tables, records } };
}

/** The plan as lines for people: address, bytes and use of every byte; scratch part by part, the arena tensor by tensor. */
export function describePlan(container: Planned, resident = false): string[] {
  const { plan, model } = container;
  const uses: Record<Region, string> = {
    window: "window: a piece of the container",
    scratch: "scratch: what a layer's weights are decoded with",
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
    if (name === "scratch") lines.push(...scratchLines(address, container));
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

/** Of the layer that needs the most. */
function scratchLines(address: number, container: Planned): string[] {
  const use = scratchUse(container);
  if (use === undefined) return [];
  const uses: Record<(typeof SCRATCH_PARTS)[number], string> = {
    channels: "what is known of each row",
    columns: "input offsets of the live columns",
    tables: "decoding tables",
    records: "decoded weights of a row",
  };
  let at = address;
  return SCRATCH_PARTS.flatMap((part) => {
    const bytes = use.parts[part];
    const line = planLine(at, bytes, `  layer ${use.layer}, ${part}: ${uses[part]}`);
    at += bytes;
    return bytes === 0 ? [] : line;
  });
}

/** A line of a memory plan: address, bytes, what is there. */
export function planLine(address: number, bytes: number, what: string): string {
  return `${String(address).padStart(9)}  ${String(bytes).padStart(9)}  ${what}`;
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / PLAN_UNIT) * PLAN_UNIT;
}
