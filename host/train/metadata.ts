/** Graph and compression as JSON in a checkpoint's metadata: read strictly, since the file may come from anywhere. */
import { MoteError } from "../errors.js";
import { shownJson } from "../json.js";
import { COLOURS, LAYOUTS, type Compression, type Graph, type GraphEnds } from "../model/model.js";
import { allFloatOps } from "../ops/index.js";

type Check = (value: unknown) => boolean;
type Fields = Readonly<Record<string, Check>>;

const isName: Check = (value) => typeof value === "string" && value.length > 0;
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 1;
const isWhole: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isScale: Check = (value) => typeof value === "number" && Number.isFinite(value) && value > 0;
const isListOf =
  (length: number, check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.length === length && value.every(check);
const isInt8: Check = (value) => Number.isInteger(value) && (value as number) >= -128 && (value as number) <= 127;
const isNames: Check = (value) => Array.isArray(value) && value.length > 0 && value.every(isName);
const isOptional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

/** Of each op, from the attributes that it has. */
const LAYERS: Readonly<Record<string, Fields>> = Object.fromEntries(
  allFloatOps().map(([op, { attributes, joins }]) => {
    const edges: Fields = joins === undefined ? { input: isName } : { inputs: isNames };
    const checks = Object.entries(attributes).map(([name, { problem }]): [string, Check] => [
      name,
      (value) => problem(name, value) === null,
    ]);
    return [op, { op: isName, name: isName, ...edges, output: isName, ...Object.fromEntries(checks) }];
  }),
);

function asRecord(value: unknown): Record<string, unknown> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

const isObject: Check = (value) => asRecord(value) !== null;

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MoteError("FORMAT", `${where}: not JSON`, { cause });
  }
}

/** All of `fields` and nothing else. @throws MoteError FORMAT */
function checkFields(value: unknown, fields: Fields, where: string): Record<string, unknown> {
  const record = asRecord(value);
  if (record === null) throw new MoteError("FORMAT", `${where}: expected an object, got ${shownJson(value)}`);
  for (const [key, check] of Object.entries(fields)) {
    if (check(record[key])) continue;
    throw new MoteError("FORMAT", `${where}.${key}: ${shownJson(record[key])} is not a value for it`);
  }
  const unknown = Object.keys(record).find((key) => !Object.hasOwn(fields, key));
  if (unknown !== undefined) throw new MoteError("FORMAT", `${where}: unknown key ${shownJson(unknown)}`);
  return record;
}

/**
 * @param path of the file, for messages
 * @throws MoteError FORMAT for what is not a graph, UNSUPPORTED for an op that this version does not have
 */
export function parseGraph(text: string, path: string): Graph {
  const where = `${path}: mote.graph`;
  return graphOf(parse(text, where), where);
}

/**
 * @param where for messages
 * @throws MoteError FORMAT for what is not a graph, UNSUPPORTED for an op that this version does not have
 */
