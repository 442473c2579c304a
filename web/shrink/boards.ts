/** Which boards a model fits. Takes the optimiser, which is large: it is loaded when this is. */
import { MoteError } from "../../host/errors.js";
import type { Optimization } from "../../host/fast/optimization.js";
import { BOARD_MEMORIES, type BoardMemory } from "../../host/firmware/board-memory.js";
import { ENGINES, type FirmwareEngine } from "../../host/firmware/engines.js";
import { fittingForm, total } from "../../host/firmware/fit.js";
import { makeImage, type FirmwareImage, type NamedModules } from "../../host/firmware/image.js";
import type { BoardFit, EngineFit } from "./protocol.js";

/** The fastest first. */
const BY_SPEED: readonly FirmwareEngine[] = ["aot", "data", "native", "wasm3"];

/** @throws MoteError FORMAT for a bad container, ENGINE for other modules */
export function boardFits(container: Uint8Array, modules: NamedModules): BoardFit[] {
  const images = new Map<Optimization, FirmwareImage>();
  const imageOf = (form: Optimization): FirmwareImage => {
    const image = images.get(form) ?? makeImage(container, form, modules);
    images.set(form, image);
    return image;
  };
  const engines = ENGINES.toSorted((a, b) => BY_SPEED.indexOf(a) - BY_SPEED.indexOf(b));
  return Object.values(BOARD_MEMORIES).map((board) => {
    const { name, cpu, ramBytes, flashBytes } = board;
    return { name, cpu, ramBytes, flashBytes, engines: engines.map((engine) => fitOf(board, engine, imageOf)) };
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
