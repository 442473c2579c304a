/** `mote inspect`: what a model file holds, and where its bytes go. */
import { Command } from "commander";
import { MODEL_SLACK_BYTES } from "../assembly/abi.js";
import { PURPOSES } from "../host/codecs/codec.js";
import { activationBits } from "../host/model/elements.js";
import { bakedContainer } from "../host/module/baked.js";
import { fastParts, isFastModule } from "../host/fast/parts.js";
import { tensorBytes } from "../host/model/geometry.js";
import { drawLives } from "../host/report/lives.js";
import { describeFastMemory, fastLives, reportFast } from "../host/report/fast.js";
import { denseFloatEnergy, packedEnergy, PICOJOULE, type Energy } from "../host/report/energy.js";
import { reportMatrixFormats } from "../host/report/matrix-formats.js";
import { paperRows, rateText } from "../host/report/paper.js";
import { describePlan, planTotal, tensorLives } from "../host/container/plan.js";
import { readContainer, type Container } from "../host/container/read.js";
import {
  reportContainer,
  type ContainerReport,
  type LayerReport,
  type WeightReport,
} from "../host/report/container.js";
import { readFile } from "../host/node/read-file.js";
import { MoteError } from "../host/errors.js";
import { isWasm } from "../host/module/sections.js";
import { openEngine } from "../host/node/engines/open.js";
import { isGraphName } from "../host/node/import/open-graph.js";
import { isImportable } from "./import-model.js";
import { inspectGraph, parseShape, type Shapes } from "./inspect-graph.js";
import { printMatrixFormats } from "./inspect-matrix.js";
import { inspectNet } from "./inspect-net.js";
import { grouped, isContainer, isFloatNet, namingFile, notOneOf } from "./model-file.js";
import { Output } from "./output.js";

interface InspectFlags {
  readonly paper?: boolean;
  readonly energy?: boolean;
  readonly matrixFormats?: boolean;
  readonly shape?: Shapes;
  readonly json?: boolean;
}

/** Where a memory plan's words begin, behind address and bytes. */
const PLAN_INDENT = 24;

/** A container, the most work that a run of it takes, and what is around it where it is packed. */
interface Opened {
  readonly container: Container;
  readonly work: number;
  readonly packed?: { readonly moduleBytes: number; readonly codeBytes: number };
}

export function inspectCommand(): Command {
  return new Command("inspect")
    .description("show what a model or a net holds: layers, codecs, bits, memory plan")
    .argument(
      "<file>",
      ".mote, .wasm made by mote pack, or a net (.onnx, .tflite, .caffemodel, .net, .json, .safetensors)",
    )
    .option("--paper", "the columns of Tables 2 and 3 of Deep Compression (Han et al. 2016)")
    .option("--energy", "energy of one inference at 45 nm, dense float from DRAM beside this model from SRAM")
    .option(
      "--matrix-formats",
      "entries and operations of each layer's matrix as dense, CSR, CER and CSER (Wiedemann et al. 2019)",
    )
    .option("--shape <name=sizes>", "sizes of an input, those that the net leaves open; may be given again", parseShape)
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\n--paper, --energy and --matrix-formats are for containers, and packed modules, which have one inside.\n\nExamples:\n  mote inspect models/lenet5.mote --paper\n  mote inspect model.onnx --shape image=1,3,224,224",
    )
    .action(inspect);
}

