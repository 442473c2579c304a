/** Windows that move over the last axes of a tensor [N, C, ...]: of convolutions and pools, the same for all formats. */
import { numeric } from "./dims.js";
import type { Dim, Dims, NodeView } from "./node-view.js";

/** One number for each axis that the window moves along. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Before the first element and behind the last; where they follow from the sizes, how. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly auto: "none" | "same upper" | "same lower";
  /** The last window may reach beyond the end. */
  readonly ceil: boolean;
}

const AUTO_PADS: ReadonlyMap<string, Windows["auto"]> = new Map([
  ["NOTSET", "none"],
  ["VALID", "none"],
  ["SAME_UPPER", "same upper"],
  ["SAME_LOWER", "same lower"],
]);

/**
 * As ONNX's attributes say.
 * @param sizes of the kernel where the attribute is missing
 * @throws MoteError FORMAT where they are not one for each axis, or out of range
 */
export function windowsOf(node: NodeView, axes: number, sizes?: readonly number[]): Windows {
  const perAxis = (name: string, fallback: number, least: number, count = axes): readonly number[] => {
    const list = node.list(name, undefined) ?? Array.from({ length: count }, () => fallback);
    if (list.length !== count || !list.every((value) => Number.isSafeInteger(value) && value >= least)) {
      node.fail(`${name} [${list.join(", ")}], expected ${count} whole numbers of at least ${least}`);
    }
    return list;
  };
  const kernel = sizes ?? node.list("kernel_shape", undefined) ?? node.fail("has no kernel_shape");
  if (kernel.length !== axes || !kernel.every((size) => Number.isSafeInteger(size) && size >= 1)) {
    node.fail(`a kernel of [${kernel.join(", ")}], expected ${axes} sizes of at least 1`);
  }
  const name = node.text("auto_pad", "NOTSET");
  const auto = AUTO_PADS.get(name) ?? node.fail(`auto_pad ${name}`);
  const pads = perAxis("pads", 0, 0, 2 * axes);
  const hasPads = name === "NOTSET";
  return {
    kernel,
    strides: perAxis("strides", 1, 1),
    dilations: perAxis("dilations", 1, 1),
    before: pads.map((pad) => (hasPads ? pad : 0)).slice(0, axes),
    after: pads.map((pad) => (hasPads ? pad : 0)).slice(axes),
    auto,
    ceil: node.number("ceil_mode", 0) !== 0,
  };
}

/** Elements from a window's first to its last along an axis, both counted. */
export function extent({ kernel, dilations }: Windows, axis: number): number {
  return (kernel[axis] - 1) * dilations[axis] + 1;
}

/** How many windows there are. @param sizes of the input along the axes @throws MoteError FORMAT where none fits */
export function windowCounts(node: NodeView, windows: Windows, sizes: Dims): Dim[] {
  return sizes.map((size, axis) =>
    numeric((input) => {
      const stride = windows.strides[axis];
      if (windows.auto !== "none") return Math.ceil(input / stride);
      const before = windows.before[axis];
      const room = input + before + windows.after[axis] - extent(windows, axis);
      if (room < 0) node.fail(`a kernel of ${extent(windows, axis)} over ${input} elements with their padding`);
      const count = (windows.ceil ? Math.ceil : Math.floor)(room / stride) + 1;
      // A window that would begin behind the input is left out.
      return windows.ceil && (count - 1) * stride >= input + before ? count - 1 : count;
    }, size),
  );
}

/** Padding along an axis with what `auto` means, before and after. */
export function padding(windows: Windows, axis: number, size: number): [before: number, after: number] {
  if (windows.auto === "none") return [windows.before[axis], windows.after[axis]];
  const stride = windows.strides[axis];
  const all = Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent(windows, axis) - size);
  const less = Math.floor(all / 2);
  return windows.auto === "same upper" ? [less, all - less] : [all - less, less];
}
