/** What a model carries for hosts and people, behind its last layer or in a section of its module: SPEC.md, "Metadata". No engine reads it. */
import {
  MAX_LABEL_BYTES,
  MAX_METADATA_BYTES,
  METADATA_CERTIFICATE,
  METADATA_LABELS,
  METADATA_NAMES,
  METADATA_PREPROCESSING,
} from "../../assembly/format.js";
import { METADATA_SECTION } from "../../assembly/module.js";
import { MoteError } from "../errors.js";
import { modelInputs, outputsOf } from "../model/edges.js";
import { COLOURS, LAYOUTS, type Preprocessing, type QModel, type Shape } from "../model/model.js";
import { FieldReader } from "./field-reader.js";
import { FieldWriter } from "./field-writer.js";
import { valuesOf } from "../model/geometry.js";

export type Metadata = Pick<QModel, "labels" | "names" | "preprocessing" | "certificate">;

/** What metadata must agree with: shapes of a model's inputs and outputs, in order. */
export interface Ends {
  readonly inputs: readonly Shape[];
  readonly outputs: readonly Shape[];
}

export function endShapes(model: Pick<QModel, "tensors" | "layers" | "outputs">): Ends {
  const shapes = (tensors: readonly number[]): Shape[] => tensors.map((tensor) => model.tensors[tensor].shape);
  return { inputs: shapes(modelInputs(model)), outputs: shapes(outputsOf(model)) };
}

/** A control character, or half of a surrogate pair: nothing that a label or a terminal should have. */
const NOT_TEXT = /[\p{Cc}\p{Cs}]/u;

/** Takes what is wrong and how: "label 3", "empty". */
type Fail = (what: string, found: string) => never;

/**
 * @returns the bytes behind the last layer, none for no metadata
 * @throws MoteError MISMATCH for labels that are not as many as elements of the first output, names that are not as many as inputs and outputs, an
 *   empty one, one of more than 255 bytes or with control characters, numbers of preprocessing that are not finite, or for more than 65,535 bytes in all
 */
export function writeMetadata(model: QModel): Uint8Array {
  const fail: Fail = (what, found) => {
    throw new MoteError("MISMATCH", `${what} is ${found}`);
  };
  const { labels, names, preprocessing, certificate } = model;
  const ends = endShapes(model);
  const fields = new FieldWriter();
  const entry = (kind: number, content: Uint8Array): void => {
    fields.varint(kind);
    fields.varint(content.length);
    fields.bytes(content);
  };
  if (labels !== undefined) {
    checkTexts("label", labels, valuesOf(ends.outputs[0]), fail);
    entry(METADATA_LABELS, encodeTexts(labels));
  }
  if (names !== undefined) {
    checkTexts("name", names, ends.inputs.length + ends.outputs.length, fail);
    entry(METADATA_NAMES, encodeTexts(names));
  }
  if (preprocessing !== undefined) {
    checkPreprocessing(preprocessing, ends, fail);
    entry(METADATA_PREPROCESSING, encodePreprocessing(preprocessing));
  }
  if (certificate !== undefined) entry(METADATA_CERTIFICATE, certificate);
  const bytes = fields.take();
  if (bytes.length > MAX_METADATA_BYTES) {
    throw new MoteError("MISMATCH", `metadata takes ${bytes.length} bytes, at most ${MAX_METADATA_BYTES} are allowed`);
  }
  return bytes;
}

/**
 * Reads entries up to the end of `fields`. Kinds that it does not know are passed over.
 * @param ends that the entries must agree with
 * @throws MoteError FORMAT for an entry that ends early or occurs twice, text that is not UTF-8, and what writeMetadata refuses
 */
