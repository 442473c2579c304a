/** What a model's maker vouches for, so that who gets the file can check it: SPEC.md, "Certificate". */
import { MAX_VECTORS } from "../../assembly/format.js";
import type { Elements } from "../model/elements.js";
import type { QModel } from "../model/model.js";
import { FieldReader } from "./field-reader.js";
import { FieldWriter } from "./field-writer.js";

export interface Certificate {
  /** Runs of the self-test: 1 … 1,000. */
  readonly vectors: number;
  /** CRC-32 of all outputs of these runs. */
  readonly outputsCrc: number;
  /** Bytes of linear memory that the container's plan takes. */
  readonly memoryBytes: number;
  /** The most units of work of a run by the core. */
  readonly work: number;
  /** The largest magnitude that any accumulator can reach: below 2^31. */
  readonly largestSum: number;
}

export function encodeCertificate(certificate: Certificate): Uint8Array {
  const { vectors, outputsCrc, memoryBytes, work, largestSum } = certificate;
  const fields = new FieldWriter();
  fields.varint(vectors);
  for (const word of [outputsCrc, memoryBytes, work, largestSum]) fields.u32(word);
  return fields.take();
}

/**
 * @returns what a model that has been read says of itself; undefined where it has no certificate
 * @throws MoteError FORMAT for one that is damaged
 */
export function certificateOf({ certificate }: Pick<QModel, "certificate">): Certificate | undefined {
  if (certificate === undefined) return undefined;
  const fields = new FieldReader(certificate, "certificate");
  const vectors = fields.ranged("vectors", 1, MAX_VECTORS);
  const words = ["outputs", "memory", "work", "largest sum"].map((name) => fields.u32(name));
  const [outputsCrc, memoryBytes, work, largestSum] = words;
  if (fields.left > 0) fields.fail("certificate", `${fields.left} bytes behind the last field, expected none`);
  if (largestSum >= 2 ** 31) fields.fail("largest sum", `${largestSum}, expected less than 2^31`);
  return { vectors, outputsCrc, memoryBytes, work, largestSum };
}

/** Of a model whose bytes or outputs become others: what was vouched for is the one that was. */
export function uncertified(model: QModel): QModel {
  const { certificate: _, ...rest } = model;
  return rest;
}

/**
 * Elements of a run's inputs in the self-test: of the element that is the n-th of all runs, inputs one after another in `[C, H, W]`, the top byte of a hash of n, or its upper half where they are int16.
 * @param inputs that receive them
 */
export function fillSelfTest(run: number, inputs: readonly Elements[]): void {
  const each = inputs.reduce((sum, { length }) => sum + length, 0);
  let n = Math.imul(run, each);
  for (const input of inputs) {
    const bits = 8 * input.BYTES_PER_ELEMENT;
    for (let i = 0; i < input.length; i++, n++) {
      const x = Math.imul(n, 0x9e3779b1);
      input[i] = (Math.imul(x ^ (x >>> 15), 0x85ebca77) >>> (32 - bits)) - 2 ** (bits - 1);
    }
  }
}
