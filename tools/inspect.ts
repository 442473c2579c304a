/** `mote inspect`: what a model file holds, and where its bytes go. */
import { Command } from "commander";
import { MODEL_SLACK_BYTES } from "../assembly/format.js";
import { bakedContainer } from "../host/container/baked.js";
import { fastParts, isFastModule } from "../host/container/fast-parts.js";
import { describeFastMemory, reportFast } from "../host/container/fast-report.js";
import { denseFloatEnergy, packedEnergy, PICOJOULE, type Energy } from "../host/container/energy.js";
import { describePlan, planTotal } from "../host/container/plan.js";
import { readContainer, type Container } from "../host/container/read.js";
import {
  reportContainer,
  type ContainerReport,
  type LayerReport,
  type WeightReport,
} from "../host/container/report.js";
import { readFile } from "../host/data/inputs.js";
import { MoteError } from "../host/errors.js";
import { isWasm, openEngine } from "../host/runtime/open.js";
import { grouped, namingFile } from "./model-file.js";

interface InspectFlags {
  readonly paper?: boolean;
  readonly energy?: boolean;
  readonly json?: boolean;
}

/** A container, the most work that a run of it takes, and the code around it where it is packed. */
interface Opened {
  readonly container: Container;
  readonly work: number;
  readonly codeBytes: number | undefined;
}

export function inspectCommand(): Command {
  return new Command("inspect")
    .description("show what a model holds: layers, codecs, bits, memory plan")
    .argument("<model>", ".mote, or .wasm made by mote pack")
    .option("--paper", "the columns of Tables 2 and 3 of Deep Compression (Han et al. 2016)")
    .option("--energy", "energy of one inference at 45 nm, dense float from DRAM beside this model from SRAM")
    .option("--json", "print one JSON object instead")
    .addHelpText(
      "after",
      "\nA fast module has its own tables: no --paper, no --energy.\n\nExample:\n  mote inspect models/lenet5.mote --paper",
    )
    .action(inspect);
}

function inspect(path: string, flags: InspectFlags): void {
  const file = readFile(path);
  if (isFastModule(file)) {
    inspectFast(path, file, flags);
    return;
  }
  const opened = open(path, file);
  const { container, codeBytes } = opened;
  const report = reportContainer(container);
  if (flags.json === true) {
    process.stdout.write(JSON.stringify(asJson(path, opened, report)) + "\n");
    return;
  }
  const lines = flags.paper
    ? paperTable(report)
    : flags.energy
      ? energyTable(report)
      : [
          ...overview(path, opened, report),
          "",
          ...layerTables(report),
          "",
          ...memory(container, codeBytes !== undefined),
        ];
  process.stdout.write(lines.join("\n") + "\n");
}

function open(path: string, file: Uint8Array): Opened {
  return namingFile(path, () => {
    const { container, codeBytes } = isWasm(file) ? bakedContainer(file) : { container: file, codeBytes: undefined };
    const parsed = readContainer(container);
    // Of a packed module too by a core of our own, which stops whatever the model says.
    const engine = openEngine("v8", container);
    const { work } = engine;
    engine.close();
    return { container: parsed, work, codeBytes };
  });
}

/** "at most 299,943 units" */
function workText(units: number): string {
  return units < 2 ** 32 - 1 ? `at most ${grouped(units)} units` : `${grouped(units)} units or more`;
}

