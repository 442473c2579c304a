/** Speed of the training engine on nets that branch: ResNet-8 and MobileNet in the sizes of MLPerf Tiny, with their normalizations. */
import { sharedBytes, type Samples } from "../../host/data/samples.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { Graph, Layer, Shape } from "../../host/model/model.js";
import { nodeRuntime } from "../../host/node/train/runtime.js";
import { Random } from "../../host/rng.js";
import { Trainer } from "../../host/train/trainer.js";
import { atLeast, rounded, type BenchOptions, type Figure } from "./figure.js";

const SAMPLES = 256;
/** Steps before the clock starts: V8 has optimised the kernels by then. */
const WARM_UP_STEPS = 2;
const STEPS = 3;
const FULL_STEPS = 40;
const LEAST_GFLOPS = 8;

/** A convolution, a normalization and what follows it; the output has the name. */
function block(
  name: string,
  input: string,
  outChannels: number,
  { kernel = 3, stride = 1, groups = 1, relu = true } = {},
): Layer[] {
  const [convolved, normal] = [`${name}-conv`, relu ? `${name}-norm` : name];
  const pad = kernel >> 1;
  const window = { kernel: [kernel, kernel], stride, pad, groups } as const;
  return [
    { op: "conv2d", name: convolved, input, output: convolved, outChannels, ...window },
    { op: "batchnorm", name: normal, input: convolved, output: normal, epsilon: 1e-3 },
    ...(relu ? [{ op: "relu", name, input: normal, output: name } as const] : []),
  ];
}

const head = (input: string, size: number, outFeatures: number): Layer[] => [
  { op: "avgpool", name: "pool", input, output: "pool", kernel: size, stride: 1 },
  { op: "dense", name: "fc", input: "pool", output: "logits", outFeatures },
];

/** Two convolutions and a way around them. */
function residual(name: string, input: string, outChannels: number, stride: number): Layer[] {
  const around = stride === 1 ? input : `${name}-around`;
  return [
    ...block(`${name}-1`, input, outChannels, { stride }),
    ...block(`${name}-2`, `${name}-1`, outChannels, { relu: false }),
    ...(stride === 1 ? [] : block(around, input, outChannels, { kernel: 1, stride, relu: false })),
    { op: "add", name: `${name}-sum`, inputs: [`${name}-2`, around], output: `${name}-sum` },
    { op: "relu", name, input: `${name}-sum`, output: name },
  ];
}

/** 12.5 million multiplications a picture. */
export const resnet8: Graph = {
  name: "resnet-8",
  input: { name: "image", shape: [3, 32, 32] },
  layers: [
    ...block("stem", "image", 16),
    ...residual("a", "stem", 16, 1),
    ...residual("b", "a", 32, 2),
    ...residual("c", "b", 64, 2),
    ...head("c", 8, 10),
  ],
};

/** Channels and stride of each pair of a depthwise and a pointwise convolution: a quarter of MobileNet's channels. */
const MOBILENET: readonly (readonly [channels: number, stride: number])[] = [
  [16, 1],
  [32, 2],
  [32, 1],
  [64, 2],
  [64, 1],
  [128, 2],
  [128, 1],
  [128, 1],
  [128, 1],
  [128, 1],
  [128, 1],
  [256, 2],
  [256, 1],
];

/** 7.5 million multiplications a picture. */
export const mobilenet: Graph = {
  name: "mobilenet",
  input: { name: "image", shape: [3, 96, 96] },
  layers: [
    ...block("stem", "image", 8, { stride: 2 }),
    ...MOBILENET.flatMap(([channels, stride], i) => {
      const [input, inputs] = i === 0 ? ["stem", 8] : [`point${i - 1}`, MOBILENET[i - 1][0]];
      return [
        ...block(`depth${i}`, input, inputs, { stride, groups: inputs }),
        ...block(`point${i}`, `depth${i}`, channels, { kernel: 1 }),
      ];
    }),
    ...head(`point${MOBILENET.length - 1}`, 3, 2),
  ],
};

function noise(shape: Shape, classes: number): Samples {
  const random = new Random(5);
  const images = sharedBytes(SAMPLES * valuesOf(shape));
  for (let i = 0; i < images.length; i++) images[i] = random.nextU32() >>> 24;
  const labels = sharedBytes(SAMPLES).map(() => random.integer(classes));
  return { count: SAMPLES, images, labels };
}

/** Arithmetic of convolutions and dense layers in 10^9 a second and core; all else takes its time without counting. */
async function gflopsPerCore(graph: Graph, classes: number, { full, threads, note }: BenchOptions): Promise<number> {
  note(`${graph.name}, ${threads} threads`);
  const data = noise(graph.input.shape, classes);
  const trainer = await Trainer.create({ runtime: nodeRuntime, graph, seed: 1, threads });
  try {
    const job = { data, lr: () => 1e-3, weightDecay: 0 };
    await trainer.train({ ...job, steps: WARM_UP_STEPS, firstStep: 0 });
    const steps = full ? FULL_STEPS : STEPS;
    const start = performance.now();
    await trainer.train({ ...job, steps, firstStep: WARM_UP_STEPS });
    const seconds = (performance.now() - start) / 1000;
    return (trainer.stepFlops * steps) / seconds / 1e9 / trainer.threads;
  } finally {
    await trainer.close();
  }
}

/** Of group `compress`. */
export async function measureTrainingSpeed(options: BenchOptions): Promise<Figure[]> {
  const of = options.threads === 1 ? "1 thread" : `${options.threads} threads`;
  const resnet = rounded(await gflopsPerCore(resnet8, 10, options));
  const mobile = rounded(await gflopsPerCore(mobilenet, 2, options));
  const [id, unit] = ["compress.resnet.gflops", "GFLOP/s"];
  const name = `ResNet-8 in training, arithmetic a core, ${of}`;
  return [
    // The target is stated for 2 threads.
    options.threads === 2 ? atLeast(id, name, resnet, unit, LEAST_GFLOPS) : { id, name, value: resnet, unit },
    {
      id: "compress.mobilenet.gflops",
      name: `MobileNet, a quarter as wide, in training, arithmetic a core, ${of}`,
      value: mobile,
      unit,
    },
  ];
}
