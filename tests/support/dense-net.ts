import { NO_CLAMP, type ImportedNet } from "../../host/import/net.js";

/** A net of one dense layer of real numbers. @param values of its weights, row by row @param bias one a row */
export function denseNet(values: Float32Array, bias: Float32Array): ImportedNet {
  const rows = bias.length;
  const columns = values.length / rows;
  return {
    tensors: [
      { name: "x", shape: [columns, 1, 1] },
      { name: "y", shape: [rows, 1, 1] },
    ],
    layers: [
      { op: "dense", name: "fc", inputs: [0], output: 1, clamp: NO_CLAMP, weights: { rows, columns, values, bias } },
    ],
    inputs: [{ tensor: 0, name: "x", dims: [1, columns], order: "chw", bias: 0 }],
    outputs: [{ tensor: 1, name: "y", dims: [1, rows], order: "chw", bias: 0 }],
    states: [],
    isQuantized: false,
    notes: [],
  };
}
