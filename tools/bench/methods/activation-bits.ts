/** A net of real numbers calibrated to activations of 8 and of 16 bits: what the wider ones cost, and how near to the net they come. */
import { containerBits } from "../../../host/data/file-kind.js";
import { opsOfOneRun } from "../../../host/engines/counted.js";
import { builtCore } from "../../../host/node/built.js";
import { builtFile } from "../../../host/node/paths.js";
import { calibratedNet, type CalibratedNet, type CalibrationData } from "../calibrated.js";
import { rounded, type Figure } from "../figure.js";
import { linearMemory } from "../sizes.js";
import type { MethodFamily } from "./family.js";

const NET = "recipes/nets/dscnn.onnx";
/** All test samples would take minutes. */
const DATA: CalibrationData = { samples: "fashion:train:500", test: "fashion:test:1000" };

export const activationMethods: MethodFamily = {
  name: "activation-bits",
  measure: ({ note }) => activationFigures(DATA, note),
};

export async function activationFigures(data: CalibrationData, note: (text: string) => void): Promise<Figure[]> {
  const figures: Figure[] = [];
  let narrow: Costs | undefined;
  for (const bits of [8, 16] as const) {
    note(`${bits} bits`);
    const net = await calibratedNet(builtFile(NET), data, bits);
    const costs = costsOf(net.container);
    figures.push(...figuresOf(`${bits}`, net, costs, narrow));
    narrow ??= costs;
  }
  return figures;
}

interface Costs {
  /** Bytes of the container, and of linear memory under wasm3 with the container behind the window. */
  readonly bytes: number;
  readonly memory: number;
  /** WebAssembly instructions of a run. */
  readonly instructions: number;
}

const costsOf = (container: Uint8Array): Costs => ({
  bytes: container.length,
  memory: linearMemory(container, false),
  instructions: opsOfOneRun(container, builtCore(containerBits(container))),
});

/** @param narrow what int8 costs, which others stand beside */
function figuresOf(bits: string, net: CalibratedNet, costs: Costs, narrow: Costs | undefined): Figure[] {
  const { errors, realErrors, agreeing, count } = net;
  const percent = (wrong: number): number => rounded((100 * wrong) / count, 4);
  const figure = (part: string, what: string, value: number, unit: string, beside?: Figure["beside"]): Figure => ({
    id: `methods.activation-bits.${bits}.${part}`,
    name: `DS-CNN on Fashion-MNIST, activations of ${bits} bits: ${what}`,
    value,
    unit,
    ...(beside && { beside }),
  });
  const cost = (part: keyof Costs, what: string, unit: string): Figure =>
    figure(part, what, costs[part], unit, narrow && { "8 bits": narrow[part] });
  return [
    cost("memory", "linear memory, model behind the window", "B"),
    cost("instructions", "wasm instructions per inference", ""),
    cost("bytes", "container", "B"),
    figure("error", `error on ${count.toLocaleString("en")} test samples`, percent(errors), "%", {
      "real numbers": percent(realErrors),
    }),
    figure(
      "same",
      `of ${count.toLocaleString("en")} test samples, those with the class of the real numbers`,
      agreeing,
      "",
    ),
  ];
}
