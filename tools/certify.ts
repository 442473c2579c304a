/** `mote certify`: what holds of a model, proven or counted, and a self-test, written into it. */
import { extname } from "node:path";
import { Command } from "commander";
import { MAX_VECTORS } from "../assembly/format.js";
import { encodeCertificate, fillSelfTest } from "../host/container/certificate.js";
import { readContainer } from "../host/container/read.js";
import { openCounted } from "../host/engines/counted.js";
import { inputElements } from "../host/engines/engine.js";
import { MoteError } from "../host/errors.js";
import { containerBits } from "../host/data/file-kind.js";
import { builtCore } from "../host/node/built.js";
import { checkWritable } from "../host/node/check-writable.js";
import { fastModule } from "../host/node/fast/fast-module.js";
import { readFile } from "../host/node/read-file.js";
import { writeFileAtomic } from "../host/node/write-file.js";
import { accumulatorReaches } from "../host/quantize/accumulators.js";
import { certified, largestReach, magnitudeOf, makeCertificate } from "./certificate.js";
import { grouped, isContainer, namingFile, notOneOf, withFileName } from "./model-file.js";
import { Output } from "./output.js";
import { wholeNumber } from "./whole-number.js";

interface CertifyFlags {
  readonly out: string;
  readonly vectors: number;
  readonly json?: boolean;
}

/** Runs over which instructions are counted. */
const COUNTED = 8;

export function certifyCommand(): Command {
  return new Command("certify")
    .description(
      "write into a model what holds of it: exact memory, the most work of a run, that no sum overflows, and a self-test; mote verify --certificate and mote_self_test on a board check it",
    )
    .argument("<model>", ".mote")
    .requiredOption("-o, --out <file>", "the model with the certificate, .mote")
    .option("--vectors <n>", "runs of the self-test", wholeNumber(1, MAX_VECTORS), 16)
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nExamples:\n  mote certify models/lenet5.mote -o build/lenet5.mote\n  mote verify build/lenet5.mote --certificate",
    )
    .action(certify);
}

async function certify(path: string, flags: CertifyFlags): Promise<void> {
  const { out, vectors, json } = flags;
  if (extname(out) !== ".mote") throw new MoteError("ARGUMENT", `--out ${out}: expected a name that ends in .mote`);
  const output = new Output({ json, files: [out] });
  const file = readFile(path);
  if (!isContainer(path, file)) throw notOneOf(path, file, "a container, .mote");
  checkWritable(out);
  const container = namingFile(path, () => readContainer(file));
  const certificate = await makeCertificate(file, container, vectors).catch((error: unknown) => {
    throw withFileName(path, error);
  });
  const bytes = certified(file, container, certificate);
  writeFileAtomic(out, bytes);

  const counts = countsOf(file);
  const reach = largestReach(accumulatorReaches(container.model));
  output.pairs([
    [out, `${grouped(bytes.length)} bytes, ${encodeCertificate(certificate).length} of them the certificate`],
    ["memory", `${grouped(certificate.memoryBytes)} bytes of linear memory, exactly`],
    ["work", `at most ${grouped(certificate.work)} units a run, whatever the input`],
    [
      "sums",
      reach === undefined
        ? "none: no layer has weights"
        : `at most ${grouped(magnitudeOf(reach))}, in layer ${reach.layer}, ${reach.what}; an int32 holds ${grouped(2 ** 31 - 1)}`,
    ],
    ["self-test", `${vectors} runs, CRC-32 of the outputs ${certificate.outputsCrc.toString(16).padStart(8, "0")}`],
    ...counts.map((counted) => [counted.form, describe(counted)] as const),
  ]);
  output.json(() => ({ model: path, out, bytes: bytes.length, ...certificate, instructions: counts }));
}

interface Counts {
  readonly form: string;
  /** WebAssembly instructions of a run. */
  readonly least: number;
  readonly most: number;
}

/** Instructions of runs on the self-test's first inputs: of the container by the core, and of its fast module where it has one. */
function countsOf(file: Uint8Array): Counts[] {
  const forms = [{ form: "core", module: file }];
  try {
    forms.push({ form: "fast module", module: fastModule(file) });
  } catch (error) {
    if (!(error instanceof MoteError)) throw error;
  }
  return forms.map(({ form, module }) => {
    const { engine, ops } = openCounted(module, builtCore(containerBits(file)));
    const inputs = inputElements(engine);
    const runs = Array.from({ length: COUNTED }, (_, run) => {
      fillSelfTest(run, inputs);
      const before = ops();
      engine.run(inputs);
      return ops() - before;
    });
    engine.close();
    return { form, least: Math.min(...runs), most: Math.max(...runs) };
  });
}

function describe({ least, most }: Counts): string {
  if (least === most) return `${grouped(most)} WebAssembly instructions a run, the same for ${COUNTED} inputs`;
  const share = ((100 * (most - least)) / most).toFixed(2);
  return `${grouped(least)} … ${grouped(most)} WebAssembly instructions a run: ${share} % by the input, of ${COUNTED}`;
}
