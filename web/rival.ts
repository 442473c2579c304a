/** What the page says of onnxruntime-web: from bench/rivals.json, when the page is built. */
import { readRivals } from "../tools/bench/rivals.js";

/** Bytes by brotli that a page loads for the same net, as float32. */
export interface RivalBytes {
  readonly name: string;
  readonly version: string;
  readonly engine: number;
  readonly model: number;
}

export function rival(): RivalBytes {
  const { name, version, figures } = readRivals().find((one) => one.figures["web.draw.brotli"] !== undefined)!;
  return { name, version, engine: figures["web.draw.engine.brotli"], model: figures["web.draw.model.brotli"] };
}
