/** From dropped files to a model and what is shown of it: the worker's work, which Node can do as well. */
import { readContainer, type Container } from "../../host/container/read.js";
import { writeContainer } from "../../host/container/write.js";
import { extensionOf, stemOf } from "../../host/data/file-name.js";
import { instantiateV8 } from "../../host/engines/v8.js";
import { openCore } from "../../host/engines/wasm.js";
import { MoteError } from "../../host/errors.js";
import { isFastModule } from "../../host/fast/parts.js";
import type { Convolve } from "../../host/import/float-run.js";
import type { ImportedGraph } from "../../host/import/graph.js";
import { lowerGraph } from "../../host/import/import.js";
import { importedContainer } from "../../host/import/imported-container.js";
import type { ImportedNet } from "../../host/import/net.js";
import { readGraph } from "../../host/import/read-graph.js";
import { inferShapes } from "../../host/import/shapes.js";
import { bakedContainer } from "../../host/module/baked.js";
import { quantize } from "../../host/quantize/quantize.js";
import { refusals, reportGraph } from "../../host/report/graph.js";
import { decodeCheckpoint } from "../../host/train/checkpoint.js";
import { factsOf } from "./facts.js";
import { filePicture } from "./graph-picture.js";
import { findNet, type Dropped, type NetFile } from "./net-file.js";
import type { Progress, Refused, Shrunk, ShrinkOptions } from "./protocol.js";
import { droppedSamples, generatedSamples, type DecodePicture } from "./sample-files.js";

/** What the work takes from where it is done. */
export interface Platform {
  /** The bytes of core.wasm. */
  readonly core: () => Promise<Uint8Array>;
  /** By train.wasm; undefined where it cannot be had, and plain loops do. */
  readonly convolve: () => Promise<Convolve | undefined>;
  readonly decodePicture: DecodePicture;
}

/** A model that was made, and the bytes of its container. */
export interface Made {
  readonly shrunk: Shrunk;
  readonly container: Uint8Array;
}

/** A net that is refused, with all that stands in the way. */
export class RefusedError extends Error {
  constructor(
    readonly refused: Refused,
    options?: ErrorOptions,
  ) {
    super(refused.message, options);
  }
}

/** @throws RefusedError, MoteError */
export async function shrink(
  files: readonly Dropped[],
  options: ShrinkOptions,
  platform: Platform,
  progress: (progress: Progress) => void,
): Promise<Made> {
  progress({ stage: "Reading" });
  const net = findNet(files);
  try {
    return await (net.kind === "graph" ? imported(net, options, platform, progress) : opened(net, options, progress));
  } catch (error) {
    const { name } = net.file;
    if (!(error instanceof MoteError) || error.message.includes(name)) throw error;
    throw new MoteError(error.code, `${name}: ${error.message}`, { cause: error });
  }
}

/** A model, or a net that `mote compress` has made ready. */
async function opened(
  { file, kind, samples, others }: NetFile,
  { bits }: ShrinkOptions,
  progress: (progress: Progress) => void,
): Promise<Made> {
  const { name, source } = file;
  const bytes = source.read(0, source.size);
  if (kind === "packed" && isFastModule(bytes)) {
    throw new MoteError(
      "UNSUPPORTED",
      "is a fast module, which has no container inside; drop the one that it was packed from",
    );
  }
  if (kind === "trained") progress({ stage: "Packing" });
  const container =
    kind === "trained"
      ? writeContainer(quantize(decodeCheckpoint(bytes, name).net))
      : kind === "packed"
        ? bakedContainer(bytes).container
        : bytes;
  const words = { trained: "net compressed by mote", packed: "packed module", container: "Mote container" };
  const origin = {
    name: stemOf(name),
    kind: words[kind as keyof typeof words],
    netBytes: kind === "trained" ? bytes.length : undefined,
    notes: [
      ...(bits === undefined ? [] : ["a model is shown as it is: fewer values are for nets of other formats"]),
      ...unused([...samples, ...others]),
    ],
  };
  return { shrunk: factsOf(readContainer(container), origin), container };
}

