/** VGG-16 of random numbers as an ONNX file of 553 MB, through `mote pack --calibrate` in a process of its own: time and peak memory. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { concatBytes } from "../../host/bytes.js";
import { MoteError } from "../../host/errors.js";
import { builtFile } from "../../host/node/paths.js";
import { synthNet } from "../../host/synth/nets.js";
import { atMost, rounded, type BenchOptions, type Figure } from "./figure.js";
import { floatGraph } from "./float-nets.js";
import { writeRandomNet } from "./onnx-file.js";

const SIZE = 224;
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
    writeRandomNet(model, floatGraph(synthNet("vgg16")));
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

/** An image of smooth colours, the mean taken off. */
function writeSample(path: string): void {
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, ${SIZE}, ${SIZE}), }`;
  const text = description.padEnd(128 - 10 - 1) + "\n";
  const front = [0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, text.length, 0, ...new TextEncoder().encode(text)];
  const values = Float32Array.from({ length: 3 * SIZE * SIZE }, (_, i) => 2 * Math.sin(i / 97) + Math.cos(i / 7001));
  writeFileSync(path, concatBytes([Uint8Array.from(front), new Uint8Array(values.buffer)]));
}
