import { readContainer, type ReadOptions } from "../container/read.js";
import { MoteError } from "../errors.js";
import { inputsOf, outputOf } from "../model/edges.js";
import type { QTensor } from "../model/model.js";
import { runLayer } from "./ops-i8.js";
import { checkInput, type Engine, type EngineOptions, type TensorInfo } from "./engine.js";

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
  const inputTensor = model.tensors[0];
  const outputTensor = model.tensors[outputOf(model)];
  return {
    name: "reference",
    input: tensorInfo(inputTensor),
    output: tensorInfo(outputTensor),
    labels: model.labels,
    linearMemoryBytes: plan.arena,
    work: 0,
    // The whole file once, when it is opened; runs read nothing.
    bytesRead: container.length,
    run(input, visit) {
      checkInput("reference", input, inputTensor.shape);
      const tensors = new Map([[0, input]]);
      let output = input;
      model.layers.forEach((layer, index) => {
        output = runLayer(
          model,
          layer,
          inputsOf(layer).map((tensor) => tensors.get(tensor)!),
        );
        tensors.set(layer.output, output);
        visit?.(index, output.slice());
      });
      return output;
    },
    close() {},
  };
}

function tensorInfo(tensor: QTensor): TensorInfo {
  return { shape: tensor.shape, scale: tensor.scale, zeroPoint: tensor.zeroPoint };
}
