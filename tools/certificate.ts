/** What `mote certify` writes into a model, and `mote verify --certificate` holds it to. */
import { encodeCertificate, type Certificate } from "../host/container/certificate.js";
import { writeMetadata } from "../host/container/metadata.js";
import { planTotal } from "../host/container/plan.js";
import type { Container } from "../host/container/read.js";
import { withMetadata } from "../host/container/write.js";
import { MoteError } from "../host/errors.js";
import { selfTest } from "../host/engines/self-test.js";
import { accumulatorReaches, checkAccumulators, type AccumulatorReach } from "../host/quantize/accumulators.js";
import { openEngine } from "../host/node/engines/open.js";
import { Progress } from "../host/node/progress.js";

/** @throws MoteError MISMATCH for a model whose sums can overflow, which nobody can vouch for */
export async function makeCertificate(file: Uint8Array, container: Container, vectors: number): Promise<Certificate> {
  const { model } = container;
  checkAccumulators(
    model,
    model.layers.map(({ op }, index) => `layer ${index} (${op})`),
  );
  const engine = openEngine("v8", file);
  try {
    const progress = new Progress("self-test", vectors);
    const outputsCrc = await selfTest(engine, vectors, (done) => progress.update(done));
    progress.finish();
    return { vectors, outputsCrc, work: engine.work, ...provenOf(container) };
  } finally {
    engine.close();
  }
}

/** What follows from the container alone. */
export function provenOf({ model, plan }: Container): Pick<Certificate, "memoryBytes" | "largestSum"> {
  const largest = largestReach(accumulatorReaches(model));
  return { memoryBytes: planTotal(plan), largestSum: largest === undefined ? 0 : magnitudeOf(largest) };
}

/** The accumulator that can reach furthest, if there is any. */
export function largestReach(reaches: readonly AccumulatorReach[]): AccumulatorReach | undefined {
  return reaches.reduce<AccumulatorReach | undefined>(
    (best, reach) => (best === undefined || magnitudeOf(reach) > magnitudeOf(best) ? reach : best),
    undefined,
  );
}

export const magnitudeOf = ({ down, up }: AccumulatorReach): number => Math.max(-down, up);

/** The container with the certificate in its metadata, all other bytes but the checksum as they were. */
export function certified(file: Uint8Array, container: Container, certificate: Certificate): Uint8Array {
  const metadata = writeMetadata({ ...container.model, certificate: encodeCertificate(certificate) });
  return withMetadata(file, container, metadata);
}

/** @throws MoteError MISMATCH that names what the certificate says and what is */
export function expectCertified(path: string, what: string, stated: number, found: number, isWithin: boolean): void {
  if (isWithin) return;
  throw new MoteError("MISMATCH", `${path}: the certificate says ${stated} ${what}, found ${found}`);
}
