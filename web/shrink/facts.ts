/** What the room shows of a model, as plain numbers. */
import { MODEL_SLACK_BYTES, PLAN_BASE, TENSOR_ENTRY_BYTES } from "../../assembly/abi.js";
import { planTotal, REGIONS, tensorLives } from "../../host/container/plan.js";
import type { Container } from "../../host/container/read.js";
import { arrange } from "../../host/import/arrange.js";
import type { ImportedContainer } from "../../host/import/imported-container.js";
import type { ImportedNet, NetWeights } from "../../host/import/net.js";
import { eachBlock } from "../../host/import/rows.js";
import { tensorBytes } from "../../host/model/geometry.js";
import { isWeighted } from "../../host/ops/index.js";
import { reportContainer } from "../../host/report/container.js";
import { denseFloatEnergy, packedEnergy } from "../../host/report/energy.js";
import { modelPicture } from "./graph-picture.js";
import type { GraphPicture, LayerFacts, MemoryFacts, SamplesInfo, Shrunk } from "./protocol.js";

export interface Origin {
  readonly name: string;
  readonly kind: string;
  readonly netBytes?: number | undefined;
  readonly samples?: SamplesInfo | undefined;
  readonly notes: readonly string[];
  /** Where it was imported. */
  readonly net?: ImportedNet;
  readonly fileGraph?: GraphPicture | undefined;
  readonly calibration?: ImportedContainer["calibration"] | undefined;
}

export function factsOf(container: Container, origin: Origin): Shrunk {
  const { name, kind, netBytes, samples, notes, net, fileGraph, calibration } = origin;
  const report = reportContainer(container);
  // Layers of the model are those of the arranged net.
  const nodes = net && arrange(net).layers;
  const layers = report.layers.map((layer, index): LayerFacts => {
    const own = container.model.layers[index];
    const node = nodes?.[index];
    const before = node !== undefined && "weights" in node ? countsOf(node.weights) : undefined;
    const decibels = calibration?.layers[index].snr;
    return {
      ...layer,
      name: node?.name,
      ...(isWeighted(own)
        ? { weightCounts: { packed: counted(own.weights), ...(before === undefined ? {} : { before }) } }
        : {}),
      ...(decibels === undefined ? {} : { decibels }),
    };
  });
  return {
    name,
    kind,
    netBytes,
    samples,
    notes,
    report,
    layers,
    memory: memoryOf(container),
    energy: { dense: denseFloatEnergy(report), packed: packedEnergy(report) },
    graphs: { model: modelPicture(container, layers), ...(fileGraph === undefined ? {} : { file: fileGraph }) },
    labels: container.model.labels,
    outputDecibels: calibration && Math.min(...calibration.outputs.map(({ snr }) => snr)),
  };
}

function counted(weights: Int8Array): number[] {
  const counts = new Float64Array(256);
  for (const weight of weights) counts[weight + 128]++;
  return Array.from(counts);
}

/** In steps of the int8 that each row would have by itself, as `calibrate` makes it. */
function countsOf(weights: NetWeights): number[] {
  const { values, columns } = weights;
  if (values instanceof Int8Array) return counted(values);
  const counts = new Float64Array(256);
  eachBlock(weights, (real, _first, count) => {
    for (let row = 0, at = 0; row < count; row++, at += columns) {
      let most = 0;
      for (let i = at; i < at + columns; i++) most = Math.max(most, Math.abs(real[i]));
      const perStep = most > 0 ? 127 / most : 0;
      for (let i = at; i < at + columns; i++) counts[Math.round(real[i] * perStep) + 128]++;
    }
  });
  return Array.from(counts);
}

function memoryOf(container: Container): MemoryFacts {
  const { model, plan, fileBytes } = container;
  const tableBytes = TENSOR_ENTRY_BYTES * plan.offsets.length;
  const regions = [
    { name: "control block", address: 0, bytes: PLAN_BASE },
    { name: "tensor table", address: PLAN_BASE, bytes: tableBytes },
  ];
  let address = PLAN_BASE + tableBytes;
  for (const name of REGIONS) {
    regions.push({ name, address, bytes: plan[name] });
    address += plan[name];
  }
  const arena = address - plan.arena;
  return {
    bytes: planTotal(plan),
    residentBytes: planTotal(plan, true) + fileBytes + MODEL_SLACK_BYTES,
    regions,
    lives: tensorLives(model).map((life, index) => ({
      ...life,
      name: model.tensors[index].shape.join(" × "),
      address: arena + plan.offsets[index],
      bytes: tensorBytes(model.tensors[index]),
      isByLines: false,
    })),
    steps: model.layers.length,
  };
}
