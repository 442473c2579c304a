/**
 * Digits in a React Native app, by a packed module among its assets: npx mote pack models/lenet5.mote --out lenet5.wasm.
 * Metro takes it for an asset once resolver.assetExts in metro.config.js has "wasm"; its bytes come by what the app reads files with, such as
 * expo-asset and expo-file-system. A component does: const digits = await openDigits(bytes); digits(pixels)
 */
import { openModel, type Pixels } from "mote-nn/module";
import { installWebAssembly } from "./webassembly.js";

installWebAssembly();

/**
 * @param module the bytes of the file
 * @returns what says which digit a picture shows, and how surely: white on black, RGBA, of any size
 */
export async function openDigits(module: ArrayBuffer | Uint8Array): Promise<(picture: Pixels) => string> {
  const model = await openModel(module);
  return (picture) => {
    const [{ label, probability }] = model.classify(picture);
    return `${label}, ${(100 * probability).toFixed(1)} %`;
  };
}
