/**
 * Reads the weights of Deep Compression's SqueezeNet file (Han et al. 2016), which says neither what it is nor what net it is of: that is in a
 * Caffe prototxt. https://github.com/songhan/SqueezeNet-Deep-Compression
 *
 *   u32 codes of each layer, in the order of the prototxt | layers, one after another
 *   layer: f32 codebook of 2^8 values, of dense layers 2^4 | f32 biases | codes of 8 bits, of dense layers 4 | distances of 4 bits
 *
 * A distance is the number of zeros since the weight before; a code of 0 with a distance of 15 fills a longer run. Of two in a byte the first is
 * in the lower half.
 */
import { MoteError } from "../errors.js";
import type { Blob } from "./caffe-blob.js";
import type { CaffeLayer } from "./caffe-graph.js";
import { caffeGraph, caffeNet } from "./caffe.js";
import { NET } from "./caffe-schema.js";
import { decodeElements } from "./constants.js";
import type { ByteSource, Constant, ImportedGraph, NamedSource } from "./graph.js";
import { checkValueBytes } from "./onnx-tensor.js";
import { readPrototxt } from "./prototxt.js";

/** Zeros that a file may leave off at the end of a layer, beside 15 in front of each weight: more take more memory than they should. */
const MAX_ZEROS_BEHIND = 1 << 16;
const MAX_DISTANCE = 16;

/** @throws MoteError FORMAT where the file is not that of the net */
export function readDeepCompression(source: ByteSource, prototxt: NamedSource): ImportedGraph {
  const net = caffeNet(readPrototxt(prototxt, NET));
  const weighted = net.kept.filter(({ type }) => type === "Convolution" || type === "InnerProduct");
  const blobs = layersOf(source, weighted);
  return caffeGraph(net, (layer) => blobs.get(layer), "Deep Compression net");
}

function layersOf(source: ByteSource, layers: readonly CaffeLayer[]): ReadonlyMap<CaffeLayer, readonly Blob[]> {
  let at = 0;
  const take = (bytes: number, what: string): number => {
    const from = at;
    at += bytes;
    if (at <= source.size) return from;
    throw new MoteError(
      "FORMAT",
      `offset ${from}: ${what} take ${bytes} bytes, of which ${source.size - from} are there; is it the prototxt's?`,
    );
  };
  const start = take(4 * layers.length, `counts of ${layers.length} layers`);
  const counts = new DataView(Uint8Array.from(source.read(start, 4 * layers.length)).buffer);
  const all = new Map<CaffeLayer, readonly Blob[]>();
  layers.forEach((layer, index) => {
    const isConvolution = layer.type === "Convolution";
    const param = layer.fields.message(isConvolution ? "convolution_param" : "inner_product_param");
    const bits = isConvolution ? 8 : 4;
    const codes = counts.getUint32(4 * index, true);
    const what = (part: string): string => `${part} of layer ${layer.name}`;
    const codebook = floats(source, take(4 << bits, what("the codebook")), 1 << bits);
    const rows = param.flag("bias_term", true) ? param.number("num_output", 0) : 0;
    const biases = floats(source, take(4 * rows, what("the biases")), rows);
    const weights: Stored = {
      source,
      layer: layer.name,
      bits,
      count: codes,
      codebook,
      codes: take(Math.ceil((codes * bits) / 8), what("the codes")),
      distances: take(Math.ceil(codes / 2), what("the distances")),
    };
    all.set(layer, [
      { shape: undefined, count: undefined, constant: (count) => weightsOf(weights, count) },
      { shape: [rows], count: rows, constant: () => biases },
    ]);
  });
  if (at !== source.size) {
    throw new MoteError(
      "FORMAT",
      `offset ${at}: the last layer ends here, the file at ${source.size}; is it the prototxt's?`,
    );
  }
  return all;
}

function floats(source: ByteSource, offset: number, count: number): Constant {
  return { bytes: 4 * count, values: () => decodeElements("float32", source.read(offset, 4 * count), count) };
}

/** Where a layer's weights are. */
interface Stored {
  readonly source: ByteSource;
  readonly layer: string;
  readonly bits: number;
  readonly count: number;
  readonly codebook: Constant;
  readonly codes: number;
  readonly distances: number;
}

/** @param elements that the layer has @throws MoteError FORMAT where the file cannot have so many */
function weightsOf({ source, layer, bits, count, codebook, codes, distances }: Stored, elements: number): Constant {
  if (elements > MAX_DISTANCE * count + MAX_ZEROS_BEHIND) {
    throw new MoteError("FORMAT", `layer ${layer}: has ${count} codes for ${elements} weights; is it the prototxt's?`);
  }
  const codeBytes = Math.ceil((count * bits) / 8);
  const distanceBytes = Math.ceil(count / 2);
  return {
    bytes: codebook.bytes + codeBytes + distanceBytes,
    values() {
      checkValueBytes(4 * elements, `layer ${layer}`);
      const values = codebook.values();
      const code = decodeElements(bits === 8 ? "uint8" : "uint4", source.read(codes, codeBytes), count);
      const distance = decodeElements("uint4", source.read(distances, distanceBytes), count);
      const weights = new Float32Array(elements);
      let place = -1;
      for (let i = 0; i < count; i++) {
        place += distance[i] + 1;
        if (place >= elements) {
          throw new MoteError("FORMAT", `layer ${layer}: a weight stands at ${place}, the layer has ${elements}`);
        }
        weights[place] = values[code[i]];
      }
      return weights;
    },
  };
}
