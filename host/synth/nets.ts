/** The nets that `mote synth` makes: shapes of the papers that propose them, densities and bits of those that prune them. */
import { MoteError } from "../errors.js";
import type { SynthConv, SynthLayer, SynthNet } from "./net.js";

const DEEP_COMPRESSION = "Deep Compression (Han et al. 2016)";

const MAX_POOL_2 = { op: "maxpool", kernel: 2, stride: 2 } as const;
const MAX_POOL_3 = { op: "maxpool", kernel: 3, stride: 2 } as const;

const LENET300: SynthNet = {
  name: "lenet300",
  title: "LeNet-300-100",
  source: "LeCun et al. 1998; densities and bits of Deep Compression, table 2",
  input: [1, 28, 28],
  pixels: "digit",
  layers: [
    { op: "dense", name: "ip1", outputs: 300, density: 0.08, bits: 6 },
    { op: "dense", name: "ip2", outputs: 100, density: 0.09, bits: 6 },
    { op: "dense", name: "ip3", outputs: 10, density: 0.26, bits: 6, relu: false },
  ],
  published: [{ by: DEEP_COMPRESSION, bytes: 27_000 }],
};

const LENET5: SynthNet = {
  name: "lenet5",
  title: "LeNet-5, as Caffe has it",
  source: "LeCun et al. 1998; densities and bits of Deep Compression, table 3",
  input: [1, 28, 28],
  pixels: "digit",
  layers: [
    { op: "conv2d", name: "conv1", channels: 20, kernel: 5, density: 0.66, bits: 8, relu: false },
    { name: "pool1", ...MAX_POOL_2 },
    { op: "conv2d", name: "conv2", channels: 50, kernel: 5, density: 0.12, bits: 8, relu: false },
    { name: "pool2", ...MAX_POOL_2 },
    { op: "dense", name: "ip1", outputs: 500, density: 0.08, bits: 5 },
    { op: "dense", name: "ip2", outputs: 10, density: 0.19, bits: 5, relu: false },
  ],
  published: [{ by: DEEP_COMPRESSION, bytes: 44_000 }],
};

const ALEXNET: SynthNet = {
  name: "alexnet",
  title: "AlexNet, as Caffe has it",
  source: "Krizhevsky et al. 2012; densities and bits of Deep Compression, table 4",
  input: [3, 227, 227],
  pixels: "photo",
  layers: [
    { op: "conv2d", name: "conv1", channels: 96, kernel: 11, stride: 4, density: 0.84, bits: 8 },
    { op: "lrn", name: "norm1", size: 5 },
    { name: "pool1", ...MAX_POOL_3 },
    { op: "conv2d", name: "conv2", channels: 256, kernel: 5, pad: 2, groups: 2, density: 0.38, bits: 8 },
    { op: "lrn", name: "norm2", size: 5 },
    { name: "pool2", ...MAX_POOL_3 },
    { op: "conv2d", name: "conv3", channels: 384, kernel: 3, pad: 1, density: 0.35, bits: 8 },
    { op: "conv2d", name: "conv4", channels: 384, kernel: 3, pad: 1, groups: 2, density: 0.37, bits: 8 },
    { op: "conv2d", name: "conv5", channels: 256, kernel: 3, pad: 1, groups: 2, density: 0.37, bits: 8 },
    { name: "pool5", ...MAX_POOL_3 },
    { op: "dense", name: "fc6", outputs: 4096, density: 0.09, bits: 5 },
    { op: "dense", name: "fc7", outputs: 4096, density: 0.09, bits: 5 },
    { op: "dense", name: "fc8", outputs: 1000, density: 0.25, bits: 5, relu: false },
  ],
  published: [{ by: DEEP_COMPRESSION, bytes: 6_900_000 }],
};

/** Name, channels and density of convolutions 3 × 3; null is a pool of 2 × 2. */
const VGG16_CONVOLUTIONS: readonly (readonly [string, number, number] | null)[] = [
  ["conv1_1", 64, 0.58],
  ["conv1_2", 64, 0.22],
  null,
  ["conv2_1", 128, 0.34],
  ["conv2_2", 128, 0.36],
  null,
  ["conv3_1", 256, 0.53],
  ["conv3_2", 256, 0.24],
  ["conv3_3", 256, 0.42],
  null,
  ["conv4_1", 512, 0.32],
  ["conv4_2", 512, 0.27],
  ["conv4_3", 512, 0.34],
  null,
  ["conv5_1", 512, 0.35],
  ["conv5_2", 512, 0.29],
  ["conv5_3", 512, 0.36],
  null,
];