function inspectFast(path: string, file: Uint8Array, flags: InspectFlags): void {
  if (flags.paper === true || flags.energy === true) {
    throw new MoteError("ARGUMENT", `${path} is a fast module: --paper and --energy are for containers`);
  }
  const { parts, layers } = namingFile(path, () => {
    const found = fastParts(file);
    return { parts: found, layers: reportFast(found) };
  });
  const { codeBytes, dataBytes, stream } = parts;
  if (flags.json === true) {
    const { stream: _stream, metadata: _metadata, layers: _layers, ...rest } = parts;
    const report = { model: path, fileBytes: file.length, streamBytes: stream.length, layers, ...rest };
    process.stdout.write(JSON.stringify(report) + "\n");
    return;
  }
  const lines = [
    `${path}: fast module of ${grouped(file.length)} bytes`,
    `stream      ${grouped(stream.length)} bytes of weights, read through the window`,
    `code        ${grouped(codeBytes - dataBytes)} bytes`,
    `tables      ${grouped(dataBytes)} bytes that linear memory holds to begin with`,
    "",
    ...table([
      ["layer", "kernel", "output", "rows", "chunks", "records", "of zero", "bytes of stream"],
      ...layers.map(({ index, kernel, output, rows, chunks, records, zeros, streamBytes }) => [
        String(index),
        kernel,
        output.join(" × "),
        ...[rows, chunks, records, zeros, streamBytes].map(grouped),
      ]),
    ]),
    "",
    "linear memory",
    ...describeFastMemory(parts),
  ];
  process.stdout.write(lines.join("\n") + "\n");
}

function overview(path: string, { container, work, codeBytes }: Opened, report: ContainerReport): string[] {
  const { model } = container;
  const weighted = report.layers.filter((layer) => layer.weights !== undefined);
  const live = weighted.map(({ units }) => units).join("-");
  const nominal = weighted.map(({ nominalUnits }) => nominalUnits).join("-");
  const nonZeros = weighted.reduce((sum, { weights }) => sum + weights!.nonZeros, 0);
  const all = weighted.reduce((sum, { weights }) => sum + weights!.nominalWeights, 0);
  const factor = report.nominalBytes / report.fileBytes;
  return [
    `${path}: container of ${grouped(report.fileBytes)} bytes, ${factor.toFixed(1)} times smaller than ${grouped(report.nominalBytes)} bytes of float32`,
    ...(codeBytes === undefined ? [] : [`code        ${grouped(codeBytes)} bytes beside the container`]),
    `units       ${live === nominal ? `all of ${nominal}` : `${live} of ${nominal} are live; the others were dead and are not stored`}`,
    `weights     ${grouped(nonZeros)} of ${grouped(all)} are not zero (${percent(nonZeros / all)})`,
    `symbols     ${grouped(report.symbolBytes)} bytes of gaps and weights`,
    `side        ${grouped(report.sideBytes)} bytes: header, plan, tensors, fields, multipliers, biases, alphabets, code lengths`,
    `work        ${workText(work)} a run`,
    ...(model.labels === undefined ? [] : [`labels      ${model.labels.join(", ")}`]),
    `tensors     ${model.tensors.map(({ shape, border }) => shape.join(" × ") + (border > 0 ? ` + ${border}` : "")).join(", ")}`,
  ];
}

