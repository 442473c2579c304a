/**
 * Weights of a quantized net by fewer values: in each layer at most 2^bits of them, the best in the sense of least squared error (k-means of a line,
 * by dynamic programming exact; Wang and Song 2011). Codecs then store a number of few bits in place of each.
 */
import { columnMeans } from "./column-means.js";
import type { ImportedNet, NetLayer, NetWeights } from "./net.js";

/** Values of an int8, from −128 on. */
const VALUES = 256;

/**
 * @param bits 1 … 7
 * @param meansOf a tensor's channels, by which biases make up for what the change shifts on the average; undefined where they are not known
 */
export function shareWeights(
  net: ImportedNet,
  bits: number,
  meansOf: (tensor: number) => Float64Array | undefined,
): ImportedNet {
  const layers = net.layers.map((layer): NetLayer => {
    if (!("weights" in layer)) return layer;
    const [input] = layer.inputs;
    const { scale } = net.tensors[input].quantization!;
    const means = meansOf(input);
    const byColumn = means && columnMeans(layer, net.tensors[input].shape, means);
    return { ...layer, weights: sharedWeights(layer.weights, 2 ** bits, scale, byColumn) };
  });
  return { ...net, layers };
}

function sharedWeights(
  weights: NetWeights,
  count: number,
  inputScale: number,
  means: readonly Float64Array[] | undefined,
): NetWeights {
  const { rows, columns, values: from, bias, scales } = weights;
  if (!(from instanceof Int8Array) || scales === undefined) throw new RangeError("shareWeights: expected int8 weights");
  const shared = sharedValues(costs(from, scales, columns), count);
  const values = from.map((value) => shared[value + 128]);
  if (means === undefined) return { ...weights, values };
  const rowsOfGroup = rows / means.length;
  const corrected = Int32Array.from(bias, (old, row) => {
    const mean = means[Math.floor(row / rowsOfGroup)];
    let shift = 0;
    for (let column = 0, at = row * columns; column < columns; column++, at++) {
      shift += (from[at] - values[at]) * mean[column];
    }
    return Math.min(2 ** 31 - 1, Math.max(-(2 ** 31), Math.round(old + shift / inputScale)));
  });
  return { ...weights, values, bias: corrected };
}

/** What a step of error costs each value, −128 first: its occurrences, each by the square of its row's scale. */
function costs(values: Int8Array, scales: NonNullable<NetWeights["scales"]>, columns: number): Float64Array {
  const all = new Float64Array(VALUES);
  const inRow = new Uint32Array(VALUES);
  for (let start = 0, row = 0; start < values.length; start += columns, row++) {
    inRow.fill(0);
    for (let at = start; at < start + columns; at++) inRow[values[at] + 128]++;
    const scale = scales[scales.length > 1 ? row : 0];
    inRow.forEach((count, value) => (all[value] += count * scale ** 2));
  }
  return all;
}

/**
 * Zero stays zero, since codecs leave it out.
 * @param weights of the squared error of each int8, −128 first; 0 for one that does not occur
 * @param count of values that there may be, at least 1
 * @returns for each int8 the one in its place
 */
export function sharedValues(weights: Float64Array, count: number): Int8Array {
  const used = [...weights.keys()].filter((at) => weights[at] > 0);
  const n = used.length;
  // Prefix sums of weight, weight × value and weight × value².
  const sums = [0, 1, 2].map((power) => {
    const sum = new Float64Array(n + 1);
    used.forEach((at, i) => (sum[i + 1] = sum[i] + weights[at] * (at - 128) ** power));
    return sum;
  });
  const zero = used.indexOf(128);
  const centreOf = (first: number, end: number): number => {
    if (zero >= first && zero < end) return 0;
    return Math.round((sums[1][end] - sums[1][first]) / (sums[0][end] - sums[0][first]));
  };
  const errorOf = (first: number, end: number): number => {
    const centre = centreOf(first, end);
    const linear = sums[1][end] - sums[1][first];
    return sums[2][end] - sums[2][first] - centre * (2 * linear - centre * (sums[0][end] - sums[0][first]));
  };
  // least[end]: error of the first `end` values by so many centres as there were rounds.
  let least = Float64Array.from({ length: n + 1 }, (_, end) => (end === 0 ? 0 : Infinity));
  const firsts: Int32Array[] = [];
  for (let centres = 1; centres <= Math.min(count, n); centres++) {
    const next = new Float64Array(n + 1).fill(Infinity);
    const first = new Int32Array(n + 1);
    for (let end = centres; end <= n; end++) {
      for (let from = centres - 1; from < end; from++) {
        const error = least[from] + errorOf(from, end);
        if (error >= next[end]) continue;
        next[end] = error;
        first[end] = from;
      }
    }
    firsts.push(first);
    least = next;
  }
  const shared = Int8Array.from({ length: VALUES }, (_, at) => at - 128);
  for (let end = n; end > 0;) {
    const first = firsts.pop()![end];
    const centre = centreOf(first, end);
    for (let i = first; i < end; i++) shared[used[i]] = centre;
    end = first;
  }
  return shared;
}
