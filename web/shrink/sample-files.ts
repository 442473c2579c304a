/** Samples for a net: files that were dropped, or made up. */
import { setOf } from "../../host/data/array-set.js";
import type { SampleSet } from "../../host/data/data-set.js";
import { describeFile, isJpeg, isNpy, isPng, isZip } from "../../host/data/file-kind.js";
import { fitPicture } from "../../host/data/fit-picture.js";
import { readIdxImages } from "../../host/data/idx.js";
import { readNpy } from "../../host/data/npy.js";
import { openNpz } from "../../host/data/npz.js";
import type { Picture } from "../../host/data/plane.js";
import { ONE_STREAM } from "../../host/data/sequences.js";
import { MoteError } from "../../host/errors.js";
import type { ImportedNet } from "../../host/import/net.js";
import { samplesFor, type NetSamples } from "../../host/import/net-samples.js";
import { multiplications } from "../../host/import/imported-container.js";
import { valuesOf } from "../../host/model/geometry.js";
import type { Shape } from "../../host/model/model.js";
import { Random } from "../../host/rng.js";
import type { Dropped } from "./net-file.js";

/** Decodes a PNG or JPEG. @throws where it is none */
export type DecodePicture = (bytes: Uint8Array, name: string) => Promise<Picture>;

const isIdx = (head: Uint8Array): boolean => head[0] === 0 && head[1] === 0 && head[2] === 8 && head[3] === 3;
const isPicture = (head: Uint8Array): boolean => isPng(head) || isJpeg(head);

/** Whether a file's first bytes are those of samples. */
export const isSamples = (head: Uint8Array): boolean => isNpy(head) || isZip(head) || isIdx(head) || isPicture(head);

/** More of them say little more of ranges. */
const MOST_SAMPLES = 512;
/** Multiplications of all samples together, some ten seconds. */
const MOST_WORK = 8e9;
const LEAST_SAMPLES = 4;

/** @throws MoteError as the readers, ARGUMENT for files of different kinds, MISMATCH for pictures that do not fit */
export async function droppedSamples(
  files: readonly Dropped[],
  net: ImportedNet,
  decode: DecodePicture,
): Promise<NetSamples> {
  const samples = samplesFor(net, await setsOf(files, net, decode));
  const { count, perSample, source } = samples;
  // Sequences are taken whole: what states hold at their ends has a range, too.
  const most = affordable(net, MOST_SAMPLES, perSample);
  if (most * perSample >= count) return samples;
  return { ...samples, count: most * perSample, source: `the first ${most} samples of ${source}` };
}

async function setsOf(files: readonly Dropped[], net: ImportedNet, decode: DecodePicture): Promise<SampleSet[]> {
  const all = files.map(({ name, source }) => ({ name, bytes: source.read(0, source.size) }));
  const inputs = net.inputs.map(({ name, tensor }) => ({ name, shape: net.tensors[tensor].shape }));
  if (all.every(({ bytes }) => isPicture(bytes))) {
    if (inputs.length > 1) throw new MoteError("ARGUMENT", "pictures are for nets with one input; expected an .npz");
    return [await picturesOf(all, inputs[0].shape, decode)];
  }
  if (all.length > 1) {
    const names = all.map(({ name }) => name).join(", ");
    throw new MoteError("ARGUMENT", `${names}: expected pictures only, or one file of samples`);
  }
  const [{ name, bytes }] = all;
  if (isZip(bytes)) return arraysOf(name, bytes, inputs);
  if (inputs.length > 1) {
    const names = inputs.map((input) => input.name).join(", ");
    throw new MoteError("ARGUMENT", `${name}: the net has several inputs; expected an .npz with the arrays ${names}`);
  }
  if (isNpy(bytes)) return [checked(setOf(readNpy(bytes, name), name, name))];
  if (isIdx(bytes)) {
    const { count, height, width, images } = readIdxImages(bytes, name);
    return [{ count, shape: [1, height, width], images, source: name }];
  }
  throw new MoteError("FORMAT", `${name}: expected .npy, .npz, idx, PNG or JPEG, this is ${describeFile(bytes)}`);
}

const SAMPLE_NAMES = ["x", "images", "data", "samples", "inputs", "x_test", "x_train", "arr_0", "input0"];