function layerTables({ layers }: ContainerReport): string[] {
  const weighted = layers.filter(
    (layer): layer is LayerReport & { weights: WeightReport } => layer.weights !== undefined,
  );
  const shapes = table([
    ["layer", "op", "output", "live units", "weights", "not zero", "columns", "live", "MAC", "bytes"],
    ...layers.map(({ index, op, output, units, nominalUnits, weights, macs, bytes }) => [
      String(index),
      op,
      output.join(" × "),
      `${units} of ${nominalUnits}`,
      ...(weights === undefined
        ? ["", "", "", ""]
        : [weights.rows * weights.columns, weights.nonZeros, weights.columns, weights.liveColumns].map(grouped)),
      grouped(macs),
      grouped(bytes),
    ]),
  ]);
  const bits = table([
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
  const kinds = ["requantize", "bias", "map", "alphabet", "lengths", "gaps", "weights", "padding"] as const;
  const sections = table([
    ["bits of section", ...kinds, "bytes"],
    ...weighted.map(({ index, weights: w }) => [
      String(index),
      ...kinds.map((kind) => grouped(w.bits[kind])),
      grouped(kinds.reduce((sum, kind) => sum + w.bits[kind], 0) / 8),
    ]),
  ]);
  return [...shapes, "", ...bits, "", ...sections];
}

function memory({ plan, model, fileBytes }: Container, resident: boolean): string[] {
  const total = planTotal(plan, true) + fileBytes + MODEL_SLACK_BYTES;
  return [
    "linear memory" + (resident ? "" : ", the model behind the window"),
    ...describePlan(plan, model, resident),
    `           ${String(total).padStart(9)}  with the model in linear memory, and no window`,
  ];
}

/** Rates are compressed / float32. Index bits count fillers as entries; (P+Q+H) counts every byte of the layer, and of the file below. */
function paperTable(report: ContainerReport): string[] {
  const rows = report.layers.flatMap(({ index, op, weights: w, bytes, nominalUnits }) => {
    if (w === undefined) return [];
    const floatBits = 32 * (w.nominalWeights + nominalUnits);
    const isDense = w.codec === "dense";
    const fixedBits = (isDense ? w.rows * w.columns * 8 : w.fixedWidth.bits) + 32 * w.rows;
    return [
      {
        floatBits,
        fixedBits,
        weights: w.nominalWeights,
        nonZeros: w.nonZeros,
        cells: [
          `${index} ${op}`,
          grouped(w.nominalWeights),
          percent(w.nonZeros / w.nominalWeights),
          String(isDense ? 8 : w.fixedWidth.weightBits),
          perWeight(w.bits.weights, w),
          isDense ? "0" : String(w.fixedWidth.indexBits),
          perWeight(w.bits.gaps, w),
          rate(fixedBits, floatBits),
          rate(bytes * 8, floatBits),
        ],
      },
    ];
  });
  const sum = (of: (row: (typeof rows)[number]) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const weights = sum((row) => row.weights);
  return table([
    [
      "layer",
      "#weights",
      "weights % (P)",
      "weight bits (P+Q)",
      "(P+Q+H)",
      "index bits (P+Q)",
      "(P+Q+H)",
      "rate (P+Q)",
      "(P+Q+H)",
    ],
    ...rows.map(({ cells }) => cells),
    [
      "total",
      grouped(weights),
      percent(sum((row) => row.nonZeros) / weights),
      "",
      "",
      "",
      "",
      rate(
        sum((row) => row.fixedBits),
        report.nominalBytes * 8,
      ),
      rate(report.fileBytes * 8, report.nominalBytes * 8),
    ],
  ]);
}

function energyTable(report: ContainerReport): string[] {
  const row = (name: string, e: Energy): string[] => [
    name,
    ...[e.arithmetic, e.weights, e.activations, e.total].map((nJ) => grouped(Number(nJ.toPrecision(4)))),
  ];
  const dense = denseFloatEnergy(report);
  const packed = packedEnergy(report);
  return [
    ...table([
      ["nJ an inference", "arithmetic", "weights", "activations, decoding", "total"],
      row("dense float32, weights in DRAM", dense),
      row("this container, all in SRAM", packed),
    ]),
    `${(dense.total / packed.total).toFixed(1)} times less`,
    `pJ at 45 nm, 32 bits: int add ${PICOJOULE.intAdd}, int mult ${PICOJOULE.intMult}, float add ${PICOJOULE.floatAdd}, ` +
      `float mult ${PICOJOULE.floatMult}, SRAM ${PICOJOULE.sram}, DRAM ${PICOJOULE.dram}; control and interpreter not counted`,
  ];
}

function asJson(path: string, { container, work, codeBytes }: Opened, report: ContainerReport): object {
  const { plan, model } = container;
  return {
    model: path,
    ...report,
    ...(codeBytes === undefined ? {} : { codeBytes }),
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

/** "2.53 % (40×)" */
function rate(bits: number, of: number): string {
  return `${percent(bits / of)} (${(of / bits).toFixed(of / bits < 10 ? 1 : 0)}×)`;
}

/** Columns as wide as their widest cell; the first to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  );
}
