/** Which boards a model fits. Takes the optimiser, which is large: it is loaded when this is. */
import { readContainer } from "../../host/container/read.js";
import { MoteError } from "../../host/errors.js";
import type { Optimization } from "../../host/fast/optimization.js";
import { BOARD_MEMORIES, type BoardMemory } from "../../host/firmware/board-memory.js";
import { ENGINES, type FirmwareEngine } from "../../host/firmware/engines.js";
import { fittingForm, total } from "../../host/firmware/fit.js";
import { makeImage, type FirmwareImage, type NamedModules } from "../../host/firmware/image.js";
import type { BoardFit, EngineFit } from "./protocol.js";

/** The fastest first. */
const BY_SPEED: readonly FirmwareEngine[] = ["aot", "data", "native", "wasm3"];

/** No form needs half of what a container's tensors or its bytes take: with more than that nothing has to be tried. */
const HOPELESS = 2;

/** @throws MoteError FORMAT for a bad container, ENGINE for other modules */
export function boardFits(container: Uint8Array, modules: NamedModules): BoardFit[] {
  const sram = readContainer(container).plan.arena;
  const flash = container.length;
  const images = new Map<Optimization, FirmwareImage>();
  const imageOf = (form: Optimization): FirmwareImage => {
    const image = images.get(form) ?? makeImage(container, form, modules);
    images.set(form, image);
    return image;
  };
  const engines = ENGINES.toSorted((a, b) => BY_SPEED.indexOf(a) - BY_SPEED.indexOf(b));
  return Object.values(BOARD_MEMORIES).map((board) => {
    const { name, cpu, ramBytes, flashBytes } = board;
    const isHopeless = sram > HOPELESS * ramBytes || flash > HOPELESS * flashBytes;
    const lack = Math.max(sram - ramBytes, flash - flashBytes);
    const fits = engines.map((engine): EngineFit =>
      isHopeless ? { engine, form: "any form", sram, flash, lack } : fitOf(board, engine, imageOf),
    );
    return { name, cpu, ramBytes, flashBytes, engines: fits };
  });
}

function fitOf(board: BoardMemory, engine: FirmwareEngine, imageOf: (form: Optimization) => FirmwareImage): EngineFit {
  try {
    const { optimize, needs, lack } = fittingForm(board, engine, imageOf);
    const [sram, flash] = needs.map(total);
    return { engine, form: optimize, sram, flash, lack };
  } catch (error) {
    // Such as a fast module whose sums may pass what kernels have.
    if (!(error instanceof MoteError) || error.code === "ENGINE") throw error;
    return { engine, form: "", sram: Infinity, flash: Infinity, lack: Infinity, why: error.message };
  }
}
