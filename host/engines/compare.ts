/** Parity is equality: whether engines give the same bytes, layer by layer, and if not, where they first differ. */
import type { Elements } from "../model/elements.js";
import type { Engine, EngineName } from "./engine.js";

/** The first element that is not the same in all engines. */
export interface Difference {
  readonly layer: number;
  /** Index into the layer's output, [C, H, W]. */
  readonly element: number;
  /** By engine, in the order given; undefined where an engine has no such layer or element. */
  readonly values: readonly (readonly [EngineName, number | undefined])[];
}

/**
 * Runs every engine on one input and compares the outputs of all layers.
 * @param engines at least one, each with the same model open
 * @param input elements of the input, [C, H, W], or of all inputs
 * @returns undefined when all are equal
 * @throws MoteError ENGINE when an engine fails
 */
export function firstDifference(
  engines: readonly Engine[],
  input: Elements | readonly Elements[],
): Difference | undefined {
  const outputs = engines.map((engine) => {
    const layers: Elements[] = [];
    const result = engine.run(input, (layer, output) => (layers[layer] = output));
    return [...layers, result]; // the result once more: it is read out on another path
  });
  const layerCount = Math.max(...outputs.map((layers) => layers.length));
  for (let layer = 0; layer < layerCount; layer++) {
    const element = firstUnequal(outputs.map((layers) => layers[layer]));
    if (element === undefined) continue;
    const values = engines.map(({ name }, i) => [name, outputs[i][layer]?.[element]] as const);
    return { layer: Math.min(layer, layerCount - 2), element, values };
  }
  return undefined;
}

function firstUnequal(arrays: readonly (Elements | undefined)[]): number | undefined {
  const length = Math.max(...arrays.map((array) => array?.length ?? 0));
  const [first, ...others] = arrays;
  for (let i = 0; i < length; i++) {
    if (others.some((other) => other?.[i] !== first?.[i])) return i;
  }
  return undefined;
}

/** One line: where, and the value in each engine. @param step of an input of several */
export function describeDifference(difference: Difference, input: number, step?: number): string {
  const values = difference.values.map(([name, value]) => `${name} ${value ?? "nothing"}`).join(", ");
  return `input ${input}${step === undefined ? "" : `, step ${step}`}, layer ${difference.layer}, element ${difference.element}: ${values}`;
}
