/** What a container holds, as numbers: the figures behind `mote inspect`, layer by layer, down to the bit. */
import { CODEC_DENSE } from "../../assembly/format.js";
import { columnRanks, gapStatistics } from "../codecs/statistics.js";
import type { QLayer, QModel, QWeights, Shape } from "../model/model.js";
import { columnCount, rowCount } from "../container/plan.js";
import type { Container, SectionInfo } from "../container/read.js";

export interface LayerReport {
  readonly index: number;
  readonly op: QLayer["op"];
  readonly input: Shape;
  readonly output: Shape;
  /** Units of the output: live ones, and those of the net before dead ones were removed. */
  readonly units: number;
  readonly nominalUnits: number;
  /** Of the whole layer in the file. */
  readonly bytes: number;
  /** Multiplications an inference does: one for each non-zero weight and place it is used at; of the net before compression. */
  readonly macs: number;
  readonly nominalMacs: number;
  readonly weights?: WeightReport;
}

export interface WeightReport {
  readonly codec: "dense" | "huffman";
  readonly alphabet: "int8" | "grid" | "codebook";
  readonly rows: number;
  readonly columns: number;
  readonly liveColumns: number;
  readonly nonZeros: number;
  /** Weights and biases of the net before compression. */
  readonly nominalWeights: number;
  /** Distinct weights that occur. */
  readonly values: number;
  readonly gapSymbols: number;
  readonly fillers: number;
  readonly longestCodes: readonly [weight: number, gap: number];
  /** Bits of the section by what they are for. */
  readonly bits: {
    readonly requantize: number;
    readonly bias: number;
    readonly map: number;
    readonly alphabet: number;
    readonly lengths: number;
    readonly gaps: number;
    readonly weights: number;
    readonly padding: number;
  };
  readonly fixedWidth: FixedWidth;
}

/** The layer without Huffman codes, as Deep Compression's (P+Q) stores it: index and weight of fixed width, filler zeros. */
export interface FixedWidth {
  readonly weightBits: number;
  readonly indexBits: number;
  /** Non-zero weights and filler zeros. */
  readonly entries: number;
  /** Entries and codebook. */
  readonly bits: number;
}

export interface ContainerReport {
  readonly fileBytes: number;
  /** Bytes that are neither gap nor weight symbols: header, plan, tensors, fields, biases, alphabets, code lengths, padding. */
  readonly sideBytes: number;
  readonly symbolBytes: number;
  readonly headBytes: number;
  /** float32 bytes of the net before compression, weights and biases. */
  readonly nominalBytes: number;
  readonly layers: readonly LayerReport[];
}

export function reportContainer(container: Container): ContainerReport {
  const { model } = container;
  const layers = model.layers.map((layer, index) => reportLayer(container, layer, index));
  const symbolBits = layers.reduce(
    (sum, { weights }) => sum + (weights ? weights.bits.gaps + weights.bits.weights : 0),
    0,
  );
  const nominalParameters = layers.reduce(
    (sum, { weights, nominalUnits }) => sum + (weights ? weights.nominalWeights + nominalUnits : 0),
    0,
  );
  return {
    fileBytes: container.fileBytes,
    sideBytes: container.fileBytes - Math.floor(symbolBits / 8),
    symbolBytes: Math.floor(symbolBits / 8),
    headBytes: container.headBytes,
    nominalBytes: 4 * nominalParameters,
    layers,
  };
}

function reportLayer(container: Container, layer: QLayer, index: number): LayerReport {
  const { model } = container;
  const { bytes, section } = container.layers[index];
  const output = model.tensors[layer.output];
  const weighted = layer.op === "conv2d" || layer.op === "dense";
  const positions = positionCount(model, layer);
  const weights = weighted && section !== undefined ? reportWeights(model, layer, section) : undefined;
  return {
    index,
    op: layer.op,
    input: model.tensors[layer.input].shape,
    output: output.shape,
    units: output.shape[0],
    nominalUnits: output.nominalChannels,
    bytes,
    macs: (weights?.nonZeros ?? 0) * positions,
    nominalMacs: (weights?.nominalWeights ?? 0) * positions,
    ...(weights === undefined ? {} : { weights }),
  };
}

/** Places that each weight is used at; under a pool, every convolved place that the pool reads. */
function positionCount(model: QModel, layer: QLayer): number {
  if (layer.op !== "conv2d") return 1;
  const [, height, width] = model.tensors[layer.output].shape;
  const { size, stride } = layer.pool;
  return ((height - 1) * stride + size) * ((width - 1) * stride + size);
}

function reportWeights(model: QModel, layer: QLayer & QWeights, section: SectionInfo): WeightReport {
  const rows = rowCount(model, layer);
  const columns = columnCount(model, layer);
  const input = model.tensors[layer.input];
  const columnsOfChannel = columns / (input.shape[0] / (layer.op === "conv2d" ? layer.groups : 1));
  const nominalInputs = input.nominalChannels / (layer.op === "conv2d" ? layer.groups : 1);
  const { huffman } = section;
  const values = new Set(layer.weights).size - (section.nonZeros < rows * columns ? 1 : 0);
  return {
    codec: section.codec === CODEC_DENSE ? "dense" : "huffman",
    alphabet: huffman === undefined ? "int8" : huffman.isCodebook ? "codebook" : "grid",
    rows,
    columns,
    liveColumns: section.liveColumns,
    nonZeros: section.nonZeros,
    nominalWeights: model.tensors[layer.output].nominalChannels * nominalInputs * columnsOfChannel,
    values,
    gapSymbols: huffman?.gapLengths.length ?? 0,
    fillers: huffman?.fillers ?? 0,
    longestCodes: [longest(huffman?.weightLengths), longest(huffman?.gapLengths)],
    bits: {
      requantize: section.requantizeBits,
      bias: section.biasBitsTotal,
      ...section.bits,
      padding: section.paddingBits,
    },
    fixedWidth: fixedWidth(layer.weights, rows, columns, values),
  };
}

function longest(lengths: Uint8Array | undefined): number {
  return lengths?.reduce((a, b) => Math.max(a, b), 0) ?? 0;
}

/** The index width of 1 … 16 bits with the fewest bits in all: one of w bits covers 2^w positions, longer gaps take filler zeros. */
function fixedWidth(weights: Int8Array, rows: number, columns: number, values: number): FixedWidth {
  const { counts, longer } = gapStatistics(weights, rows, columns, columnRanks(columns, null), columns);
  // One code more: the filler is a weight of zero.
  const weightBits = Math.max(1, Math.ceil(Math.log2(values + 1)));
  let best: FixedWidth | undefined;
  for (let indexBits = 1; indexBits <= 16; indexBits++) {
    let entries = 0;
    counts.forEach((count, gap) => (entries += count * (1 + Math.floor(gap / 2 ** indexBits))));
    for (const [gap, count] of longer) entries += count * (1 + Math.floor(gap / 2 ** indexBits));
    const bits = entries * (weightBits + indexBits) + values * 8;
    if (best === undefined || bits < best.bits) best = { weightBits, indexBits, entries, bits };
  }
  return best!;
}