function inspect(path: string, flags: InspectFlags): void {
  const output = new Output(flags);
  // By its name without reading it, since it may be larger than a buffer.
  const file = isGraphName(path) ? undefined : readFile(path);
  if (file === undefined || isImportable(path, file)) {
    containersOnly(path, "a net of another format", flags);
    namingFile(path, () => inspectGraph(path, file, flags.shape ?? new Map(), output));
    return;
  }
  if (flags.shape !== undefined)
    throw new MoteError("ARGUMENT", `${path} is no net of another format: --shape is for those`);
  if (isFastModule(file)) {
    containersOnly(path, "a fast module", flags);
    inspectFast(path, file, output);
  } else if (isWasm(file) || isContainer(path, file)) {
    inspectContainer(path, file, flags, output);
  } else if (isFloatNet(path, file)) {
    containersOnly(path, "a float net", flags);
    inspectNet(path, file.length, output);
  } else {
    throw notOneOf(
      path,
      file,
      "a model (.mote, .wasm made by mote pack) or a net (.onnx, .tflite, .caffemodel, .net, .json, .safetensors)",
    );
  }
}

function containersOnly(path: string, kind: string, { paper, energy, matrixFormats }: InspectFlags): void {
  if (paper !== true && energy !== true && matrixFormats !== true) return;
  throw new MoteError("ARGUMENT", `${path} is ${kind}: --paper, --energy and --matrix-formats are for containers`);
}

function open(path: string, file: Uint8Array): Opened {
  return namingFile(path, () => {
    const baked = isWasm(file) ? bakedContainer(file) : undefined;
    const container = readContainer(baked?.container ?? file);
    // Of a packed module too by a core of our own, which stops whatever the model says.
    const engine = openEngine("v8", baked?.container ?? file);
    const { work } = engine;
    engine.close();
    return { container, work, ...(baked && { packed: { moduleBytes: file.length, codeBytes: baked.codeBytes } }) };
  });
}

function inspectContainer(path: string, file: Uint8Array, flags: InspectFlags, output: Output): void {
  const opened = open(path, file);
  const { container, packed } = opened;
  const report = reportContainer(container);
  const formats = flags.matrixFormats === true ? reportMatrixFormats(container, report.layers) : undefined;
  if (formats !== undefined) {
    printMatrixFormats(formats, output);
  } else if (flags.paper === true) {
    output.table(paperTable(report));
  } else if (flags.energy === true) {
    printEnergy(report, output);
  } else {
    printOverview(path, opened, report, output);
    output.line();
    printLayers(report, output);
    output.line();
    printMemory(container, packed !== undefined, output);
  }
  output.json(() => {
    return { ...asJson(path, opened, report), ...(formats === undefined ? {} : { matrixFormats: formats }) };
  });
}

/** "at most 299,943 units" */
function workText(units: number): string {
  return units < 2 ** 32 - 1 ? `at most ${grouped(units)} units` : `${grouped(units)} units or more`;
}

function inspectFast(path: string, file: Uint8Array, output: Output): void {
  const { parts, layers } = namingFile(path, () => {
    const found = fastParts(file);
    return { parts: found, layers: reportFast(found) };
  });
  const { codeBytes, dataBytes, stream } = parts;
  output.line(`${path}: fast module of ${grouped(file.length)} bytes`);
  output.pairs([
    ["stream", `${grouped(stream.length)} bytes of weights, read through the window`],
    ["code", `${grouped(codeBytes - dataBytes)} bytes`],
    ["tables", `${grouped(dataBytes)} bytes that linear memory holds to begin with`],
    ["work", `${grouped(parts.work)} units a run`],
  ]);
  output.line();
  output.table([
    ["layer", "kernel", "output", "rows", "chunks", "records", "of zero", "bytes of stream"],
    ...layers.map(({ index, kernel, output: shape, rows, chunks, records, zeros, streamBytes }) => [
      String(index),
      kernel,
      shape.join(" × "),
      ...[rows, chunks, records, zeros, streamBytes].map(grouped),
    ]),
  ]);
  output.line();
  output.line("linear memory");
  output.lines(describeFastMemory(parts), PLAN_INDENT);
  output.line();
  output.lines(drawLives(fastLives(parts), parts.layers.length), PLAN_INDENT);
  output.json(() => {
    const { stream: _stream, metadata: _metadata, layers: _layers, ...rest } = parts;
    return {
      model: path,
      kind: "fast module",
      fileBytes: file.length,
      streamBytes: stream.length,
      layers,
      ...rest,
    };
  });
}

