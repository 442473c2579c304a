/**
 * What the kernels make of dense nets, half-sparse ones and pruned ones: instructions, SRAM and flash on emulated boards, beside what
 * rivals take. The dense nets come from the folder MOTE_ZOO; the LeNets' figures are those that bench/device.json keeps.
 */
import { MoteError } from "../../host/errors.js";
import type { FastLayout } from "../../host/fast/memory.js";
import { fastParts } from "../../host/fast/parts.js";
import { readBaseline } from "../../host/node/firmware/baseline.js";
import { ENGINES, type FirmwareEngine } from "../../host/firmware/engines.js";
import { BOARDS, toolsOf } from "../../host/node/firmware/boards.js";
import { firmwareImage } from "../../host/node/firmware/image.js";
import type { Measurement } from "../../host/node/firmware/measure.js";
import { missingTools } from "../../host/node/firmware/tools.js";
import { atMost, type BenchOptions, type Figure, type Group } from "./figure.js";
import { halfSparseFigures } from "./half-sparse.js";
import { layersBeside, withRivals } from "./rivals.js";
import { onBoard } from "./zoo-boards.js";
import { INT8_NETS, zooContainer, type Int8Net } from "./zoo-nets.js";

const M3 = "lm3s6965evb";
const M4 = "netduinoplus2";

/** What a figure is of a measurement. */
type What = "instructions" | "SRAM in all" | "flash in all";

const WHAT: Readonly<Record<What, readonly [unit: string, of: (m: Measurement) => number]>> = {
  instructions: ["", (m) => m.instructions],
  "SRAM in all": ["B", (m) => m.sramBytes.total],
  "flash in all": ["B", (m) => m.flashBytes.total],
};

type Row = readonly [id: string, what: What, most: number];

/** Of a net on a board by an engine. */
interface Place {
  readonly net: Int8Net;
  readonly board: string;
  readonly engine: FirmwareEngine;
  readonly layout?: FastLayout;
  readonly rows: readonly Row[];
}

/** Layers by lines where that saves SRAM, and the input by rows. */
const LEAST: FastLayout = { ram: "least" };
const ROWS: FastLayout = { inputRows: true };
/** The least of VWW reads its weights more often than the instructions allow. */
const VWW_ROWS: FastLayout = { inputRows: true, ram: 30 * 1024 };

/** Ahead of time and as data, which may take no more. */
const compiled = (
  net: Int8Net,
  instructions: number,
  sramKilobytes: number,
  layout: FastLayout | undefined,
  more: readonly Row[] = [],
): Place[] => {
  const rows = (id: string, sram: string): Row[] => [
    [id, "instructions", instructions],
    [sram, "SRAM in all", sramKilobytes * 1024],
  ];
  const laidOut = layout === undefined ? {} : { layout };
  return [
    { net, board: M4, engine: "aot", ...laidOut, rows: [...rows(`${net}.aot`, `${net}.sram`), ...more] },
    { net, board: M4, engine: "data", ...laidOut, rows: rows(`${net}.data`, `${net}.data.sram`) },
  ];
};

const PLACES: readonly Place[] = [
  ...compiled("kws", 8_700_000, 13, undefined, [["kws.flash", "flash in all", 60 * 1024]]),
  ...compiled("vww", 16_000_000, 32, VWW_ROWS),
  ...compiled("person", 22_800_000, 32, ROWS),
  ...compiled("resnet", 33_000_000, 30, ROWS),
  ...compiled("ad", 850_000, 4, undefined),
  ...compiled("wake", 310_000, 15, undefined),
  { net: "kws", board: M4, engine: "wasm3", rows: [["kws.wasm3", "instructions", 130_000_000]] },
  { net: "ad", board: M4, engine: "wasm3", rows: [["ad.wasm3", "instructions", 15_000_000]] },
  { net: "kws", board: M4, engine: "native", rows: [["kws.native", "instructions", 12_000_000]] },
  { net: "wake", board: M4, engine: "wasm3", rows: [["wake.wasm3", "instructions", 5_500_000]] },
  { net: "wake", board: M4, engine: "native", rows: [["wake.native", "instructions", 2_800_000]] },
  { net: "vww", board: M4, engine: "native", rows: [["vww.native", "instructions", 20_000_000]] },
  { net: "kws", board: "riscv32", engine: "aot", rows: [["kws.rv32", "instructions", 16_000_000]] },
];

