/** What `mote pack` makes of its argument: the bytes of a container. */
import { statSync } from "node:fs";
import { uncertified } from "../host/container/certificate.js";
import { writeMetadata } from "../host/container/metadata.js";
import { readContainer } from "../host/container/read.js";
import { withMetadata, writeContainer, type ContainerKind, type WriteOptions } from "../host/container/write.js";
import { isSmallMote } from "../host/data/file-kind.js";
import { MoteError } from "../host/errors.js";
import type { ImportedContainer } from "../host/import/imported-container.js";
import { isWasm } from "../host/module/sections.js";
import { isGraphName } from "../host/node/import/open-graph.js";
import { readFile } from "../host/node/read-file.js";
import { readCheckpoint } from "../host/node/train/checkpoint.js";
import { quantize } from "../host/quantize/quantize.js";
import { codecIn, codecOptions, type CodecFlags } from "./codec-flags.js";
import { flagOf } from "./flag-name.js";
import { importContainer, isImportable, type ImportFlags } from "./import-model.js";
import { containerOf, isContainer, isFloatNet, namingFile, notOneOf, withFileName } from "./model-file.js";
import type { TrimFlags } from "./pack-trim.js";
import type { VectorFlags } from "./vector-flags.js";

interface ContainerFlags extends ImportFlags, CodecFlags, TrimFlags, VectorFlags {
  readonly window?: number;
  readonly tables?: number;
}

/** Flags that say what a net of another format is given. */
const FOREIGN_FLAGS = ["calibrate", "bits", "activationBits", "colours", "shape"] as const;
/** And how the samples are to be seen that it, or anything else, is given. */
const READING_FLAGS = ["layout", "scale", "mean", "std"] as const;

export interface PackedContainer extends ImportedContainer {
  /** Of the file of a net of another format, without files that it names. */
  readonly netBytes?: number;
}

/**
 * The bytes of the container that a file is or becomes.
 * @param isModule whether they go into a packed module, which is larger by a small container, and mote-nn/module does not read one
 */
export async function packedContainer(
  path: string,
  flags: ContainerFlags,
  isModule: boolean,
  note: (line: string) => void,
): Promise<PackedContainer> {
  const { window, tables } = flags;
  const options = {
    ...(window === undefined ? {} : { windowBytes: window }),
    ...(tables === undefined ? {} : { tableBytes: tables }),
    ...codecOptions(flags),
  };
  // Nets of other formats may be larger than what one buffer holds.
  const file = isGraphName(path) ? undefined : readFile(path);
  if (file === undefined || isImportable(path, file)) {
    const imported = await importContainer(path, file, flags, options, note).catch((error: unknown) => {
      throw withFileName(path, error);
    });
    return { ...imported, netBytes: statSync(path).size };
  }
  const isRead = (flags.trim ?? flags.vectorsData) !== undefined;
  const foreign = [...FOREIGN_FLAGS, ...(isRead ? [] : READING_FLAGS)].find((flag) => flags[flag] !== undefined);
  if (foreign !== undefined) throw new MoteError("ARGUMENT", `${flagOf(foreign)}: ${path} is no net of another format`);
  if (isWasm(file) || isContainer(path, file)) {
    if (window !== undefined || tables !== undefined) {
      throw new MoteError("ARGUMENT", `${path} is packed already: --window and --tables are for a net to be packed`);
    }
    const bytes = namingFile(path, () => containerOf(file));
    const isAsked = (flags.codec ?? flags.decodeCost ?? flags.container) !== undefined;
    const isSmall = isSmallMote(bytes);
    if (!isAsked && !(isSmall && isModule)) return { bytes };
    return {
      bytes: namingFile(path, () => recoded(bytes, isSmall ? (isModule ? "plain" : "small") : undefined, options)),
    };
  }
  if (!isFloatNet(path, file)) {
    throw notOneOf(
      path,
      file,
      "a net (.tflite, .onnx, .caffemodel, .net, .json, or .safetensors by mote compress), .mote or .wasm",
    );
  }
  return { bytes: namingFile(path, () => writeContainer(quantize(readCheckpoint(path).net), options)) };
}

/** A container with its weights coded anew. @param kind of a small one: what becomes of it, by the codecs that it has, where options do not say otherwise */
function recoded(bytes: Uint8Array, kind: ContainerKind | undefined, options: WriteOptions): Uint8Array {
  const container = readContainer(bytes);
  const same = kind === undefined ? {} : { codec: codecIn(container), container: kind };
  return writeContainer(uncertified(container.model), { windowBytes: container.plan.window, ...same, ...options });
}

/** @param labelsPath a text file with a label a line; those that the container has are replaced */
export function withLabels(path: string, bytes: Uint8Array, labelsPath: string | undefined): Uint8Array {
  if (labelsPath === undefined) return bytes;
  const container = namingFile(path, () => readContainer(bytes));
  const labels = readLines(labelsPath);
  const metadata = namingFile(labelsPath, () => writeMetadata({ ...container.model, labels }));
  return withMetadata(bytes, container, metadata);
}

/** @throws MoteError FORMAT for a file that is not UTF-8 */
function readLines(path: string): string[] {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(readFile(path));
    return text.replace(/\r?\n$/, "").split(/\r?\n/);
  } catch (error) {
    if (error instanceof MoteError) throw error;
    throw new MoteError("FORMAT", `${path}: expected UTF-8 text with a label a line`, { cause: error });
  }
}