function printOverview(path: string, opened: Opened, report: ContainerReport, output: Output): void {
  const { container, work, packed } = opened;
  const { model } = container;
  const weighted = report.layers.filter((layer) => layer.weights !== undefined);
  const live = weighted.map(({ units }) => units).join("-");
  const nominal = weighted.map(({ nominalUnits }) => nominalUnits).join("-");
  const nonZeros = weighted.reduce((sum, { weights }) => sum + weights!.nonZeros, 0);
  const all = weighted.reduce((sum, { weights }) => sum + weights!.nominalWeights, 0);
  const factor = (report.nominalBytes / report.fileBytes).toFixed(1);
  const kind =
    packed === undefined ? "container" : `packed module of ${grouped(packed.moduleBytes)} bytes: code and a container`;
  output.lines([
    `${path}: ${kind} of ${grouped(report.fileBytes)} bytes, ${factor} times smaller than ${grouped(report.nominalBytes)} bytes of float32`,
  ]);
  output.pairs([
    ...(packed === undefined ? [] : [["code", `${grouped(packed.codeBytes)} bytes beside the container`] as const]),
    [
      "units",
      live === nominal
        ? `all of ${nominal}`
        : `${live} of ${nominal} are live; the others were dead and are not stored`,
    ],
    ["weights", `${grouped(nonZeros)} of ${grouped(all)} are not zero (${percent(nonZeros / all)})`],
    ["symbols", `${grouped(report.symbolBytes)} bytes of gaps and weights`],
    [
      "side",
      `${grouped(report.sideBytes)} bytes: header, plan, tensors, fields, multipliers, biases, alphabets, code lengths`,
    ],
    ["work", `${workText(work)} a run`],
    ...(activationBits(model) === 16 ? [["activations", "int16"] as const] : []),
    ...(model.labels === undefined ? [] : [["labels", model.labels.join(", ")] as const]),
    [
      "tensors",
      model.tensors.map(({ shape, border }) => shape.join(" × ") + (border > 0 ? ` + ${border}` : "")).join(", "),
    ],
  ]);
}

function printLayers({ layers }: ContainerReport, output: Output): void {
  const weighted = layers.filter(
    (layer): layer is LayerReport & { weights: WeightReport } => layer.weights !== undefined,
  );
  output.table([
    ["layer", "op", "output", "live units", "weights", "not zero", "columns", "live", "MAC", "bytes"],
    ...layers.map(({ index, op, output: shape, units, nominalUnits, weights, macs, bytes }) => [
      String(index),
      op,
      shape.join(" × "),
      `${units} of ${nominalUnits}`,
      ...(weights === undefined
        ? ["", "", "", ""]
        : [weights.rows * weights.columns, weights.nonZeros, weights.columns, weights.liveColumns].map(grouped)),
      grouped(macs),
      grouped(bytes),
    ]),
  ]);
  output.line();
  output.table([
    ["layer", "codec", "alphabet", "gap symbols", "longest codes", "fillers", "bits a weight", "bits a gap"],
    ...weighted.map(({ index, weights: w }) => [
      String(index),
      w.codec,
      w.alphabet === "int8" ? "int8" : `${w.alphabet} of ${w.values}`,
      String(w.gapSymbols),
      `${w.longestCodes[0]}, ${w.longestCodes[1]}`,
      grouped(w.fillers),
      perWeight(w.bits.weights, w),
      perWeight(w.bits.gaps, w),
    ]),
  ]);
  const kinds = ["requantize", "bias", ...PURPOSES, "padding"] as const;
  output.line();
  output.table([
    ["bits of section", ...kinds, "bytes"],
    ...weighted.map(({ index, weights: w }) => [
      String(index),
      ...kinds.map((kind) => grouped(w.bits[kind])),
      grouped(kinds.reduce((sum, kind) => sum + w.bits[kind], 0) / 8),
    ]),
  ]);
}

