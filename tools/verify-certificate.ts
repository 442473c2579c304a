/** `mote verify MODEL --certificate`: whether what a model's certificate says is so, on all engines. */
import { certificateOf, type Certificate } from "../host/container/certificate.js";
import { readContainer } from "../host/container/read.js";
import { MoteError } from "../host/errors.js";
import { selfTest } from "../host/engines/self-test.js";
import { ENGINE_NAMES, MODULE_ENGINES } from "../host/engines/open.js";
import { fastParts, isFastModule } from "../host/fast/parts.js";
import type { Optimization } from "../host/fast/optimization.js";
import { Progress } from "../host/node/progress.js";
import { readFile } from "../host/node/read-file.js";
import { expectCertified, provenOf } from "./certificate.js";
import { containerOf, grouped, hasVectors, namingFile, openModel, optimizedModel } from "./model-file.js";
import type { Output } from "./output.js";

/** @throws MoteError MISMATCH where there is no certificate, or something in it is not so */
export async function verifyCertificate(path: string, optimize: Optimization, output: Output): Promise<void> {
  const file = readFile(path);
  const fast = await optimizedModel(path, optimize);
  const container = isFastModule(file) ? undefined : namingFile(path, () => readContainer(containerOf(file)));
  const certificate = namingFile(path, () => certificateOf(container?.model ?? fastParts(file)));
  if (certificate === undefined) {
    throw new MoteError("MISMATCH", `${path}: has no certificate; mote certify writes one`);
  }
  if (container !== undefined) {
    const { memoryBytes, largestSum } = provenOf(container);
    expectCertified(
      path,
      "bytes of memory",
      certificate.memoryBytes,
      memoryBytes,
      memoryBytes === certificate.memoryBytes,
    );
    expectCertified(
      path,
      "as the largest sum",
      certificate.largestSum,
      largestSum,
      largestSum === certificate.largestSum,
    );
  }
  const names = await runOnAll(path, certificate, fast ?? (container === undefined ? file : undefined));
  const { vectors, memoryBytes, work } = certificate;
  const proven =
    container === undefined
      ? "a fast module, of which the outputs alone are certified"
      : `${grouped(memoryBytes)} bytes of memory, at most ${grouped(work)} units of work, no sum that overflows`;
  output.line(`${path}: the certificate holds: ${proven}`);
  output.line(`${vectors} runs of the self-test: the same outputs on ${names.join(", ")}`);
  output.json(() => ({ model: path, engines: names, holds: true, ...certificate }));
}

/** The self-test on each engine, and what the core says of its work. @param fast in the place of the file, for engines that run modules */
async function runOnAll(path: string, certificate: Certificate, fast: Uint8Array | undefined): Promise<string[]> {
  const { vectors, outputsCrc } = certificate;
  const names = ENGINE_NAMES.filter((name) => {
    if (fast !== undefined) return MODULE_ENGINES.includes(name);
    return name !== "simd" || hasVectors(path);
  });
  const progress = new Progress("self-test", names.length * vectors);
  for (const [index, name] of names.entries()) {
    const { engine } = openModel(path, name, {}, fast);
    try {
      if (fast === undefined && name === "v8") {
        expectCertified(path, "units of work", certificate.work, engine.work, engine.work <= certificate.work);
      }
      const crc = await selfTest(engine, vectors, (done) => progress.update(index * vectors + done));
      expectCertified(path, `as the outputs' CRC-32, ${name}`, outputsCrc, crc, crc === outputsCrc);
    } finally {
      engine.close();
    }
  }
  progress.finish();
  return names;
}
