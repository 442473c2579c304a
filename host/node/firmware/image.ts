/** What firmware carries of a model, by the modules of this package. */
import { makeImage, imageBeside, type FirmwareImage } from "../../firmware/image.js";
import type { FastLayout } from "../../fast/memory.js";
import type { Optimization } from "../../fast/optimization.js";
import { sealModule } from "../../module/seal.js";
import { builtModule } from "../built.js";

const NAMED = {
  core: () => builtModule("build/core-named.wasm"),
  fast: () => builtModule("build/fast-named.wasm"),
};

/** Those that were made, by container: packing takes a while, and a model is tried on many boards. */
const made = new WeakMap<Uint8Array, Map<string, FirmwareImage>>();

/**
 * @param layout of a fast module
 * @throws MoteError as `makeImage`, ENGINE when a module has not been built
 */
export function firmwareImage(container: Uint8Array, optimize: Optimization, layout: FastLayout = {}): FirmwareImage {
  const images = made.get(container) ?? new Map<string, FirmwareImage>();
  made.set(container, images);
  const key = `${optimize} ${layout.ram} ${layout.inputRows}`;
  const image = images.get(key) ?? makeImage(container, optimize, NAMED, layout);
  images.set(key, image);
  return image;
}

/**
 * With the core for any model.
 * @throws MoteError FORMAT for a bad container, ENGINE when the core has not been built
 */
export function genericImage(container: Uint8Array): FirmwareImage {
  return imageBeside(sealModule(builtModule("build/core.wasm")), container);
}