async function imported(
  { file, beside, opened: openedFiles, samples: sampleFiles, others }: NetFile,
  options: ShrinkOptions,
  platform: Platform,
  progress: (progress: Progress) => void,
): Promise<Made> {
  const graph = inferShapes(readGraph(file.name, file.source, beside), {
    shapes: parseShapes(options.shapes),
    batch: 1,
  });
  const net = lowered(graph);
  const notes = [...net.notes];
  const needsSamples = !net.isQuantized;
  const isGenerated = needsSamples && sampleFiles.length === 0;
  const isUsed = needsSamples || (sampleFiles.length > 0 && options.bits !== undefined);
  if (!isUsed && sampleFiles.length > 0)
    notes.push("the net is quantized already, and needs samples with fewer values only");
  const samples = !isUsed
    ? undefined
    : isGenerated
      ? generatedSamples(net)
      : await droppedSamples(sampleFiles, net, platform.decodePicture);
  const core = await platform.core();
  progress({ stage: needsSamples ? "Running samples" : "Packing" });
  const { bytes, calibration } = await importedContainer(net, samples, {
    range: options.range,
    bits: options.bits,
    given: {},
    options: {},
    convolve: samples && (await platform.convolve()),
    open: (container) => {
      const { model, plan } = readContainer(container);
      return openCore("v8", instantiateV8, { wasm: core, container, packed: false, model, plan });
    },
    note: (line) => notes.push(line),
    report: (done, of) =>
      progress(done === samples?.count ? { stage: "Packing", done, of } : { stage: "Running samples", done, of }),
  });
  progress({ stage: "Drawing" });
  notes.push(...unused([...(isUsed ? [] : sampleFiles), ...others.filter((other) => !openedFiles.has(other))]));
  const weights = [...openedFiles].reduce((sum, { source }) => sum + source.size, 0);
  const container: Container = readContainer(bytes);
  const shrunk = factsOf(container, {
    name: stemOf(file.name),
    kind: `${graph.kind}, ${graph.version}`,
    netBytes: file.source.size + (extensionOf(file.name) === ".json" ? weights : 0),
    samples: samples && { count: samples.count / samples.perSample, source: samples.source, isGenerated },
    notes,
    net,
    fileGraph: filePicture(graph, reportGraph(graph)).picture,
    calibration,
  });
  return { shrunk, container: bytes };
}

/** Nothing that was dropped is left out in silence. */
const unused = (files: readonly Dropped[]): string[] =>
  files.length === 0 ? [] : [`not used: ${files.map(({ name }) => name).join(", ")}`];

/** @throws RefusedError with all that does not run, and where it is */
function lowered(graph: ImportedGraph): ImportedNet {
  try {
    return lowerGraph(graph);
  } catch (error) {
    if (!(error instanceof MoteError) || error.code !== "UNSUPPORTED") throw error;
    const report = reportGraph(graph);
    const { picture, boxOf } = filePicture(graph, report);
    const boxes = new Map(graph.nodes.map(({ name }, index) => [name, boxOf[index]]));
    const nodes = refusals(report).map(({ op, why, names }) => ({
      what: op,
      why,
      names,
      boxes: names.flatMap((name) => boxes.get(name) ?? []),
    }));
    const problems = report.problems.map((why) => ({ what: "the net", why, names: [], boxes: [] }));
    const reasons = [...problems, ...nodes];
    // What only a whole net shows is no node's.
    const all = reasons.length > 0 ? reasons : [{ what: "the net", why: error.message, names: [], boxes: [] }];
    throw new RefusedError(
      { message: "This net does not run as it is.", reasons: all, graph: picture },
      { cause: error },
    );
  }
}

/** @throws MoteError ARGUMENT */
export function parseShapes(text: string): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  for (const word of text.split(/\s+/).filter((part) => part !== "")) {
    const at = word.lastIndexOf("=");
    const sizes = word.slice(at + 1).split(",");
    if (at < 1 || !sizes.every((size) => /^[1-9]\d{0,8}$/.test(size))) {
      throw new MoteError("ARGUMENT", `${word}: expected a name and sizes, such as image=1,3,224,224`);
    }
    shapes.set(word.slice(0, at), sizes.map(Number));
  }
  return shapes;
}