const VGG16: SynthNet = {
  name: "vgg16",
  title: "VGG-16",
  source: "Simonyan and Zisserman 2015, table 1, D; densities and bits of Deep Compression, table 5",
  input: [3, 224, 224],
  pixels: "photo",
  layers: [
    ...VGG16_CONVOLUTIONS.map((layer, index): SynthLayer => {
      if (layer === null) return { name: `pool${index}`, ...MAX_POOL_2 };
      const [name, channels, density] = layer;
      return { op: "conv2d", name, channels, kernel: 3, pad: 1, density, bits: 8 };
    }),
    { op: "dense", name: "fc6", outputs: 4096, density: 0.04, bits: 5 },
    { op: "dense", name: "fc7", outputs: 4096, density: 0.04, bits: 5 },
    { op: "dense", name: "fc8", outputs: 1000, density: 0.23, bits: 5, relu: false },
  ],
  published: [
    { by: DEEP_COMPRESSION, bytes: 11_300_000 },
    { by: "DeepCABAC (Wiedemann et al. 2020)", bytes: 8_700_000 },
  ],
};

/** Channels of squeeze and of each expand, and densities of squeeze, expand 1 × 1 and 3 × 3; null is a pool of 3 × 3. */
const FIRES: readonly (readonly [number, number, number, number, number] | null)[] = [
  [16, 64, 1, 1, 0.33],
  [16, 64, 1, 1, 0.33],
  [32, 128, 1, 1, 0.33],
  null,
  [32, 128, 1, 1, 0.33],
  [48, 192, 1, 0.5, 0.33],
  [48, 192, 0.5, 1, 0.33],
  [64, 256, 1, 0.5, 0.3],
  null,
  [64, 256, 0.5, 1, 0.3],
];
const SQUEEZENET_BITS = 6;

function fireLayers(): SynthLayer[] {
  let fire = 1;
  return FIRES.flatMap((line): SynthLayer[] => {
    if (line === null) return [{ name: `pool${fire}`, ...MAX_POOL_3 }];
    const [squeezed, expanded, ofSqueeze, ofExpand1, ofExpand3] = line;
    const name = `fire${++fire}`;
    const conv = { op: "conv2d", bits: SQUEEZENET_BITS } as const;
    const from = [`${name}/squeeze1x1`];
    return [
      { ...conv, name: from[0], channels: squeezed, kernel: 1, density: ofSqueeze },
      { ...conv, name: `${name}/expand1x1`, from, channels: expanded, kernel: 1, density: ofExpand1 },
      { ...conv, name: `${name}/expand3x3`, from, channels: expanded, kernel: 3, pad: 1, density: ofExpand3 },
      { op: "concat", name: `${name}/concat`, from: [`${name}/expand1x1`, `${name}/expand3x3`] },
    ];
  });
}

const SQUEEZENET: SynthNet = {
  name: "squeezenet",
  title: "SqueezeNet 1.0",
  source: "Iandola et al. 2016, table 1, densities and bits too",
  input: [3, 227, 227],
  pixels: "photo",
  layers: [
    { op: "conv2d", name: "conv1", channels: 96, kernel: 7, stride: 2, density: 1, bits: SQUEEZENET_BITS },
    { name: "pool1", ...MAX_POOL_3 },
    ...fireLayers(),
    { op: "conv2d", name: "conv10", channels: 1000, kernel: 1, pad: 1, density: 0.2, bits: SQUEEZENET_BITS },
    { op: "avgpool", name: "pool10", kernel: 15, stride: 1 },
  ],
  published: [{ by: "Iandola et al. 2016, table 2", bytes: 470_000 }],
};

/** Convolutions are pruned alike but for the first (Gale et al. 2019, section 5: 76.5 % top-1 with a fifth of the weights, of 76.7 %). */
const RESNET50_DENSITY = 0.2;
/** Of residual blocks: how many, channels within, stride of the first. */
const STAGES = [
  [3, 64, 1],
  [4, 128, 2],
  [6, 256, 2],
  [3, 512, 2],
] as const;
const BOTTLENECK = 4;
const RESNET50_BITS = 6;

