/** VGG-16 of random numbers as an ONNX file of 553 MB, through `mote pack --calibrate` in a process of its own: time and peak memory. */
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { concatBytes } from "../../host/bytes.js";
import { MoteError } from "../../host/errors.js";
import { leb128 } from "../../host/module/leb128.js";
import { builtFile } from "../../host/node/paths.js";
import { Random } from "../../host/rng.js";
import { atMost, rounded, type BenchOptions, type Figure } from "./figure.js";

const SIZE = 224;
/** Output channels of the convolutions, 3 × 3 each; "pool" is one of 2 × 2 (Simonyan and Zisserman 2015, table 1, D). */
const CONVOLUTIONS = [
  64,
  64,
  "pool",
  128,
  128,
  "pool",
  256,
  256,
  256,
  "pool",
  512,
  512,
  512,
  "pool",
  512,
  512,
  512,
  "pool",
] as const;
const DENSE = [4096, 4096, 1000];

/** Numbers that weights are taken from, from a random one on: drawing each would take longer than all the rest. */
const POOL = 1 << 20;
/** More than the time of a process of V8 that is done is not waited for. */
const TIMEOUT_MS = 600_000;

/** Prints what the process took when it ends: the peak of the parent is not among it, as it is in a child's resourceUsage on Linux. */
const REPORT =
  'import{readFileSync as r}from"node:fs";process.on("exit",()=>{let k=process.resourceUsage().maxRSS;' +
  'try{k=+/^VmHWM:\\s+(\\d+)/m.exec(r("/proc/self/status","utf8"))[1]}catch{}' +
  'process.stderr.write("\\npeak "+k+" cpu "+process.cpuUsage().user+"\\n")})';

export async function vggFigures({ note }: BenchOptions): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "mote-vgg-"));
  try {
    note("a synthetic VGG-16, 138 million weights");
    const [model, samples, out] = ["vgg16.onnx", "samples.npy", "vgg16.mote"].map((name) => join(folder, name));
    writeVgg(model);
    writeSample(samples);
    const began = performance.now();
    const { peakKilobytes, cpuSeconds } = await pack([model, "--calibrate", samples, "-o", out]);
    const seconds = (performance.now() - began) / 1000;
    const megabytes = Math.round(statSync(model).size / 1e6);
    return [
      atMost(
        "zoo.vgg16.seconds",
        `import and pack of a float ONNX file of ${megabytes} MB (VGG-16), time, of that ${rounded(cpuSeconds)} s of one core`,
        rounded(seconds),
        "s",
        15,
      ),
      atMost("zoo.vgg16.mib", "the same, peak memory", Math.round(peakKilobytes / 1024), "MiB", 700),
      { id: "zoo.vgg16.bytes", name: "the same, container", value: statSync(out).size, unit: "B" },
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function pack(flags: readonly string[]): Promise<{ peakKilobytes: number; cpuSeconds: number }> {
  const report = `data:text/javascript,${encodeURIComponent(REPORT)}`;
  const child = spawn(process.execPath, ["--import", report, builtFile("tools/mote.mjs"), "pack", ...flags], {
    env: { ...process.env, MOTE_SKIP_BUILD: "1" },
    stdio: ["ignore", "ignore", "pipe"],
    timeout: TIMEOUT_MS,
  });
  let text = "";
  child.stderr.on("data", (data: Buffer) => (text += data.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      const [, peak, cpu] = /peak (\d+) cpu (\d+)/.exec(text) ?? [];
      if (code === 0 && peak !== undefined) resolve({ peakKilobytes: Number(peak), cpuSeconds: Number(cpu) / 1e6 });
      else reject(new MoteError("ENGINE", `mote pack of VGG-16 ended with ${code}: ${text.slice(-300)}`));
    });
  });
}

/** A field of bytes, its length in front. */
const field = (number: number, ...parts: readonly (readonly number[] | string)[]): number[] => {
  const bytes = parts.flatMap((part) => (typeof part === "string" ? [...new TextEncoder().encode(part)] : part));
  return [...head(number, bytes.length), ...bytes];
};
const head = (number: number, length: number): number[] => [...leb128(number * 8 + 2), ...leb128(length)];
const integer = (number: number, value: number): number[] => [...leb128(number * 8), ...leb128(value)];

