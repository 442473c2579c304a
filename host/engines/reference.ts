import { readContainer, type ReadOptions } from "../container/read.js";
import { MoteError } from "../errors.js";
import type { Elements } from "../model/elements.js";
import { modelInputs, outputsOf, statesOf } from "../model/edges.js";
import { freshStates, runLayers } from "./ops-i8.js";
import { endsOf } from "./ends.js";
import { checkInputs, checkResult, type Engine, type EngineOptions } from "./engine.js";

/**
 * The engine of plain loops, which the others must equal byte for byte. It unpacks all weights and keeps every tensor apart, so that it
 * does not share the core's ways of going wrong.
 * @param container a .mote file's bytes
 * @throws MoteError as `readContainer` does; MEMORY when the arena alone is above `memoryLimit`
 */
export function openReference(container: Uint8Array, options: EngineOptions & ReadOptions = {}): Engine {
  const { model, plan } = readContainer(container, options);
  if (options.memoryLimit !== undefined && plan.arena > options.memoryLimit) {
    throw new MoteError(
      "MEMORY",
      `reference: the arena takes ${plan.arena} bytes, the limit is ${options.memoryLimit}`,
    );
  }
  const { inputs, outputs } = endsOf(model.tensors, modelInputs(model), outputsOf(model), model);
  const states = freshStates(model);
  /** What the outputs of the latest run are. */
  let results: readonly Elements[] | undefined;
  return {
    name: "reference",
    inputs,
    outputs,
    input: inputs[0],
    output: outputs[0],
    hasStates: statesOf(model).length > 0,
    linearMemoryBytes: plan.arena,
    work: 0,
    // The whole file once, when it is opened; runs read nothing.
    bytesRead: container.length,
    run(input, visit) {
      // Copies: a state may keep an input for the next run.
      const given = checkInputs("reference", input, inputs).map((elements) => elements.slice());
      const tensors = runLayers(model, given, states, (layer, output) => visit?.(layer, output.slice()));
      results = outputsOf(model).map((tensor) => tensors.get(tensor)!);
      return results[0].slice();
    },
    result(index) {
      checkResult("reference", index, outputs, results !== undefined);
      return results![index].slice();
    },
    reset() {
      for (const [state, elements] of freshStates(model)) states.set(state, elements);
    },
    close() {},
  };
}
