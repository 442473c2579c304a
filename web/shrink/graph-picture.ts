/** Graphs as boxes and lines: a model's, and that of a net as its file has it. Where they stand dagre works out. */
import dagre from "@dagrejs/dagre";
import type { Container } from "../../host/container/read.js";
import type { ImportedGraph } from "../../host/import/graph.js";
import { inputsOf, modelInputs, outputsOf, statesOf } from "../../host/model/edges.js";
import type { LayerReport } from "../../host/report/container.js";
import { cutMiddle } from "../../host/report/error-plot.js";
import { dimsText, type GraphReport } from "../../host/report/graph.js";
import type { Box, Edge, GraphPicture } from "./protocol.js";
import { grouped } from "./tables.js";

/** More than that nobody reads, and dagre takes seconds for as many, minutes for some thousand. */
const MOST_BOXES = 400;
const MOST_WIRES = 800;
const MOST_LETTERS = 30;
/** As the style sheet has them: letters of the title and of the lines, the box around them. */
const [TITLE_LETTER, LETTER, EDGE_LETTER] = [8.4, 6.9, 6.4];
const [TITLE_HEIGHT, LINE_HEIGHT, PAD] = [28, 18, 12];

type Content = Omit<Box, "x" | "y" | "width" | "height">;

interface Wire {
  readonly from: number;
  readonly to: number;
  readonly label: string;
}

/** @param layers of the model, in order, with the names that the net's file has for them */
export function modelPicture(
  { model }: Container,
  layers: readonly (LayerReport & { readonly name: string | undefined })[],
): GraphPicture {
  const { tensors, names } = model;
  const shapeOf = (tensor: number): string => tensors[tensor].shape.join(" × ");
  const inputs = modelInputs(model);
  const outputs = outputsOf(model);
  const boxes: Content[] = [];
  const maker = new Map<number, number>();
  const add = (content: Content, makes?: number): number => {
    const at = boxes.push(content) - 1;
    if (makes !== undefined) maker.set(makes, at);
    return at;
  };
  const end = (title: string, tensor: number, name: string | undefined): Content => ({
    title,
    lines: [...(name === undefined ? [] : [name]), shapeOf(tensor)],
    look: "end",
    facts: [
      ...(name === undefined ? [] : [["name", name] as const]),
      ["shape", shapeOf(tensor)],
      ["scale", String(tensors[tensor].scale ?? "")],
      ["zero point", String(tensors[tensor].zeroPoint)],
    ],
  });
  inputs.forEach((tensor, index) => add(end("input", tensor, names?.[index]), tensor));
  statesOf(model).forEach((tensor) => add(end("state", tensor, undefined), tensor));
  const wires: Wire[] = [];
  model.layers.forEach((layer, index) => {
    const at = add(layerContent(layers[index], shapeOf(layer.output)), layer.output);
    for (const tensor of inputsOf(layer)) wires.push({ from: maker.get(tensor)!, to: at, label: shapeOf(tensor) });
  });
  outputs.forEach((tensor, index) => {
    const at = add(end("output", tensor, names?.[inputs.length + index]));
    wires.push({ from: maker.get(tensor)!, to: at, label: shapeOf(tensor) });
  });
  return placed(boxes, wires);
}

function layerContent(layer: LayerReport & { readonly name: string | undefined }, shape: string): Content {
  const { op, name, index, bytes, macs, nominalMacs, weights, units, nominalUnits } = layer;
  return {
    title: op,
    lines: [
      ...(name === undefined ? [] : [name]),
      weights === undefined ? shape : `${grouped(weights.nonZeros)} weights, ${grouped(bytes)} bytes`,
    ],
    look: weights === undefined ? "other" : "weights",
    layer: index,
    facts: [
      ["layer", String(index)],
      ...(name === undefined ? [] : [["node of the file", name] as const]),
      ["output", shape],
      ["bytes of the file", grouped(bytes)],
      ...(weights === undefined
        ? []
        : ([
            ["weights", `${grouped(weights.nonZeros)} of ${grouped(weights.nominalWeights)} are not zero`],
            ["different values", grouped(weights.values)],
            ["rows × columns", `${grouped(weights.rows)} × ${grouped(weights.columns)}`],
            ["units", units === nominalUnits ? grouped(units) : `${grouped(units)} of ${grouped(nominalUnits)} live`],
            ["multiplications", macs === nominalMacs ? grouped(macs) : `${grouped(macs)} of ${grouped(nominalMacs)}`],
            ["codec", weights.codec],
            ["bits a weight", weights.nonZeros === 0 ? "0" : (weights.bits.weights / weights.nonZeros).toFixed(2)],
            ["bits a gap", weights.nonZeros === 0 ? "0" : (weights.bits.gaps / weights.nonZeros).toFixed(2)],
          ] as const)),
    ],
  };
}