interface Weights {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Piece by piece, as nothing holds the whole. */
function writeVgg(path: string): void {
  const { nodes, weights, output } = vgg();
  const initializers = weights.map(({ name, shape }) => {
    const bytes = 4 * shape.reduce((product, size) => product * size, 1);
    const front = [
      ...shape.flatMap((size) => integer(1, size)),
      ...integer(2, 1),
      ...field(8, name),
      ...head(9, bytes),
    ];
    return { bytes, shape, front: [...head(5, front.length + bytes), ...front] };
  });
  const edge = (number: number, name: string, shape: readonly number[]): number[] =>
    field(
      number,
      field(1, name),
      field(2, field(1, integer(1, 1), field(2, ...shape.map((size) => field(1, integer(1, size)))))),
    );
  const ends = [edge(11, "image", [1, 3, SIZE, SIZE]), edge(12, output, [1, DENSE[DENSE.length - 1]])];
  const graph = [...field(2, "vgg16"), ...nodes, ...ends].flat();
  const graphBytes = initializers.reduce((sum, { front, bytes }) => sum + front.length + bytes, graph.length);
  const file = openSync(path, "w");
  try {
    const version = [...integer(1, 8), ...field(8, integer(2, 13))];
    writeSync(file, Uint8Array.from([...version, ...head(7, graphBytes), ...graph]));
    const random = new Random(16);
    const pool = Float32Array.from({ length: 2 * POOL }, () => random.normal());
    for (const { front, bytes, shape } of initializers) {
      writeSync(file, Uint8Array.from(front));
      // He et al. 2015: what comes out is as large as what goes in.
      const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
      const deviation = shape.length === 1 ? 0.01 : Math.sqrt(2 / fanIn);
      for (let left = bytes / 4; left > 0; left -= POOL) {
        const from = random.integer(POOL);
        const piece = pool.slice(from, from + Math.min(left, POOL)).map((value) => value * deviation);
        writeSync(file, new Uint8Array(piece.buffer));
      }
    }
  } finally {
    closeSync(file);
  }
}

function vgg(): { nodes: number[][]; weights: Weights[]; output: string } {
  const nodes: number[][] = [];
  const weights: Weights[] = [];
  let input = "image";
  const add = (op: string, inputs: readonly string[], ...attributes: number[][]): void => {
    const output = `${op}-${nodes.length}`;
    nodes.push(
      field(
        1,
        ...[input, ...inputs].map((name) => field(1, name)),
        field(2, output),
        field(3, output),
        field(4, op),
        ...attributes,
      ),
    );
    input = output;
  };
  const weighted = (op: string, shape: readonly number[], ...attributes: number[][]): void => {
    const name = `${op}-${nodes.length}`;
    weights.push({ name: `${name}.weight`, shape }, { name: `${name}.bias`, shape: [shape[0]] });
    add(op, [`${name}.weight`, `${name}.bias`], ...attributes);
  };
  const numbers = (name: string, values: readonly number[]): number[] =>
    field(5, field(1, name), ...values.map((value) => integer(8, value)), integer(20, 7));
  let channels = 3;
  let size = SIZE;
  for (const layer of CONVOLUTIONS) {
    if (layer === "pool") {
      add("MaxPool", [], numbers("kernel_shape", [2, 2]), numbers("strides", [2, 2]));
      size /= 2;
      continue;
    }
    weighted("Conv", [layer, channels, 3, 3], numbers("kernel_shape", [3, 3]), numbers("pads", [1, 1, 1, 1]));
    add("Relu", []);
    channels = layer;
  }
  add("Flatten", []);
  let features = channels * size * size;
  DENSE.forEach((outputs, index) => {
    weighted("Gemm", [outputs, features], field(5, field(1, "transB"), integer(3, 1), integer(20, 2)));
    if (index < DENSE.length - 1) add("Relu", []);
    features = outputs;
  });
  return { nodes, weights, output: input };
}

/** An image of smooth colours, the mean taken off. */
function writeSample(path: string): void {
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, ${SIZE}, ${SIZE}), }`;
  const text = description.padEnd(128 - 10 - 1) + "\n";
  const front = [0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, text.length, 0, ...new TextEncoder().encode(text)];
  const values = Float32Array.from({ length: 3 * SIZE * SIZE }, (_, i) => 2 * Math.sin(i / 97) + Math.cos(i / 7001));
  writeFileSync(path, concatBytes([Uint8Array.from(front), new Uint8Array(values.buffer)]));
}
