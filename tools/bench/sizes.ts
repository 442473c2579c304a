/** Bytes of code and of linear memory. */
import { bake, coreWith } from "../../host/node/module/bake.js";
import { bakedContainer } from "../../host/module/baked.js";
import { fastModule } from "../../host/node/fast/fast-module.js";
import { fastParts } from "../../host/fast/parts.js";
import { builtModule } from "../../host/node/built.js";
import { ALL_CONTENTS, type CoreContents } from "../../host/module/contents.js";
import { allIntegerOps } from "../../host/ops/index.js";
import { elementsFor } from "../../host/model/elements.js";
import { valuesOf } from "../../host/model/geometry.js";
import { openEngine } from "../../host/node/engines/open.js";
import { atMost, type Figure, type Group } from "./figure.js";
import { shippedModel } from "./models.js";

export const sizesGroup: Group = {
  name: "sizes",
  summary: "core.wasm, simd.wasm, the core specialised for lenet5, its fast module, linear memory under wasm3",
  measure: measureSizes,
};

async function measureSizes(): Promise<Figure[]> {
  const lenet5 = shippedModel("lenet5");
  const baked = bakedContainer(bake(lenet5));
  const fast = fastModule(lenet5);
  const { codeBytes, stream } = fastParts(fast);
  return [
    ...contentsFigures(),
    atMost("sizes.core", "core.wasm, all ops and codecs", builtModule("build/core.wasm").length, "B", 6_912),
    {
      id: "sizes.simd",
      name: "simd.wasm, the engine for SIMD128",
      value: builtModule("build/simd.wasm").length,
      unit: "B",
    },
    atMost("sizes.lenet5.core", "core specialised for lenet5, without the model", baked.codeBytes, "B", 4_608),
    atMost(
      "sizes.lenet5.window",
      "linear memory, lenet5, model behind the window",
      linearMemory(lenet5, false),
      "B",
      8_192,
    ),
    atMost("sizes.lenet5.resident", "linear memory, lenet5, model inside", linearMemory(lenet5, true), "B", 12_288),
    { id: "sizes.lenet5.fast.code", name: "fast module of lenet5, without the weights", value: codeBytes, unit: "B" },
    { id: "sizes.lenet5.fast.stream", name: "fast module of lenet5, weights", value: stream.length, unit: "B" },
    {
      id: "sizes.lenet5.fast.memory",
      name: "linear memory, lenet5, fast module",
      value: linearMemory(fast, false),
      unit: "B",
    },
  ];
}

/** What each op and codec takes of the core: how much smaller it is without. The two pools are one kernel, and go together. */
function contentsFigures(): Figure[] {
  const bytes = ({ ops, codecs }: CoreContents): number => coreWith({ ops, codecs }).length;
  const all = bytes(ALL_CONTENTS);
  const figure = (kind: "op" | "codec", names: readonly string[], without: CoreContents): Figure => ({
    id: `sizes.${kind}.${names[0]}`,
    name: `of the core: ${kind} ${names.join(", ")}`,
    value: all - bytes(without),
    unit: "B",
  });
  const roomOf = new Map(allIntegerOps().map(([op, { device }]) => [op, device.room]));
  return [
    ...[...new Set(roomOf.values())].map((room) => {
      const names = ALL_CONTENTS.ops.filter((op) => roomOf.get(op) === room);
      return figure("op", names, { ...ALL_CONTENTS, ops: ALL_CONTENTS.ops.filter((op) => !names.includes(op)) });
    }),
    ...ALL_CONTENTS.codecs.map((name) =>
      figure("codec", [name], { ...ALL_CONTENTS, codecs: ALL_CONTENTS.codecs.filter((other) => other !== name) }),
    ),
  ];
}

/** What wasm3 was given: it enforces the limit to the byte, so the model has loaded and run in no more. */
export function linearMemory(file: Uint8Array, resident: boolean): number {
  const engine = openEngine("wasm3", file, { resident });
  try {
    engine.run(elementsFor(engine.input, valuesOf(engine.input.shape)));
    return engine.linearMemoryBytes;
  } finally {
    engine.close();
  }
}
