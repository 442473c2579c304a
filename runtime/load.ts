/** From a file's bytes to a model that is ready: what all entries of the package share. */
import * as abi from "../assembly/abi.js";
import { MAX_BYTES, MAX_TENSOR_BYTES } from "../assembly/format.js";
import { IMPORT_MODULE, METADATA_SECTION, READ_IMPORT, STREAM_SECTION } from "../assembly/module.js";
import { crc32 } from "../host/container/crc32.js";
import { driverOf } from "../host/engines/driver.js";
import { asMoteError, coreInstance } from "../host/engines/instance.js";
import { readWord, type TensorEntry } from "../host/engines/linear-tensor.js";
import { MoteError } from "../host/errors.js";
import { valuesOf } from "../host/model/geometry.js";
import { isWasm } from "../host/module/sections.js";
import { floatsIn, readMetadata, scalesIn, type SmallFields } from "./header.js";
import { modelOf } from "./model.js";
import type { Model, ModelSource, ModelTensor, OpenOptions } from "./types.js";

const PAGE_BYTES = 65536;
/** A module's last section, with the checksum of all before it. */
const SEAL_BYTES = 15;

/**
 * Opens a model as `openModel` does.
 * @param engine runs what is no module, for errors
 * @param core makes the engine's WebAssembly, or throws
 * @param small reads small containers; absent where only modules come
 * @param grows whether it makes itself the room that it takes
 */
export async function openWith(
  source: ModelSource | Promise<ModelSource>,
  { memoryLimit = MAX_BYTES }: Pick<OpenOptions, "memoryLimit">,
  engine: string,
  core: () => Uint8Array<ArrayBuffer>,
  small?: SmallFields,
  grows = false,
): Promise<Model> {
  if (!(memoryLimit > 0)) throw new RangeError(`memoryLimit: expected a number of bytes above 0, got ${memoryLimit}`);
  const file = await bytesOf(await source);
  const isModule = isWasm(file);
  const name = isModule ? "module" : engine;
  try {
    return await load(name, isModule ? file : core(), file, memoryLimit, small, grows);
  } catch (error) {
    throw asMoteError(name, error);
  }
}

/** @param name of what runs the file, for errors @param program a module is its own */
async function load(
  name: string,
  program: Uint8Array<ArrayBuffer>,
  file: Uint8Array<ArrayBuffer>,
  memoryLimit: number,
  small: SmallFields | undefined,
  grows: boolean,
): Promise<Model> {
  const isModule = program === file;
  if (isModule && readWord(file.subarray(-4), 0) !== crc32(file.subarray(0, -SEAL_BYTES))) {
    throw foreign("its checksum is missing or wrong");
  }
  // A container stays where it is, and the core reads it through its window; so does a fast module its stream.
  let windowed = file;
  const read = (offset: number, target: number, length: number): number => {
    if (offset < 0 || length < 0 || offset + length > windowed.length) return 1;
    instance.write(target, windowed.subarray(offset, offset + length));
    return 0;
  };
  const made = await WebAssembly.instantiate(program, { [IMPORT_MODULE]: { [READ_IMPORT]: read } });
  const instance = coreInstance(made.instance.exports, name);
  const memory = made.instance.exports.memory as WebAssembly.Memory;
  const section = (title: string): Uint8Array<ArrayBuffer> =>
    new Uint8Array(WebAssembly.Module.customSections(made.module, title)[0] ?? 0);

  const driver = driverOf(name, instance);
  const { length } = file;
  if (isModule) windowed = section(STREAM_SECTION);
  else instance.write(abi.CONTROL_MODEL_BYTES, Uint8Array.of(length, length >> 8, length >> 16, length >> 24));
  // A module has the memory that it says.
  const growing = grows && !isModule;
  let status = driver.load(growing ? memoryLimit : memory.buffer.byteLength);
  // A packed module has its container in linear memory, above the plan.
  const planBytes = driver.control(abi.CONTROL_MEMORY_BYTES);
  const address = driver.control(abi.CONTROL_MODEL_PTR);
  const memoryBytes = planBytes + (address && driver.control(abi.CONTROL_MODEL_BYTES) + abi.MODEL_SLACK_BYTES);
  if (memoryBytes > memoryLimit || (growing && status === abi.STATUS_MEMORY)) {
    throw new MoteError(
      "MEMORY",
      `${name}: the model takes ${memoryBytes || "more"} bytes of memory, the limit is ${memoryLimit}`,
    );
  }
  if (status === abi.STATUS_MEMORY) {
    memory.grow(Math.ceil(planBytes / PAGE_BYTES) - 1);
    status = driver.load(planBytes);
  }
  if (status !== abi.STATUS_DONE) {
    const lacks = [abi.STATUS_VERSION, abi.STATUS_OP, abi.STATUS_CODEC].includes(status);
    throw driver.failure("load", status, lacks ? "UNSUPPORTED" : "FORMAT");
  }

  const { inputs, outputs } = driver.ends();
  const entries = [...inputs, ...outputs].map(driver.entry);
  const count = entries.length;
  const container = isModule ? address && instance.read(address, driver.control(abi.CONTROL_MODEL_BYTES)) : file;
  const scales = container
    ? scalesIn(container, count, small)
    : floatsIn(instance.read(driver.control(abi.CONTROL_SCALES), 4 * count), count);
  // A module's table has been checked by nobody else.
  const isSound = ({ shape }: TensorEntry, i: number): boolean =>
    valuesOf(shape) > 0 && valuesOf(shape) <= MAX_TENSOR_BYTES && scales[i] > 0 && scales[i] < Infinity;
  if (!(inputs.length && outputs.length && entries.every(isSound))) throw foreign("its inputs or outputs are damaged");
  const { names, labels, preprocessing } = readMetadata(
    isModule ? section(METADATA_SECTION) : file.subarray(driver.control(abi.CONTROL_METADATA)),
    count,
    entries[0].shape[0],
    valuesOf(entries[inputs.length].shape),
  );
  const tensors = entries.map(({ shape, zeroPoint }, i): ModelTensor => {
    const isInput = i < inputs.length;
    const nth = isInput ? i : i - inputs.length;
    const name = names?.[i] ?? (isInput ? "input" : "output") + (nth || "");
    const own = nth > 0 ? {} : isInput ? { preprocessing } : { labels };
    return { name, shape, scale: scales[i], zeroPoint, ...own };
  });
  return modelOf(driver, {
    entries,
    inputs: tensors.slice(0, inputs.length),
    outputs: tensors.slice(inputs.length),
    memoryBytes,
    work: driver.control(abi.CONTROL_WORK),
  });
}

/** A copy of a model's bytes. @throws TypeError for what neither is nor has bytes */
export async function bytesOf(source: ModelSource): Promise<Uint8Array<ArrayBuffer>> {
  // Callers without types give anything.
  const response = source as Partial<Exclude<ModelSource, ArrayBuffer | Uint8Array>> | undefined;
  if (response?.ok === false) throw new MoteError("FILE", `openModel: the server answered ${response.status}`);
  const bytes = (await response?.arrayBuffer?.()) ?? (source as ArrayBuffer | undefined);
  if (bytes && bytes.byteLength >= 0) return new Uint8Array(bytes).slice();
  throw new TypeError(`openModel: expected bytes or a Response, got ${typeof source}`);
}

const foreign = (detail: string): MoteError =>
  new MoteError("FORMAT", `not a module that mote pack --format wasm made: ${detail}`);
