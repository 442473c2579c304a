/** A node with what is known of its tensors, as the rules on shapes, constants and support ask for it. */
import { MoteError } from "../errors.js";
import { elementBits, elementsOf } from "./constants.js";
import type { GraphNode, GraphTensor } from "./graph.js";

/** A size, or the symbol of one that is open: "?" where it has no name. */
export type Dim = number | string;
export type Dims = readonly Dim[];

/** Elements that are known, of which some may be symbols: a shape is such a tensor. */
export interface Known {
  readonly shape: readonly number[];
  readonly data: readonly Dim[];
}

/** Dimensions of a tensor. */
export const MAX_RANK = 16;

/** Shapes, axes and scales are short; what is longer is not read for them. */
export const MAX_KNOWN = 256;

export function isWhole(shape: Dims | undefined): shape is readonly number[] {
  return shape !== undefined && shape.every((size) => typeof size === "number");
}

/** The elements of a short constant of numbers. @throws MoteError of `Constant.values` */
export function knownConstant({ shape, type, constant }: GraphTensor): Known | undefined {
  if (constant === undefined || elementBits(type) === undefined) return undefined;
  if (!isWhole(shape) || elementsOf(shape) > MAX_KNOWN) return undefined;
  return { shape, data: [...constant.values()] };
}

export class NodeView {
  /** @param known elements of the tensor with that index, if they are known; those of short constants by default */
  constructor(
    readonly node: GraphNode,
    private readonly tensors: readonly GraphTensor[],
    private readonly known: (index: number) => Known | undefined = (index) => knownConstant(tensors[index]),
  ) {}

  get op(): string {
    return this.node.op;
  }

  input(i: number): GraphTensor | undefined {
    const index = this.node.inputs[i] ?? -1;
    return index < 0 ? undefined : this.tensors[index];
  }

  /** @throws MoteError FORMAT where there is no such input */
  required(i: number): GraphTensor {
    return this.input(i) ?? this.fail(`has no input ${i}`);
  }

  shape(i: number): Dims | undefined {
    return this.input(i)?.shape;
  }

  output(i: number): GraphTensor | undefined {
    const index = this.node.outputs[i] ?? -1;
    return index < 0 ? undefined : this.tensors[index];
  }

  value(i: number): Known | undefined {
    const index = this.node.inputs[i] ?? -1;
    return index < 0 ? undefined : this.known(index);
  }

  /** The elements of a short input without symbols. */
  numbers(i: number): readonly number[] | undefined {
    const data = this.value(i)?.data;
    return isWhole(data) ? data : undefined;
  }

  /** @throws MoteError FORMAT from these when the attribute is of another kind */
  number<T>(name: string, fallback: T): number | T {
    const value = this.attribute(name);
    if (value === undefined) return fallback;
    return typeof value === "number" ? value : this.fail(`attribute ${name} is not a number`);
  }

  list<T>(name: string, fallback: T): readonly number[] | T {
    const value = this.attribute(name);
    if (value === undefined) return fallback;
    const isList = Array.isArray(value) && value.every((element) => typeof element === "number");
    return isList ? (value as readonly number[]) : this.fail(`attribute ${name} is not a list of numbers`);
  }

  text(name: string, fallback: string): string {
    const value = this.attribute(name);
    if (value === undefined) return fallback;
    return typeof value === "string" ? value : this.fail(`attribute ${name} is not a text`);
  }

  flag(name: string): boolean {
    const value = this.attribute(name);
    if (value === undefined) return false;
    return typeof value === "boolean" ? value : this.fail(`attribute ${name} is not true or false`);
  }

  /** A list that newer versions of the op take as an input and older ones as an attribute; undefined where it is given but not known. */
  listAt<T>(i: number, name: string, fallback: T): readonly number[] | T | undefined {
    return this.input(i) === undefined ? this.list(name, fallback) : this.numbers(i);
  }

  fail(problem: string): never {
    const { name, op } = this.node;
    throw new MoteError("FORMAT", `node ${name}${name.startsWith(`${op} #`) ? "" : ` (${op})`}: ${problem}`);
  }

  private attribute(name: string): GraphNode["attributes"][string] | undefined {
    return Object.hasOwn(this.node.attributes, name) ? this.node.attributes[name] : undefined;
  }
}

/** "[1, 3, H, W]" */
export function shapeText(shape: Dims | undefined): string {
  return shape === undefined ? "?" : `[${shape.join(", ")}]`;
}
