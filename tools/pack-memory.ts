/** What a packed model takes of linear memory, part by part: for `mote pack`, and where it refuses by `--sram`. */
import { MODEL_SLACK_BYTES } from "../assembly/abi.js";
import { planTotal, REGIONS, SCRATCH_PARTS, scratchUse } from "../host/container/plan.js";
import type { Container } from "../host/container/read.js";
import { withMetadata } from "../host/container/write.js";
import type { FastProgram } from "../host/fast/memory.js";
import { tensorBytes } from "../host/model/geometry.js";
import type { QModel } from "../host/model/model.js";

export interface MemoryPart {
  readonly name: string;
  readonly bytes: number;
  readonly detail?: string;
}

/** @param resident a .wasm: the model is in its memory, and no window; the others read it from outside */
export function memoryParts(bytes: Uint8Array, container: Container, resident: boolean): MemoryPart[] {
  const { plan, model } = container;
  const residentBytes = withMetadata(bytes, container, new Uint8Array(0)).length;
  const regions = REGIONS.filter((name) => !(resident && name === "window"));
  const regionBytes = REGIONS.reduce((sum, name) => sum + plan[name], 0);
  return [
    { name: "control block and tensor table", bytes: planTotal(plan) - regionBytes },
    ...regions.map((name) => {
      if (name === "arena") return arenaPart(model, plan.arena);
      return name === "scratch" ? scratchPart(container) : { name, bytes: plan[name] };
    }),
    ...(resident ? [{ name: "model", bytes: residentBytes + MODEL_SLACK_BYTES }] : []),
  ];
}

export function fastMemoryParts({ model, memory }: FastProgram): MemoryPart[] {
  const { windowPtr, windowBytes, arenaPtr, bytes } = memory;
  return [
    { name: "control block and tables of tensors and layers", bytes: windowPtr },
    { name: "window", bytes: windowBytes },
    arenaPart(model, bytes - arenaPtr),
  ];
}

function arenaPart({ tensors }: QModel, bytes: number): MemoryPart {
  return { name: "arena", bytes, detail: ` (tensors of ${tensors.map(tensorBytes).join(", ")})` };
}

/** With what the layer that decides its size has there. */
function scratchPart(container: Container): MemoryPart {
  const part = { name: "scratch", bytes: container.plan.scratch };
  const use = scratchUse(container);
  if (use === undefined) return part;
  const parts = SCRATCH_PARTS.map((name) => ({ name, bytes: use.parts[name] })).filter(({ bytes }) => bytes > 0);
  return { ...part, detail: ` (layer ${use.layer}: ${breakdown(parts)})` };
}

/** "arena 3680 (tensors of 784, 2880, …), scratch 2000 (layer 2: records 1200, …), …": the largest first. */
export function breakdown(parts: readonly MemoryPart[]): string {
  return parts
    .toSorted((a, b) => b.bytes - a.bytes)
    .map(({ name, bytes, detail = "" }) => `${name} ${bytes}${detail}`)
    .join(", ");
}
