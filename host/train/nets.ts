/** The two reference nets of the pruning literature, as graphs. */
import { MoteError } from "../errors.js";
import type { Graph } from "../model/model.js";

/** LeNet-300-100: 784-300-100-10 with relu, 266,610 parameters. */
export const lenet300: Graph = {
  name: "lenet300",
  input: { name: "image", shape: [1, 28, 28] },
  layers: [
    { op: "dense", name: "fc1", input: "image", output: "fc1", outFeatures: 300 },
    { op: "relu", name: "relu1", input: "fc1", output: "relu1" },
    { op: "dense", name: "fc2", input: "relu1", output: "fc2", outFeatures: 100 },
    { op: "relu", name: "relu2", input: "fc2", output: "relu2" },
    { op: "dense", name: "fc3", input: "relu2", output: "logits", outFeatures: 10 },
  ],
};

/** Caffe's LeNet-5, 20-50-500-10: 431,080 parameters. It has no relu after the convolutions. */
export const lenet5: Graph = {
  name: "lenet5",
  input: { name: "image", shape: [1, 28, 28] },
  layers: [
    {
      op: "conv2d",
      name: "conv1",
      input: "image",
      output: "conv1",
      outChannels: 20,
      kernel: [5, 5],
      stride: 1,
      pad: 0,
      groups: 1,
    },
    { op: "maxpool", name: "pool1", input: "conv1", output: "pool1", kernel: 2, stride: 2 },
    {
      op: "conv2d",
      name: "conv2",
      input: "pool1",
      output: "conv2",
      outChannels: 50,
      kernel: [5, 5],
      stride: 1,
      pad: 0,
      groups: 1,
    },
    { op: "maxpool", name: "pool2", input: "conv2", output: "pool2", kernel: 2, stride: 2 },
    { op: "dense", name: "fc1", input: "pool2", output: "fc1", outFeatures: 500 },
    { op: "relu", name: "relu1", input: "fc1", output: "relu1" },
    { op: "dense", name: "fc2", input: "relu1", output: "logits", outFeatures: 10 },
  ],
};

const NETS: readonly Graph[] = [lenet5, lenet300];

export const isNamedNet = (name: string): boolean => NETS.some((net) => net.name === name);

/** @throws MoteError ARGUMENT for a name that is not one of ours */
export function namedNet(name: string): Graph {
  const found = NETS.find((net) => net.name === name);
  if (found !== undefined) return found;
  throw new MoteError("ARGUMENT", `no net named ${JSON.stringify(name)}; there are lenet5 and lenet300`);
}