function arraysOf(name: string, bytes: Uint8Array, inputs: readonly { readonly name: string }[]): SampleSet[] {
  const npz = openNpz(bytes, name);
  const known = npz.names.join(", ");
  const sets = inputs.map((input) => {
    const candidates = [input.name, ...(inputs.length === 1 ? SAMPLE_NAMES : [])];
    const array =
      inputs.length === 1 && npz.names.length === 1
        ? npz.names[0]
        : candidates.find((candidate) => npz.names.includes(candidate));
    if (array === undefined) throw new MoteError("ARGUMENT", `${name}: no array ${input.name}, there are ${known}`);
    return checked(setOf(npz.array(array), `${name}: ${array}`, name));
  });
  const other = sets.find(({ count }) => count !== sets[0].count);
  if (other !== undefined)
    throw new MoteError("MISMATCH", `${name}: ${sets[0].count} and ${other.count} samples, expected as many`);
  return sets;
}

function checked(set: SampleSet): SampleSet {
  if (set.count > 0) return set;
  throw new MoteError("FORMAT", `${set.source}: no samples`);
}

async function picturesOf(
  files: readonly { readonly name: string; readonly bytes: Uint8Array }[],
  shape: Shape,
  decode: DecodePicture,
): Promise<SampleSet> {
  const taken = files.slice(0, MOST_SAMPLES);
  const images = new Uint8Array(taken.length * valuesOf(shape));
  for (const [index, { name, bytes }] of taken.entries()) {
    images.set(fitPicture(await decode(bytes, name), shape, name), index * valuesOf(shape));
  }
  const source = taken.length === 1 ? "1 picture" : `${taken.length} pictures`;
  return { count: taken.length, shape, images, colours: "rgb", source };
}

const affordable = (net: ImportedNet, most: number, perSample: number): number =>
  Math.max(LEAST_SAMPLES, Math.min(most, Math.floor(MOST_WORK / Math.max(1, perSample * multiplications(net)))));

const MADE_UP = 64;
const WAVES = 6;

/**
 * Pictures of soft waves between 0 and 1 where an input may be a picture's, else numbers of a normal distribution: the same at any
 * time. Of a net with states they are whole sequences, or where it has none one stream.
 */
export function generatedSamples(net: ImportedNet): NetSamples {
  const { steps: perSample = 1 } = net;
  const samples = affordable(net, Math.ceil(MADE_UP / perSample), perSample);
  const count = samples * perSample;
  const sets = net.inputs.map(({ tensor }, input): SampleSet => {
    const { shape } = net.tensors[tensor];
    const [channels, height, width] = shape;
    const isPictures = channels <= 4 && height > 1 && width > 1;
    const images = new Float32Array(count * valuesOf(shape));
    for (let index = 0; index < count; index++) {
      const random = new Random(1, input, index);
      const sample = images.subarray(index * valuesOf(shape), (index + 1) * valuesOf(shape));
      if (isPictures) fillWaves(sample, shape, random);
      else for (let i = 0; i < sample.length; i++) sample[i] = random.normal();
    }
    return { count, shape, images, source: "generated", reading: { layout: "nchw" } };
  });
  const streams = perSample === 1 ? ONE_STREAM : { perSample, perStream: perSample };
  return { ...streams, count, source: `${samples} generated samples`, sets };
}

function fillWaves(sample: Float32Array, [channels, height, width]: Shape, random: Random): void {
  for (let channel = 0; channel < channels; channel++) {
    const waves = Array.from({ length: WAVES }, () => {
      const [angle, turns, phase] = [
        random.uniform() * 2 * Math.PI,
        0.5 + 4 * random.uniform(),
        random.uniform() * 2 * Math.PI,
      ];
      return { x: (Math.cos(angle) * turns) / width, y: (Math.sin(angle) * turns) / height, phase };
    });
    for (let y = 0, at = channel * height * width; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        const sum = waves.reduce((s, wave) => s + Math.cos(2 * Math.PI * (wave.x * x + wave.y * y) + wave.phase), 0);
        sample[at] = Math.min(1, Math.max(0, 0.5 + sum / 4));
      }
    }
  }
}
