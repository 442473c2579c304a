/** What a net keeps from run to run: variables of its file, by their names, and states that nodes keep for themselves. */
import { CannotLower } from "./cannot-lower.js";
import type { NetTensor } from "./net.js";
import { isSamePlace, type Layout, type View } from "./view.js";

/** A state's tensor, where it is read, and what it takes over, where that is known. */
interface Kept {
  readonly tensor?: number;
  readonly source?: View;
}

export class KeptStates {
  readonly #byName = new Map<string, Kept>();

  of(name: string): Kept {
    return this.#byName.get(name) ?? {};
  }

  /** @param tensor that a variable's readers read, or a state of a node's own */
  read(name: string, tensor: number): void {
    this.#byName.set(name, { ...this.of(name), tensor });
  }

  /** @param source what it holds for the next run @throws CannotLower where that is said already */
  assign(name: string, source: View): void {
    if (this.of(name).source !== undefined) throw new CannotLower("a variable is assigned twice; expected once");
    this.#byName.set(name, { ...this.of(name), source });
  }

  /** Whether a tensor is a state. */
  has(tensor: number): boolean {
    return [...this.#byName.values()].some((kept) => kept.tensor === tensor);
  }

  /** Names of those that are read; nothing is kept of a variable that is only read behind its assignment. */
  names(): string[] {
    return [...this.#byName].flatMap(([name, { tensor }]) => (tensor === undefined ? [] : [name]));
  }

  /**
   * @param tensors of the net, planar in the layout
   * @returns a state's tensor and the one that it takes over
   * @throws CannotLower where elements would have to move, or to be scaled
   */
  pair(name: string, tensors: readonly NetTensor[], layout: Layout): { tensor: number; source: number } {
    const { tensor = -1, source } = this.of(name);
    if (source === undefined) throw new CannotLower("it is never assigned; expected a constant in its place");
    const [state, from] = [tensors[tensor], tensors[source.tensor]];
    const isSame =
      state.shape.join() === from.shape.join() &&
      isSamePlace(layout, state.shape, source.order.kind, from.shape) &&
      source.pads.every((zeros) => zeros === 0);
    if (!isSame)
      throw new CannotLower(`it is [${state.shape.join(", ")}] and takes over [${from.shape.join(", ")}] planar`);
    const [a, b] = [state.quantization, from.quantization];
    if (a?.scale !== b?.scale || a?.zeroPoint !== b?.zeroPoint) {
      throw new CannotLower(`it has scale ${a?.scale} and takes over a tensor of scale ${b?.scale}; expected the same`);
    }
    return { tensor, source: source.tensor };
  }
}