export function readMetadata(fields: FieldReader, ends: Ends): Metadata {
  if (fields.left > MAX_METADATA_BYTES) {
    fields.fail("metadata", `${fields.left} bytes behind the last layer, expected at most ${MAX_METADATA_BYTES}`);
  }
  const fail: Fail = (what, found) => fields.fail(what, found);
  const seen = new Set<number>();
  let metadata: Metadata = {};
  while (fields.left > 0) {
    const kind = fields.varint("metadata kind");
    const content = fields.take("metadata", fields.varint("metadata length"));
    if (seen.has(kind) && KNOWN_KINDS.has(kind))
      fields.fail("metadata", `a second entry of kind ${kind}, expected one`);
    seen.add(kind);
    if (kind === METADATA_LABELS) {
      const labels = decodeTexts(fields, content);
      checkTexts("label", labels, valuesOf(ends.outputs[0]), fail);
      metadata = { ...metadata, labels };
    } else if (kind === METADATA_NAMES) {
      const names = decodeTexts(fields, content);
      checkTexts("name", names, ends.inputs.length + ends.outputs.length, fail);
      metadata = { ...metadata, names };
    } else if (kind === METADATA_PREPROCESSING) {
      const preprocessing = decodePreprocessing(fields, content);
      checkPreprocessing(preprocessing, ends, fail);
      metadata = { ...metadata, preprocessing };
    } else if (kind === METADATA_CERTIFICATE) {
      metadata = { ...metadata, certificate: content.slice() };
    }
  }
  return metadata;
}

const KNOWN_KINDS = new Set([METADATA_LABELS, METADATA_NAMES, METADATA_PREPROCESSING, METADATA_CERTIFICATE]);

const encodeTexts = (texts: readonly string[]): Uint8Array => new TextEncoder().encode(texts.join("\n"));

function decodeTexts(fields: FieldReader, bytes: Uint8Array): string[] {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).split("\n");
  } catch {
    return fields.fail("metadata", "text that is not UTF-8");
  }
}

/** @param what one of them is called */
function checkTexts(what: string, texts: readonly string[], count: number, fail: Fail): void {
  if (texts.length !== count) {
    const each = what === "label" ? "output" : "input and output of the model";
    fail(`number of ${what}s`, `${texts.length}, expected ${count}: one for each ${each}`);
  }
  texts.forEach((text, index) => {
    const bytes = new TextEncoder().encode(text).length;
    if (bytes === 0) fail(`${what} ${index}`, "empty");
    if (bytes > MAX_LABEL_BYTES) fail(`${what} ${index}`, `${bytes} bytes long, expected at most ${MAX_LABEL_BYTES}`);
    if (NOT_TEXT.test(text)) fail(`${what} ${index}`, "not plain text: it has a control character");
  });
}

function encodePreprocessing({ layout, colours, mean, std }: Preprocessing): Uint8Array {
  const fields = new FieldWriter();
  fields.u8(LAYOUTS.indexOf(layout));
  fields.u8(COLOURS.indexOf(colours));
  mean.forEach((value, channel) => {
    fields.f32(value);
    fields.f32(std[channel]);
  });
  return fields.take();
}

function decodePreprocessing(within: FieldReader, bytes: Uint8Array): Preprocessing {
  const fields = new FieldReader(bytes, "preprocessing");
  const layout = LAYOUTS[fields.u8("layout")];
  const colours = COLOURS[fields.u8("colours")];
  if (layout === undefined || colours === undefined) {
    return within.fail("metadata", "a preprocessing of a layout or colours that there are not");
  }
  const mean: number[] = [];
  const std: number[] = [];
  while (fields.left > 0) {
    mean.push(fields.f32("mean"));
    std.push(fields.f32("std"));
  }
  return { layout, colours, mean, std };
}

function checkPreprocessing({ colours, mean, std }: Preprocessing, { inputs }: Ends, fail: Fail): void {
  const [channels] = inputs[0];
  if (mean.length !== channels || std.length !== channels) {
    fail("preprocessing", `for ${mean.length} channels, expected ${channels}: one for each of the input`);
  }
  if (colours !== "none" && channels !== 3) fail("preprocessing", `for colours, expected 3 channels, got ${channels}`);
  const isFinite = (value: number): boolean => Number.isFinite(Math.fround(value));
  if (!mean.every(isFinite)) fail("preprocessing", `by means ${mean.join(", ")}, expected finite numbers`);
  if (!std.every((value) => isFinite(value) && Math.fround(value) > 0)) {
    fail("preprocessing", `by standard deviations ${std.join(", ")}, expected finite numbers above 0`);
  }
}

/** The same for the section of a module. */
export function readMetadataSection(section: Uint8Array, ends: Ends): Metadata {
  return readMetadata(new FieldReader(section, `section ${METADATA_SECTION}`), ends);
}
