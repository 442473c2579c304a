/** `mote synth`: a model of the shape, densities and bits that papers have for a net, its weights drawn. */
import { Command, Option } from "commander";
import { writeContainer } from "../host/container/write.js";
import { MoteError } from "../host/errors.js";
import { checkWritable } from "../host/node/check-writable.js";
import { writeFileAtomic } from "../host/node/write-file.js";
import { DISTRIBUTION_NAMES, type Distribution } from "../host/synth/draw.js";
import { countNet, type SynthNet } from "../host/synth/net.js";
import { SYNTH_NETS, synthNet } from "../host/synth/nets.js";
import { synthesize } from "../host/synth/synthesize.js";
import { grouped } from "./model-file.js";
import { Output } from "./output.js";
import { wholeNumber } from "./whole-number.js";

interface SynthFlags {
  readonly out?: string;
  readonly seed: number;
  readonly weights: Distribution;
  readonly json?: boolean;
}

export function synthCommand(): Command {
  return new Command("synth")
    .description("make a model of a paper's net: its shape, densities and bits, drawn weights")
    .argument("[net]", `${SYNTH_NETS.map(({ name }) => name).join(", ")}; none: list them`)
    .option("-o, --out <file>", "where it goes: .mote")
    .option(
      "--seed <n>",
      "what the weights are drawn from: the same gives the same file",
      wholeNumber(0, 2 ** 32 - 1),
      1,
    )
    .addOption(
      new Option("--weights <distribution>", "of the weights before pruning")
        .choices(DISTRIBUTION_NAMES)
        .default("laplace"),
    )
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nWhat such a net takes in bytes, memory and time is that of a trained one; what it says of a picture means nothing.\n\nExamples:\n  mote synth\n  mote synth vgg16 --out vgg16.mote\n  mote inspect vgg16.mote --paper",
    )
    .action(synth);
}

function synth(name: string | undefined, { out, seed, weights, json }: SynthFlags): void {
  const output = new Output({ json, files: [out] });
  if (name === undefined) {
    if (out !== undefined) throw new MoteError("ARGUMENT", `--out ${out}: expected the name of a net as well`);
    list(output);
    return;
  }
  const net = synthNet(name);
  if (out === undefined) throw new MoteError("ARGUMENT", `${name}: expected --out, the file that it goes to`);
  checkWritable(out);
  const bytes = writeContainer(synthesize(net, { seed, weights }));
  writeFileAtomic(out, bytes);
  const described = describe(net);
  output.line(`${out}: ${net.title}, ${grouped(bytes.length)} bytes`);
  output.pairs([
    ["from", net.source],
    ["weights", `${grouped(described.weights)}, of which ${percent(described)} are left; ${weights}, seed ${seed}`],
    [
      "float32",
      `${grouped(described.floatBytes)} bytes, ${(described.floatBytes / bytes.length).toFixed(1)} times as many`,
    ],
    ...net.published.map(({ by, bytes: theirs }) => ["published", `${megabytes(theirs)} MB by ${by}`] as const),
  ]);
  output.json(() => ({ ...described, file: out, bytes: bytes.length, seed, distribution: weights }));
}

function list(output: Output): void {
  const nets = SYNTH_NETS.map(describe);
  output.table([
    ["net", "input", "layers", "weights", "left", "float32, MB", "published, MB"],
    ...nets.map((net) => [
      net.net,
      net.input.join(" × "),
      String(net.layers),
      grouped(net.weights),
      percent(net),
      megabytes(net.floatBytes),
      net.published.map(({ bytes }) => megabytes(bytes)).join(", "),
    ]),
  ]);
  output.line();
  output.pairs(nets.map(({ net, source }) => [net, source]));
  output.json(() => ({ nets }));
}

function describe(net: SynthNet) {
  const { weights, nonZeros, biases } = countNet(net);
  const { name, title, source, input, layers, published } = net;
  return {
    net: name,
    title,
    source,
    input,
    layers: layers.length,
    weights,
    nonZeros,
    biases,
    floatBytes: 4 * (weights + biases),
    published,
  };
}

const percent = ({ nonZeros, weights }: { readonly nonZeros: number; readonly weights: number }): string =>
  `${((100 * nonZeros) / weights).toFixed(1)} %`;

const megabytes = (bytes: number): string => String(Number((bytes / 1e6).toPrecision(3)));
