/** Shapes of a graph's tensors, what a layer's attributes may be, and which tensors belong together. */
import { MoteError } from "../errors.js";
import { floatOp, floatWeights, hasWeights } from "../ops/index.js";
import { inputOf, inputsOf, readOutside, resultsOf } from "./edges.js";
import { valuesOf } from "./geometry.js";
import type { Graph, Layer, Shape } from "./model.js";

/** @throws MoteError UNSUPPORTED for an attribute of a layer that is out of its range */
function checkAttributes(where: string, layer: Layer): void {
  const values = layer as unknown as Readonly<Record<string, unknown>>;
  for (const [name, attribute] of Object.entries(floatOp(layer).attributes)) {
    const problem = attribute.problem(name, values[name]);
    if (problem !== null) throw new MoteError("UNSUPPORTED", `${where}: ${problem}`);
  }
}

/** Shape of the layer's output. @throws MoteError UNSUPPORTED for attributes that fit no such layer */
export function outputShape(graph: string, layer: Layer, inputs: readonly Shape[]): Shape {
  const where = `${graph}/${layer.name}`;
  const { least, most } = floatOp(layer).joins ?? { least: 1, most: 1 };
  if (inputs.length < least || inputs.length > most) {
    const expected = least === most ? `${least}` : `${least} or more`;
    throw new MoteError("UNSUPPORTED", `${where}: reads ${inputs.length} tensors, expected ${expected}`);
  }
  checkAttributes(where, layer);
  return floatOp(layer).outputShape(layer, inputs, where);
}

/** The most steps that a sample may have. */
export const MAX_STEPS = 1000;

/** The most layers that a graph may have in all its steps: what plans their memory takes some seconds then. */
const MAX_UNROLLED = 50_000;

/** Of a sample: the input's, or with states rows of as many values, one a step. */
export const sampleShape = ({ input, steps }: Graph): Shape =>
  steps === undefined ? input.shape : [1, steps, valuesOf(input.shape)];

/** What is told without shapes of tensors. @throws MoteError UNSUPPORTED for states or steps that cannot be, or without each other */
function checkSteps({ name, input, layers, states, steps }: Graph): void {
  const fail = (what: string): never => {
    throw new MoteError("UNSUPPORTED", `${name}: ${what}`);
  };
  if (states === undefined && steps === undefined) return;
  if (states === undefined || states.length === 0) fail(`${steps} steps without states, expected both or neither`);
  if (!Number.isInteger(steps) || steps! < 2 || steps! > MAX_STEPS)
    fail(`steps is ${steps ?? "missing"}, with states expected 2 … ${MAX_STEPS}`);
  if (steps! * layers.length > MAX_UNROLLED)
    fail(`${layers.length} layers in ${steps} steps, expected at most ${MAX_UNROLLED} in all of them`);
  if (input.shape[1] * input.shape[2] !== 1)
    fail(`the input of a step is [${input.shape.join(", ")}], with states expected a vector, [features, 1, 1]`);
  // Its statistics would be those of all steps, which are not there at once.
  const norm = layers.find(({ op }) => op === "batchnorm");
  if (norm !== undefined) fail(`${norm.name}: a batch normalization is not trained in a net with states`);
}

/** What states take over. @throws MoteError UNSUPPORTED for what no layer makes, or of another shape */
function checkSources({ name, layers, states = [] }: Graph, shapes: ReadonlyMap<string, Shape>): void {
  for (const { tensor, shape, source } of states) {
    const where = `${name}: state "${tensor}"`;
    if (!layers.some(({ output }) => output === source))
      throw new MoteError("UNSUPPORTED", `${where}: no layer makes its source, "${source}"`);
    const made = shapes.get(source)!;
    if (made.join() === shape.join()) continue;
    const found = `its source "${source}" is [${made.join(", ")}]`;
    throw new MoteError("UNSUPPORTED", `${where}: ${found}, expected its own shape, [${shape.join(", ")}]`);
  }
}

/**
 * The shape of every tensor by name: of the input, of states, then of the layers' outputs in their order.
 * @throws MoteError UNSUPPORTED for attributes out of range, a name that occurs twice, a layer whose input is not made before it, or whose
 *   output is neither read nor a result, a result that no layer makes in this order, or states that do not fit
 */
export function tensorShapes(graph: Graph): Map<string, Shape> {
  checkSteps(graph);
  const shapes = new Map([[graph.input.name, graph.input.shape]]);
  for (const { tensor, shape } of graph.states ?? []) {
    if (shapes.has(tensor))
      throw new MoteError("UNSUPPORTED", `${graph.name}: the name of state "${tensor}" occurs twice`);
    shapes.set(tensor, shape);
  }
  const layerNames = new Set<string>();
  const used = new Set(readOutside(graph));
  for (const layer of graph.layers) {
    const where = `${graph.name}/${layer.name}`;
    const inputs = inputsOf(layer).map((name) => {
      used.add(name);
      const shape = shapes.get(name);
      if (shape !== undefined) return shape;
      throw new MoteError("UNSUPPORTED", `${where}: no layer before makes its input, "${name}"`);
    });
    if (shapes.has(layer.output) || layerNames.has(layer.name))
      throw new MoteError("UNSUPPORTED", `${where}: the layer's name or its output occurs twice`);
    layerNames.add(layer.name);
    shapes.set(layer.output, outputShape(graph.name, layer, inputs));
  }
  if (graph.layers.length === 0) throw new MoteError("UNSUPPORTED", `${graph.name}: a graph needs at least one layer`);
  const idle = graph.layers.find(({ output }) => !used.has(output));
  if (idle !== undefined) {
    throw new MoteError(
      "UNSUPPORTED",
      `${graph.name}/${idle.name}: its output "${idle.output}" is read by no layer, and no result`,
    );
  }
  const unread = graph.states?.find(({ tensor }) => !used.has(tensor));
  if (unread !== undefined)
    throw new MoteError("UNSUPPORTED", `${graph.name}: state "${unread.tensor}" is read by no layer`);
  checkSources(graph, shapes);
  const results = resultsOf(graph);
  const made = graph.layers.map(({ output }) => output);
  results.forEach((result, index) => {
    const at = made.indexOf(result);
    if (at < 0) throw new MoteError("UNSUPPORTED", `${graph.name}: no layer makes its output, "${result}"`);
    if (index > 0 && at <= made.indexOf(results[index - 1]))
      throw new MoteError(
        "UNSUPPORTED",
        `${graph.name}: its output "${result}" is made before "${results[index - 1]}"`,
      );
  });
  return shapes;
}

/**
 * Names and shapes of a graph's weights, biases and what else its layers have, as Net has them.
 * @throws MoteError UNSUPPORTED, see tensorShapes
 */
export function parameterShapes(graph: Graph): Map<string, number[]> {
  const shapes = tensorShapes(graph);
  const parameters = new Map<string, number[]>();
  for (const layer of graph.layers) {
    const input = shapes.get(inputOf(layer))!;
    for (const kind of floatOp(layer).perChannel ?? []) parameters.set(`${layer.name}.${kind}`, [input[0]]);
    if (!hasWeights(layer)) continue;
    const weights = floatWeights(layer);
    const rows = weights.rows(layer);
    const columns = weights.columns(layer, input);
    parameters.set(`${layer.name}.weight`, [rows, ...columns]);
    parameters.set(`${layer.name}.bias`, [rows]);
  }
  return parameters;
}