function printMemory(container: Container, resident: boolean, output: Output): void {
  const total = planTotal(container.plan, true) + container.fileBytes + MODEL_SLACK_BYTES;
  output.line("linear memory" + (resident ? "" : ", the model behind the window"));
  output.lines(
    [
      ...describePlan(container, resident),
      `           ${String(total).padStart(9)}  with the model in linear memory, and no window`,
    ],
    PLAN_INDENT,
  );
  const { model, plan } = container;
  const lives = tensorLives(model).map((life, index) => {
    return { ...life, address: plan.offsets[index], bytes: tensorBytes(model.tensors[index]), isByLines: false };
  });
  output.line();
  output.lines(drawLives(lives, model.layers.length), PLAN_INDENT);
}

/** Rates are compressed / float32. Index bits count fillers as entries; P+Q+H counts every byte of the layer, and of the file below. */
function paperTable(report: ContainerReport): string[][] {
  const { layers, total } = paperRows(report);
  return [
    [
      "layer",
      "#weights",
      "weights P",
      "weight bits P+Q",
      "weight bits P+Q+H",
      "index bits P+Q",
      "index bits P+Q+H",
      "rate P+Q",
      "rate P+Q+H",
    ],
    ...layers.map(({ report: w, ...row }) => [
      row.layer,
      grouped(row.weights),
      percent(row.nonZeros / row.weights),
      String(w.fixedWidth.weightBits),
      perWeight(w.bits.weights, w),
      String(w.fixedWidth.indexBits),
      perWeight(w.bits.gaps, w),
      rateText(row.fixedBits, row.floatBits),
      rateText(row.codedBits, row.floatBits),
    ]),
    [
      "total",
      grouped(total.weights),
      percent(total.nonZeros / total.weights),
      "",
      "",
      "",
      "",
      rateText(total.fixedBits, total.floatBits),
      rateText(total.codedBits, total.floatBits),
    ],
  ];
}

function printEnergy(report: ContainerReport, output: Output): void {
  const row = (name: string, e: Energy): string[] => [
    name,
    ...[e.arithmetic, e.weights, e.activations, e.total].map((nJ) => grouped(Number(nJ.toPrecision(4)))),
  ];
  const dense = denseFloatEnergy(report);
  const packed = packedEnergy(report);
  output.table([
    ["nJ an inference", "arithmetic", "weights", "activations, decoding", "total"],
    row("dense float32, weights in DRAM", dense),
    row("this container, all in SRAM", packed),
  ]);
  output.lines([
    `${(dense.total / packed.total).toFixed(1)} times less`,
    `pJ at 45 nm, 32 bits: int add ${PICOJOULE.intAdd}, int mult ${PICOJOULE.intMult}, float add ${PICOJOULE.floatAdd}, ` +
      `float mult ${PICOJOULE.floatMult}, SRAM ${PICOJOULE.sram}, DRAM ${PICOJOULE.dram}; control and interpreter not counted`,
  ]);
}

function asJson(path: string, { container, work, packed }: Opened, report: ContainerReport): object {
  const { plan, model } = container;
  return {
    model: path,
    kind: packed === undefined ? "container" : "packed module",
    ...report,
    ...(packed && { codeBytes: packed.codeBytes }),
    tensors: model.tensors,
    ...(model.labels === undefined ? {} : { labels: model.labels }),
    plan,
    linearMemoryBytes: planTotal(plan),
    work,
    residentBytes: planTotal(plan, true) + container.fileBytes + MODEL_SLACK_BYTES,
    energyNanojoule: { denseFloat: denseFloatEnergy(report), packed: packedEnergy(report) },
  };
}

function perWeight(bits: number, { nonZeros }: WeightReport): string {
  return nonZeros === 0 ? "0" : (bits / nonZeros).toFixed(2);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