function residualLayers(): SynthLayer[] {
  let before = "pool1";
  return STAGES.flatMap(([blocks, channels, firstStride], stage) =>
    Array.from({ length: blocks }, (_, block): SynthLayer[] => {
      const name = `block${stage + 1}_${block + 1}`;
      const stride = block === 0 ? firstStride : 1;
      const conv = { op: "conv2d", density: RESNET50_DENSITY, bits: RESNET50_BITS } as const;
      const wide = channels * BOTTLENECK;
      const from = [before];
      const shortcut: SynthConv = {
        ...conv,
        name: `${name}/shortcut`,
        from,
        channels: wide,
        kernel: 1,
        stride,
        relu: false,
      };
      before = `${name}/add`;
      return [
        { ...conv, name: `${name}/conv1`, from, channels, kernel: 1 },
        { ...conv, name: `${name}/conv2`, channels, kernel: 3, stride, pad: 1 },
        { ...conv, name: `${name}/conv3`, channels: wide, kernel: 1, relu: false },
        ...(block === 0 ? [shortcut] : []),
        { op: "add", name: before, from: [`${name}/conv3`, block === 0 ? shortcut.name : from[0]] },
      ];
    }).flat(),
  );
}

const RESNET50: SynthNet = {
  name: "resnet50",
  title: "ResNet-50",
  source: "He et al. 2016, the stride in the 3 × 3; densities of Gale et al. 2019 at 80 %; bits as SqueezeNet has them",
  input: [3, 224, 224],
  pixels: "photo",
  layers: [
    { op: "conv2d", name: "conv1", channels: 64, kernel: 7, stride: 2, pad: 3, density: 1, bits: 8 },
    { name: "pool1", ...MAX_POOL_3, pad: 1 },
    ...residualLayers(),
    { op: "avgpool", name: "pool5", kernel: 7, stride: 1 },
    { op: "dense", name: "fc", outputs: 1000, density: RESNET50_DENSITY, bits: RESNET50_BITS, relu: false },
  ],
  published: [],
};

/** Channels behind the convolution 1 × 1, and the stride of the depthwise one before it. */
const SEPARABLE = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [1024, 2],
  [1024, 1],
] as const;

const MOBILENET_FIRST = 32;
/** Of the convolutions 1 × 1; the first layer and the depthwise ones are left dense. */
const MOBILENET_DENSITY = 0.5;

function separableLayers(): SynthLayer[] {
  let before = MOBILENET_FIRST;
  return SEPARABLE.flatMap(([channels, stride], index): SynthLayer[] => {
    const groups = before;
    before = channels;
    const [name, bits] = [`conv${index + 2}`, 8];
    return [
      { op: "conv2d", name: `${name}/dw`, channels: groups, groups, kernel: 3, pad: 1, stride, density: 1, bits },
      { op: "conv2d", name: `${name}/sep`, channels, kernel: 1, density: MOBILENET_DENSITY, bits },
    ];
  });
}

const MOBILENET: SynthNet = {
  name: "mobilenet",
  title: "MobileNet v1, 1.0, 224",
  source: "Howard et al. 2017; densities of Zhu and Gupta 2017, table 4, at 50 %; 8 bits",
  input: [3, 224, 224],
  pixels: "photo",
  layers: [
    { op: "conv2d", name: "conv1", channels: MOBILENET_FIRST, kernel: 3, stride: 2, pad: 1, density: 1, bits: 8 },
    ...separableLayers(),
    { op: "avgpool", name: "pool", kernel: 7, stride: 1 },
    { op: "dense", name: "fc", outputs: 1000, density: MOBILENET_DENSITY, bits: 8, relu: false },
  ],
  published: [],
};

export const SYNTH_NETS: readonly SynthNet[] = [LENET300, LENET5, ALEXNET, VGG16, SQUEEZENET, RESNET50, MOBILENET];

/** @throws MoteError ARGUMENT naming those there are */
export function synthNet(name: string): SynthNet {
  const found = SYNTH_NETS.find((net) => net.name === name);
  if (found !== undefined) return found;
  throw new MoteError("ARGUMENT", `no net ${name}; there are ${SYNTH_NETS.map((net) => net.name).join(", ")}`);
}
