/** What it takes to train and compress nets other than our own. */
import { measureTrainingSpeed } from "./compress-speed.js";
import type { Group } from "./figure.js";

export const compressGroup: Group = {
  name: "compress",
  summary: "GFLOP/s a core in training ResNet-8 and MobileNet",
  measure: measureTrainingSpeed,
};
