/** What a model carries for hosts and people, behind its last layer or in a section of its module: SPEC.md, "Metadata". No engine reads it. */
import { MAX_LABEL_BYTES, MAX_METADATA_BYTES, METADATA_LABELS } from "../../assembly/format.js";
import { METADATA_SECTION } from "../../assembly/module.js";
import { MoteError } from "../errors.js";
import { outputOf } from "../model/edges.js";
import type { QModel } from "../model/model.js";
import { FieldReader } from "./field-reader.js";
import { FieldWriter } from "./field-writer.js";
import { valuesOf } from "../model/geometry.js";

export interface Metadata {
  /** A name for each element of the model's output, in order. */
  readonly labels?: readonly string[];
}

/** Elements of the model's output, each of which may have a label. */
export function outputElements(model: Pick<QModel, "tensors" | "layers">): number {
  return valuesOf(model.tensors[outputOf(model)].shape);
}

/** A control character, or half of a surrogate pair: nothing that a label or a terminal should have. */
const NOT_TEXT = /[\p{Cc}\p{Cs}]/u;

/**
 * @param elements of the model's output
 * @returns the bytes behind the last layer, none for no metadata
 * @throws MoteError MISMATCH for another number of labels than elements, an empty label, one of more than 255 bytes or with control characters,
 *   or for more than 65,535 bytes in all
 */
export function writeMetadata({ labels }: Metadata, elements: number): Uint8Array {
  if (labels === undefined) return new Uint8Array(0);
  checkLabels(labels, elements, (what, found) => {
    throw new MoteError("MISMATCH", `${what} is ${found}`);
  });
  const text = new TextEncoder().encode(labels.join("\n"));
  const fields = new FieldWriter();
  fields.varint(METADATA_LABELS);
  fields.varint(text.length);
  fields.bytes(text);
  const bytes = fields.take();
  if (bytes.length > MAX_METADATA_BYTES) {
    throw new MoteError("MISMATCH", `labels take ${bytes.length} bytes, at most ${MAX_METADATA_BYTES} are allowed`);
  }
  return bytes;
}

/**
 * Reads entries up to the end of `fields`. Kinds that it does not know are passed over.
 * @param elements of the model's output
 * @throws MoteError FORMAT for an entry that ends early, labels that occur twice or are not UTF-8, and what writeMetadata refuses
 */
export function readMetadata(fields: FieldReader, elements: number): Metadata {
  if (fields.left > MAX_METADATA_BYTES) {
    fields.fail("metadata", `${fields.left} bytes behind the last layer, expected at most ${MAX_METADATA_BYTES}`);
  }
  let labels: string[] | undefined;
  while (fields.left > 0) {
    const kind = fields.varint("metadata kind");
    const content = fields.take("metadata", fields.varint("metadata length"));
    if (kind !== METADATA_LABELS) continue;
    if (labels !== undefined) fields.fail("metadata", "a second list of labels, expected one");
    labels = decodeText(fields, content).split("\n");
    checkLabels(labels, elements, (what, found) => fields.fail(what, found));
  }
  return labels === undefined ? {} : { labels };
}

/** The same for the section of a module. */
export function readMetadataSection(section: Uint8Array, elements: number): Metadata {
  return readMetadata(new FieldReader(section, `section ${METADATA_SECTION}`), elements);
}

function decodeText(fields: FieldReader, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fields.fail("metadata", "labels that are not UTF-8");
  }
}

/** @param fail takes what is wrong and how: "label 3", "empty" */
function checkLabels(labels: readonly string[], elements: number, fail: (what: string, found: string) => never): void {
  if (labels.length !== elements)
    fail("number of labels", `${labels.length}, expected ${elements}: one for each output`);
  labels.forEach((label, index) => {
    const bytes = new TextEncoder().encode(label).length;
    if (bytes === 0) fail(`label ${index}`, "empty");
    if (bytes > MAX_LABEL_BYTES) fail(`label ${index}`, `${bytes} bytes long, expected at most ${MAX_LABEL_BYTES}`);
    if (NOT_TEXT.test(label)) fail(`label ${index}`, "not plain text: it has a control character");
  });
}