export function graphOf(value: unknown, where: string): Graph {
  const fields = {
    name: isName,
    input: isObject,
    layers: Array.isArray,
    states: isOptional((states) => Array.isArray(states) && states.length > 0),
    steps: isOptional(isCount),
    outputs: isOptional(isNames),
    ends: isOptional(isObject),
  };
  const graph = checkFields(value, fields, where);
  const input = checkFields(graph.input, { name: isName, shape: isListOf(3, isCount) }, `${where}.input`);
  const tensors = new Set([input.name]);
  const states = ((graph.states ?? []) as unknown[]).map((state, i) => {
    const at = `${where}.states[${i}]`;
    const { tensor, source } = checkFields(state, { tensor: isName, shape: isListOf(3, isCount), source: isName }, at);
    if (tensors.has(tensor)) throw new MoteError("FORMAT", `${at}.tensor: the name ${shownJson(tensor)} occurs twice`);
    tensors.add(tensor);
    return { at, source };
  });
  const given = new Set(tensors);
  const isMade = (tensor: unknown): boolean => tensors.has(tensor) && !given.has(tensor);
  const names = new Set<unknown>();
  for (const [i, layer] of (graph.layers as unknown[]).entries()) {
    const at = `${where}.layers[${i}]`;
    const op = asRecord(layer)?.op;
    if (typeof op !== "string" || !Object.hasOwn(LAYERS, op)) {
      const known = Object.keys(LAYERS).join(", ");
      throw new MoteError("UNSUPPORTED", `${at}: op ${shownJson(op)}; this version has ${known}`);
    }
    const { name, input: from, inputs = [from], output } = checkFields(layer, LAYERS[op], at);
    const missing = (inputs as unknown[]).find((tensor) => !tensors.has(tensor));
    if (missing !== undefined)
      throw new MoteError("FORMAT", `${at}: its input ${shownJson(missing)} is made by no layer before`);
    if (tensors.has(output) || names.has(name)) {
      throw new MoteError("FORMAT", `${at}: the name ${shownJson(name)} or its output occurs twice`);
    }
    tensors.add(output);
    names.add(name);
  }
  const open = states.find(({ source }) => !isMade(source));
  if (open !== undefined)
    throw new MoteError("FORMAT", `${open.at}.source: ${shownJson(open.source)} is made by no layer`);
  const absent = ((graph.outputs ?? []) as unknown[]).find((tensor) => !isMade(tensor));
  if (absent !== undefined) throw new MoteError("FORMAT", `${where}.outputs: ${shownJson(absent)} is made by no layer`);
  if (graph.ends !== undefined) {
    const { names, preprocessing } = checkEnds(graph.ends, `${where}.ends`);
    const ends = 1 + ((graph.outputs as unknown[] | undefined)?.length ?? 1);
    if (names !== undefined && names.length !== ends)
      throw new MoteError("FORMAT", `${where}.ends.names: ${names.length} of them, expected ${ends}`);
    const [channels] = input.shape as number[];
    for (const key of ["mean", "std"] as const) {
      const found = preprocessing?.[key].length ?? channels;
      if (found === channels) continue;
      const expected = `expected ${channels}, one a channel`;
      throw new MoteError("FORMAT", `${where}.ends.preprocessing.${key}: ${found} numbers, ${expected}`);
    }
  }
  return graph as unknown as Graph;
}

const isReals: Check = (value) => Array.isArray(value) && value.every((one) => Number.isFinite(one));
const isScales: Check = (value) => Array.isArray(value) && value.every(isScale);

/** What a model tells its hosts. @param where for messages @throws MoteError FORMAT */
export function checkEnds(value: unknown, where: string): GraphEnds {
  const { preprocessing } = checkFields(
    value,
    { names: isOptional(isNames), labels: isOptional(isNames), preprocessing: isOptional(isObject) },
    where,
  );
  if (preprocessing === undefined) return value as GraphEnds;
  const isOneOf =
    (values: readonly string[]): Check =>
    (one) =>
      values.includes(one as string);
  const fields = { layout: isOneOf(LAYOUTS), colours: isOneOf(COLOURS), mean: isReals, std: isScales };
  checkFields(preprocessing, fields, `${where}.preprocessing`);
  return value as GraphEnds;
}

/** @throws MoteError FORMAT */
export function parseCompression(text: string, path: string): Compression {
  const where = `${path}: mote.compression`;
  const value = parse(text, where);
  const compression = checkFields(
    value,
    {
      nominalChannels: isObject,
      weightScale: isObject,
      activations: isObject,
      biasBits: isOptional(isObject),
      activationBits: isOptional((bits) => bits === 16),
      multiplierBits: isOptional((bits) => isWhole(bits) && (bits as number) <= 30),
    },
    where,
  ) as unknown as Compression;
  const each = (key: keyof Compression, check: Check): void => {
    for (const [name, entry] of Object.entries(compression[key] ?? {})) {
      if (check(entry)) continue;
      throw new MoteError("FORMAT", `${where}.${key}.${name}: ${shownJson(entry)} is not a value for it`);
    }
  };
  each("nominalChannels", isCount);
  each("weightScale", (scale) => isScale(scale) || (Array.isArray(scale) && scale.length > 0 && scale.every(isScale)));
  each("biasBits", (bits) => isWhole(bits) && (bits as number) <= 32);
  each("activations", (activation) => {
    const record = asRecord(activation);
    return record !== null && Object.keys(record).length === 2 && isScale(record.scale) && isInt8(record.zeroPoint);
  });
  return compression;
}