/** Bytes of a fast module's stream. */
const STREAMS: readonly (readonly [net: Int8Net, most: number])[] = [
  ["kws", 33_000],
  ["person", 260_000],
];

/** The LeNets' fast modules, by bench/device.json. By the interpreter alone none may take more than it did without the kernels. */
const LENETS: readonly (readonly [model: string, board: string, engine: FirmwareEngine, row: Row])[] = [
  ["lenet5", M4, "aot", ["lenet5.aot", "instructions", 200_000]],
  ["lenet5", M3, "aot", ["lenet5.aot.m3", "instructions", 230_000]],
  ["lenet5", "riscv32", "aot", ["lenet5.aot.rv32", "instructions", 420_000]],
  ["lenet5", "microbit", "aot", ["lenet5.aot.m0", "instructions", 650_000]],
  ["lenet5", M4, "aot", ["lenet5.aot.sram", "SRAM in all", 4_198]],
  ["lenet5-paper", M4, "aot", ["paper.aot", "instructions", 1_200_000]],
  ["lenet5", M4, "native", ["lenet5.wasm3", "instructions", 220_000]],
  ["lenet5", M3, "native", ["lenet5.wasm3.m3", "instructions", 250_000]],
  ["lenet5", "riscv32", "native", ["lenet5.wasm3.rv32", "instructions", 460_000]],
  ["lenet5", M4, "native", ["lenet5.sram", "SRAM in all", 9_600]],
  ["lenet5", M4, "data", ["lenet5.data", "instructions", 220_000]],
  ["lenet5", M4, "data", ["lenet5.data.sram", "SRAM in all", 4_198]],
  ["lenet5-paper", M4, "native", ["paper.wasm3", "instructions", 1_500_000]],
  ["lenet300", M4, "native", ["lenet300.wasm3", "instructions", 90_000]],
  ["lenet300-paper", M4, "native", ["lenet300-paper.wasm3", "instructions", 350_000]],
  ["lenet5", M4, "wasm3", ["lenet5.plain", "instructions", 2_671_477]],
  ["lenet5-paper", M4, "wasm3", ["paper.plain", "instructions", 15_483_213]],
  ["lenet300", M4, "wasm3", ["lenet300.plain", "instructions", 870_790]],
  ["lenet300-paper", M4, "wasm3", ["lenet300-paper.plain", "instructions", 3_850_829]],
];

export const kernelsGroup: Group = {
  name: "kernels",
  summary: "instructions, SRAM and flash on emulated boards beside rivals': LeNets, and nets from the folder MOTE_ZOO",
  measure: measureKernels,
};

/** Of the figures that rivals may have. */
export function kernelIds(): string[] {
  const rows = [...PLACES.flatMap((place) => place.rows), ...LENETS.map(([, , , row]) => row)];
  return rows.map(([id]) => `kernels.${id}`);
}

async function measureKernels({ note }: BenchOptions): Promise<Figure[]> {
  const figures = leNetFigures(readBaseline());
  const boards = BOARDS.filter(({ name }) => name === M3 || PLACES.some(({ board }) => board === name));
  const missing = missingTools(toolsOf(boards, ENGINES));
  if (missing.length > 0) {
    note(`no more figures, not installed: ${missing.join(", ")}`);
    return figures;
  }
  figures.push(...(await halfSparseFigures(note)));
  const folder = process.env.MOTE_ZOO;
  if (folder === undefined || folder === "") {
    note("no figures of dense nets, since MOTE_ZOO names no folder of nets");
    return figures;
  }
  return [...(await netFigures(folder, note)), ...figures];
}

