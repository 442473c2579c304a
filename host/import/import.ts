/** From a graph of another format to an integer model: what would not run is refused with all reasons at once. */
import type { Reading } from "../data/data-set.js";
import { isSilent, perChannel } from "../data/reading.js";
import { MoteError } from "../errors.js";
import type { Preprocessing, QModel } from "../model/model.js";
import type { ImportedGraph } from "./graph.js";
import { arrange, tensorOrder } from "./arrange.js";
import { integerModel } from "./integer-model.js";
import type { Format } from "./format.js";
import { Lowering, type LoweringOptions } from "./lowering.js";
import type { ImportedNet } from "./net.js";
import { ONNX } from "./onnx-lowering.js";
import { inSteps, isRecurrent } from "./steps.js";
import { supportOf } from "./support.js";
import { TFLITE } from "./tflite-lowering.js";
import { isTrivial } from "./view.js";

const FORMATS: Readonly<Record<ImportedGraph["format"], Format>> = { onnx: ONNX, tflite: TFLITE };

/**
 * @param read with its shapes worked out
 * @param options how it is lowered where it is to be trained
 * @throws MoteError UNSUPPORTED with every node, input and output that stands in the way, and why
 */
export function lowerGraph(read: ImportedGraph, options: LoweringOptions = {}): ImportedNet {
  const { graph, steps } = inSteps(read);
  const { verdicts, problems } = supportOf(graph);
  const refused = graph.nodes.flatMap(({ name, op }, index) => {
    const verdict = verdicts[index];
    return verdict.kind === "not" ? [`${name.startsWith(op) ? name : `${op} ${name}`}: ${verdict.why}`] : [];
  });
  const all = [...problems, ...refused];
  if (all.length > 0) throw new MoteError("UNSUPPORTED", `the net does not run: ${all.join("; ")}`);
  const net = new Lowering(graph, FORMATS[graph.format], options).lower();
  if (steps === 1) {
    const note = "a run is one step of a stream: a recurrent layer keeps its state from run to run; reset begins anew";
    return isRecurrent(graph) ? { ...net, notes: [...net.notes, note] } : net;
  }
  const shapeOf = ({ tensors }: ImportedGraph, tensor: number): string => tensors[tensor].shape!.join();
  const sequences = graph.outputs
    .filter((tensor) => shapeOf(read, tensor) !== shapeOf(graph, tensor))
    .map((tensor) => graph.tensors[tensor].name);
  const notes = [
    ...net.notes,
    `a run takes one of ${steps} steps: a sample of all of them is a stream, and what it ends with its result`,
    ...sequences.map((name) => `output ${name} is a sequence, of which a run gives one step`),
  ];
  return { ...net, steps, ...(sequences.length > 0 && { sequences }), notes };
}

/**
 * A quantized net as the container has it, with the names of its ends, and how its first input is made where that can be told.
 * @param given how samples are to be read, in place of what the net tells
 * @throws MoteError as `integerModel`
 */
export function importedModel(net: ImportedNet, given: GivenPreprocessing = {}): QModel {
  const model = integerModel(net);
  const order = tensorOrder(arrange(net));
  const outputs = net.outputs.toSorted((a, b) => order.indexOf(a.tensor) - order.indexOf(b.tensor));
  const names = [...net.inputs, ...outputs].map(({ name }) => name);
  const hasNames = names.length === net.inputs.length + model.outputs.length && names.every((name) => name !== "");
  const preprocessing = preprocessingOf(net, given);
  return { ...model, ...(hasNames ? { names } : {}), ...(preprocessing === undefined ? {} : { preprocessing }) };
}

/** What `mote pack` is told of the samples that the net was trained on. */
export interface GivenPreprocessing {
  readonly reading?: Reading | undefined;
  readonly colours?: Preprocessing["colours"] | undefined;
}

/** Channels of pictures. */
const MOST_COLOURS = 4;

/**
 * Of pictures, and of inputs whose channels stand together. What nobody says is guessed: an int8 net takes the byte less 128, as image nets do, whatever its
 * scale; another one the byte / 255.
 */
export function preprocessingOf(
  net: ImportedNet,
  { reading = {}, colours }: GivenPreprocessing,
): Preprocessing | undefined {
  const { order, tensor, isInteger } = net.inputs[0];
  const { shape, quantization } = net.tensors[tensor];
  const [channels, height, width] = shape;
  const isInterleaved = order === "hwc" && !isTrivial(shape);
  const { layout, scale, mean, std } = reading;
  const isPicture = channels <= MOST_COLOURS && height > 1 && width > 1;
  if (!isInterleaved && !isPicture && isSilent(reading) && colours === undefined) return undefined;
  const each = (values: readonly number[], what: string): readonly number[] => perChannel(values, channels, what);
  const [factor, offset, divisor] = [scale ?? 1 / 255, each(mean ?? [0], "mean"), each(std ?? [1], "std")];
  // As a container keeps them.
  const perByte = (value: number): number => Math.fround(value / factor);
  const isByteLess128 = isSilent(reading) && isInteger === true && quantization !== undefined;
  return {
    layout: (layout === undefined ? isInterleaved : layout === "nhwc") ? "interleaved" : "planar",
    colours: colours ?? "none",
    mean: isByteLess128 ? each([128 + quantization.zeroPoint], "mean") : offset.map(perByte),
    std: isByteLess128 ? each([Math.fround(1 / quantization.scale)], "std") : divisor.map(perByte),
  };
}
