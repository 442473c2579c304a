/** Files of a few bytes that ask for much at a stroke: each far larger in one direction than nets that are meant well. */
import type { Shape } from "../../host/model/model.js";
import { buildModel, type LayerSpec, type NamedModel } from "./models.js";

const equal = { weights: "single", density: 1 } as const;
const pixel = { op: "conv2d", kernel: [1, 1], out: 1, ...equal } as const;
const filter = { ...pixel, kernel: [255, 255] } as const;
const dense = { op: "dense", ...equal, out: 3 } as const;

const hostile: readonly (readonly [name: string, shape: Shape, ...specs: LayerSpec[]])[] = [
  ["a pool of 255 × 255 behind a convolution", [1, 255, 255], { ...pixel, pool: { size: 255, stride: 1 } }],
  ["a filter of 260,100 weights", [4, 255, 255], filter],
  ["narrow outputs of such filters", [1, 255, 257], { ...filter, out: 2 }],
  ["a max-pool of 255 × 255", [1, 256, 255], { op: "maxpool", kernel: 255, stride: 1 }],
  ["an average of 255 × 255", [2, 255, 255], { op: "avgpool", kernel: 255, stride: 255 }],
  ["a pool of lines of 65,535", [1, 3, 65535], { op: "maxpool", kernel: [2, 65535], stride: 1 }],
  ["an average of 300 × 400", [1, 300, 400], { op: "avgpool", kernel: [300, 400], stride: 1 }],
  ["rows and borders of 65,535", [1, 1, 65535], { ...pixel, kernel: [1, 31], pad: 15, stride: 255 }],
  ["a dense row of 65,535 weights and room for them", [1, 255, 257], filter, { ...dense, from: 0 }],
  ["rows of their own scales", [1, 1, 1], { ...dense, weights: "any", out: 3000, perChannel: true }],
  [
    "outputs without weights",
    [1, 40, 41],
    { ...pixel, density: 0, out: 9 },
    { ...pixel, density: 0, pool: { size: 3, stride: 1 } },
    { ...dense, density: 0, out: 50 },
  ],
  [
    "rows of one piece",
    [1, 1, 4],
    { ...pixel, density: 0, out: 300, perChannel: true },
    { ...dense, density: 0, out: 500, perChannel: true },
    { ...dense, weights: "any", out: 40, perChannel: true },
  ],
  ["255 tensors", [1, 1, 1], ...Array<LayerSpec>(254).fill({ op: "maxpool", kernel: 1, stride: 1 })],
  ["outputs one wide", [1, 300, 1], { ...pixel, out: 5 }, { op: "maxpool", kernel: 1, stride: 1 }],
];

export function hostileModels(): NamedModel[] {
  return hostile.map(([name, shape, ...specs]) => ({ name, model: buildModel(1, shape, specs) }));
}