/** Nodes that are worked out when packing are left out. @returns the box of each node too, undefined where it has none */
export function filePicture(
  graph: ImportedGraph,
  report: GraphReport,
): { readonly picture: GraphPicture; readonly boxOf: readonly (number | undefined)[] } {
  const isConstant = (tensor: number): boolean => tensor < 0 || graph.tensors[tensor].constant !== undefined;
  const boxes: Content[] = [];
  const maker = new Map<number, number>();
  const end = (title: string, tensor: number): Content => {
    const { name, shape, type } = graph.tensors[tensor];
    const text = dimsText(shape ?? null);
    return {
      title,
      lines: [name, text],
      look: "end",
      facts: [
        ["name", name],
        ["shape", text],
        ["type", type],
      ],
    };
  };
  for (const tensor of graph.inputs) maker.set(tensor, boxes.push(end("input", tensor)) - 1);
  const boxOf = graph.nodes.map((node, index) => {
    if (node.outputs.length > 0 && node.outputs.every(isConstant)) return undefined;
    const at = boxes.push(nodeContent(report.nodes[index])) - 1;
    for (const tensor of node.outputs) maker.set(tensor, at);
    return at;
  });
  const wires: Wire[] = [];
  const wire = (tensor: number, to: number): void => {
    const from = maker.get(tensor);
    if (from !== undefined && from !== to)
      wires.push({ from, to, label: dimsText(graph.tensors[tensor].shape ?? null) });
  };
  graph.nodes.forEach(({ inputs }, index) => {
    const to = boxOf[index];
    if (to !== undefined) for (const tensor of inputs) if (!isConstant(tensor)) wire(tensor, to);
  });
  for (const tensor of graph.outputs) wire(tensor, boxes.push(end("output", tensor)) - 1);
  return { picture: placed(boxes, wires), boxOf };
}

function nodeContent({
  name,
  op,
  output,
  macs,
  parameters,
  verdict,
  into,
  why,
}: GraphReport["nodes"][number]): Content {
  const shape = dimsText(output);
  return {
    title: op,
    lines: [name, parameters > 0 ? `${grouped(parameters)} parameters` : shape],
    look: verdict === "not" ? "refused" : parameters > 0 ? "weights" : "other",
    facts: [
      ["node", name],
      ["output", shape],
      ...(parameters > 0 ? [["parameters", grouped(parameters)] as const] : []),
      ...(macs === 0 ? [] : [["multiplications", macs === null ? "unknown" : grouped(macs)] as const]),
      ["becomes", verdict === "runs" ? "a layer" : verdict === "dissolves" ? (into ?? "nothing") : "nothing: refused"],
      ...(why === undefined ? [] : [["why not", why] as const]),
    ],
  };
}

function placed(contents: readonly Content[], wires: readonly Wire[]): GraphPicture {
  if (contents.length > MOST_BOXES || wires.length > MOST_WIRES)
    return { width: 0, height: 0, boxes: [], edges: [], isTooLarge: true };
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "TB", nodesep: 28, ranksep: 40, marginx: 16, marginy: 16 });
  const cut = contents.map((content) => ({
    ...content,
    title: cutMiddle(content.title, MOST_LETTERS),
    lines: content.lines.map((line) => cutMiddle(line, MOST_LETTERS)),
  }));
  const sizes = cut.map(({ title, lines }) => ({
    width: Math.ceil(
      2 * PAD + Math.max(72, (title.length + 2) * TITLE_LETTER, ...lines.map((line) => line.length * LETTER)),
    ),
    height: TITLE_HEIGHT + lines.length * LINE_HEIGHT + 8,
  }));
  sizes.forEach((size, index) => graph.setNode(String(index), { ...size }));
  wires.forEach(({ from, to, label }, index) => {
    const size = { width: label.length * EDGE_LETTER + 8, height: LINE_HEIGHT };
    graph.setEdge(String(from), String(to), { ...size, labelpos: "r" }, String(index));
  });
  dagre.layout(graph);
  const boxes = cut.map((content, index): Box => {
    const { x, y } = graph.node(String(index)) as { x: number; y: number };
    const { width, height } = sizes[index];
    return { ...content, x: round(x - width / 2), y: round(y - height / 2), width, height };
  });
  const edges = wires.map(({ from, to, label }, index): Edge => {
    const edge = graph.edge(String(from), String(to), String(index)) as unknown as {
      points: { x: number; y: number }[];
      x?: number;
      y?: number;
    };
    const points = edge.points.map(({ x, y }) => [round(x), round(y)] as const);
    const labelAt = edge.x === undefined ? undefined : ([round(edge.x), round(edge.y!)] as const);
    return { from, to, label, points, ...(labelAt === undefined ? {} : { labelAt }) };
  });
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  return { width: Math.ceil(width), height: Math.ceil(height), boxes, edges };
}

const round = (value: number): number => Math.round(value * 10) / 10;
