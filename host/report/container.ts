/** What a container holds, as numbers: the figures behind `mote inspect`, layer by layer, down to the bit. */
import type { Description, FixedWidth, WeightBits } from "../codecs/codec.js";
import { codecOf } from "../codecs/index.js";
import { distinctWeights } from "../codecs/statistics.js";
import { inputOf } from "../model/edges.js";
import type { QLayer, QModel, Shape } from "../model/model.js";
import { columnCount, integerWeights, isWeighted, rowCount, type QWeightedLayer } from "../ops/index.js";
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

export interface WeightReport extends Description {
  /** The codec's name. */
  readonly codec: string;
  readonly rows: number;
  readonly columns: number;
  readonly liveColumns: number;
  readonly nonZeros: number;
  /** Weights and biases of the net before compression. */
  readonly nominalWeights: number;
  /** Distinct weights that occur. */
  readonly values: number;
  /** Bits of the section by what they are for. */
  readonly bits: WeightBits & { readonly requantize: number; readonly bias: number; readonly padding: number };
  readonly fixedWidth: FixedWidth;
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
  const weighted = isWeighted(layer) && section !== undefined;
  const places = weighted ? integerWeights(layer).places(layer, output.shape) : 0;
  const weights = weighted ? reportWeights(model, layer, section) : undefined;
  return {
    index,
    op: layer.op,
    input: model.tensors[inputOf(layer)].shape,
    output: output.shape,
    units: output.shape[0],
    nominalUnits: output.nominalChannels,
    bytes,
    macs: (weights?.nonZeros ?? 0) * places,
    nominalMacs: (weights?.nominalWeights ?? 0) * places,
    ...(weights === undefined ? {} : { weights }),
  };
}

function reportWeights(model: QModel, layer: QWeightedLayer, section: SectionInfo): WeightReport {
  const rows = rowCount(model, layer);
  const columns = columnCount(model, layer);
  const input = model.tensors[inputOf(layer)];
  const [, height, width] = input.shape;
  const nominalColumns = integerWeights(layer).columns(layer, [input.nominalChannels, height, width]);
  const codec = codecOf(section.codec)!;
  return {
    ...section.description,
    codec: codec.name,
    rows,
    columns,
    liveColumns: section.liveColumns,
    nonZeros: section.nonZeros,
    nominalWeights: model.tensors[layer.output].nominalChannels * nominalColumns,
    values: distinctWeights(layer.weights),
    bits: {
      requantize: section.requantizeBits,
      bias: section.biasBitsTotal,
      ...section.bits,
      padding: section.paddingBits,
    },
    fixedWidth: codec.fixedWidth(layer.weights, rows, columns),
  };
}
