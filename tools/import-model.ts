/** What `mote pack` makes of nets of other formats. */
import { extname } from "node:path";
import type { WriteOptions } from "../host/container/write.js";
import { isOnnx, isTflite } from "../host/data/file-kind.js";
import { fastestEngine } from "../host/engines/open.js";
import { MoteError } from "../host/errors.js";
import type { CalibrateOptions } from "../host/import/calibrate.js";
import { importedContainer, type ImportedContainer } from "../host/import/imported-container.js";
import { activationBitsOf } from "../host/import/net.js";
import type { ElementBits } from "../host/model/elements.js";
import { openEngine } from "../host/node/engines/open.js";
import { nodeConvolve } from "../host/node/import/convolve.js";
import { Progress } from "../host/node/progress.js";
import { readingOf, type DataFlags, type StepsFlag } from "./data-flags.js";
import { loadNet, loadSamples } from "./net-samples.js";

export interface ImportFlags extends DataFlags, StepsFlag {
  /** Samples by which a net of real numbers is quantized. */
  readonly calibrate?: string;
  readonly range: CalibrateOptions["range"];
  readonly bits?: number;
  readonly activationBits?: ElementBits;
  readonly colours?: "rgb" | "bgr";
  readonly shape?: ReadonlyMap<string, readonly number[]>;
}

/** By its first bytes or its name. */
export function isImportable(path: string, file: Uint8Array): boolean {
  return isTflite(file) || isOnnx(file) || extname(path) === ".tflite";
}

/**
 * @param file its bytes, where they have been read already
 * @param note takes what a user should know, a line each
 * @throws MoteError UNSUPPORTED with all that does not run, ARGUMENT where samples are missing or not needed
 */
export async function importContainer(
  path: string,
  file: Uint8Array | undefined,
  flags: ImportFlags,
  options: WriteOptions,
  note: (line: string) => void,
): Promise<ImportedContainer> {
  const { calibrate: spec, bits, activationBits, range, colours } = flags;
  const net = loadNet(path, file, flags.shape);
  net.notes.forEach(note);
  if (net.isQuantized && bits === undefined && spec !== undefined)
    throw new MoteError("ARGUMENT", "--calibrate: the net is quantized already, and needs no samples but with --bits");
  if (net.isQuantized && activationBits !== undefined)
    throw new MoteError(
      "ARGUMENT",
      `--activation-bits: the net is quantized already, to int${activationBitsOf(net)}; expected one of real numbers`,
    );
  if (!net.isQuantized && spec === undefined) {
    throw new MoteError(
      "ARGUMENT",
      "the net has real numbers; expected --calibrate with samples, some hundred will do",
    );
  }
  const samples = spec === undefined ? undefined : loadSamples(spec, net, flags);
  let progress: Progress | undefined;
  try {
    return await importedContainer(net, samples, {
      range,
      bits,
      activationBits,
      given: { reading: readingOf(flags), colours },
      options,
      convolve: samples && nodeConvolve(),
      open: (bytes) => openEngine(fastestEngine(bytes), bytes),
      note,
      report: (done, of) => (progress ??= new Progress("calibrate", of)).update(done),
    });
  } finally {
    progress?.finish();
  }
}
