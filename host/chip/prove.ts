/**
 * Proof of a net's memory: a run in which places hold not elements but what they are meant for, so that each place that a layer reads, border
 * included, is seen to hold it whatever was written in between. It knows nothing of how tensors were placed.
 */
import { partsOf } from "../container/plan.js";
import { MoteError } from "../errors.js";
import { givenTensors, inputsOf, outputsOf } from "../model/edges.js";
import type { QModel } from "../model/model.js";
import { integerOp } from "../ops/index.js";
import type { ChipMemory } from "./memory.js";

const NOTHING = -1;

/**
 * Of layers by rows only that their windows and taps stand apart: which rows windows hold is not followed.
 * @param tapBytes one a layer: what it writes at memory's begin
 * @throws MoteError MISMATCH for a tensor of which a place is beyond memory, or holds something else when it is read
 */
export function proveMemory(model: QModel, memory: ChipMemory, tapBytes: readonly number[]): void {
  const { layers } = model;
  const parts = partsOf(model);
  const held = new Int32Array(memory.bytes).fill(NOTHING);
  // A number for each place of each tensor. Those of a part are its whole's.
  let places = 0;
  const firsts = memory.tensors.map(({ bytes }) => (places += bytes) - bytes);
  const firstOf = (tensor: number): number => {
    const part = parts.get(tensor);
    return part === undefined ? firsts[tensor] : firsts[part.whole] + part.offset;
  };
  const write = (tensor: number): void => {
    const { begin, bytes } = memory.tensors[tensor];
    for (let at = 0; at < bytes; at++) held[begin + at] = firstOf(tensor) + at;
  };
  const expectHeld = (tensor: number, when: string): void => {
    const { begin, bytes } = memory.tensors[tensor];
    for (let at = 0; at < bytes; at++) {
      if (held[begin + at] === firstOf(tensor) + at) continue;
      throw new MoteError(
        "MISMATCH",
        `${when}: byte ${begin + at} of the net's memory does not hold byte ${at} of tensor ${tensor}, as expected`,
      );
    }
  };
  const given = [...model.tensors.keys()].slice(0, Math.max(givenTensors(model), memory.chain.length + 1));
  for (const tensor of given) write(tensor);
  held.fill(NOTHING, 0, Math.max(0, ...tapBytes.slice(0, memory.chain.length)));
  for (const tensor of given) expectHeld(tensor, "before the first layer");
  layers.forEach((layer, index) => {
    if (index < memory.chain.length) return;
    if (!integerOp(layer).isInPlace) {
      write(layer.output);
      held.fill(NOTHING, 0, tapBytes[index]);
    }
    for (const tensor of [...inputsOf(layer), layer.output]) expectHeld(tensor, `layer ${index} (${layer.op})`);
  });
  const ends = [
    ...outputsOf(model),
    ...model.tensors.flatMap(({ source }, tensor) => (source === undefined ? [] : [tensor, source])),
  ];
  for (const tensor of ends) expectHeld(tensor, "after the last layer");
}