/** @param nets of which nets; default: all */
export async function netFigures(
  folder: string,
  note: (text: string) => void,
  nets: readonly Int8Net[] = Object.keys(INT8_NETS) as Int8Net[],
): Promise<Figure[]> {
  const figures: Figure[] = [];
  let [runs, equal] = [0, 0];
  for (const place of PLACES.filter(({ net }) => nets.includes(net))) {
    const { net, board, engine, layout } = place;
    note(`${INT8_NETS[net]} on ${board} by ${engine}${layout === undefined ? "" : wordsOf(layout)}`);
    const measured = await onBoard({ id: net, board, engine, layout }, folder);
    runs++;
    if (measured.logitsEqual) equal++;
    figures.push(...place.rows.map((row) => figureOf(row, measured)));
    const layers = layersBeside(`kernels.${place.rows[0][0]}`);
    if (layers !== undefined) note(`M instructions by layer, of CMSIS-NN: ${layerPairs(measured, layers)}`);
  }
  if (nets.includes("vww")) figures.push(await vwwOnM3(folder, note));
  for (const [net, most] of STREAMS.filter(([net]) => nets.includes(net))) {
    const { stream } = fastParts(firmwareImage(zooContainer(folder, net), "speed").module);
    figures.push(atMost(`kernels.${net}.stream`, `${net}, stream of the fast module`, stream.length, "B", most));
  }
  const parity = {
    id: "kernels.parity",
    name: "of these runs on boards, outputs equal to the host's",
    value: equal,
    unit: "",
  };
  return [...figures, { ...parity, target: `all ${runs}`, met: equal === runs }];
}

const wordsOf = ({ inputRows }: FastLayout): string =>
  inputRows === true ? ", the input and layers by lines" : ", layers by lines";

/** As "3.85 : 1.12, 1.72 : 0.55": ours and a rival's. */
function layerPairs({ instructionsPerLayer }: Measurement, rival: readonly number[]): string {
  const millions = (count: number | undefined): string => (count === undefined ? "-" : (count / 1e6).toFixed(2));
  return instructionsPerLayer.map((count, layer) => `${millions(count)} : ${millions(rival[layer])}`).join(", ");
}

/** @param row its id, what it is, and how much that may be */
function figureOf([id, what, most]: Row, measured: Measurement): Figure {
  const [unit, of] = WHAT[what];
  const { model, board, engine, optimize } = measured;
  const name = `${model} on ${board} by ${engine} for ${optimize}: ${what}`;
  return withRivals(atMost(`kernels.${id}`, name, of(measured), unit, most));
}

/** Whether the net runs at all by the interpreter in 64 KB, with native kernels, and layers by lines. */
async function vwwOnM3(folder: string, note: (text: string) => void): Promise<Figure> {
  const where = { id: "vww", board: M3, engine: "native", layout: LEAST } as const;
  note(`${INT8_NETS.vww} on ${M3} by wasm3 with native kernels`);
  const name = `${INT8_NETS.vww} on ${M3}, 64 KB, by wasm3 with native kernels`;
  const figure = (value: string, met: boolean): Figure => ({
    id: "kernels.vww.m3",
    name,
    value,
    unit: "",
    target: "runs",
    met,
  });
  try {
    const { logitsEqual } = await onBoard(where, folder);
    return logitsEqual ? figure("runs", true) : figure("other outputs", false);
  } catch (error) {
    if (!(error instanceof MoteError && error.code === "MEMORY")) throw error;
    note(error.message);
    return figure("does not fit", false);
  }
}

function leNetFigures(baseline: readonly Measurement[]): Figure[] {
  return LENETS.map(([model, board, engine, row]) => {
    const kept = baseline.find(
      (m) => m.model === model && m.board === board && m.engine === engine && m.optimize === "speed",
    );
    if (kept === undefined) {
      throw new MoteError("FORMAT", `bench/device.json has no fast ${model} by ${engine} on ${board}`);
    }
    return figureOf(row, kept);
  });
}
