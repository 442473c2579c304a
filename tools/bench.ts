/** `mote bench`: the project's figures beside their targets. */
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { readFile } from "../host/node/read-file.js";
import { MoteError } from "../host/errors.js";
import { writeFileAtomic } from "../host/node/write-file.js";
import { bigGroup } from "./bench/big.js";
import { cabacGroup } from "./bench/cabac.js";
import { costsGroup } from "./bench/costs.js";
import { compressGroup } from "./bench/compress.js";
import { sweepGroup } from "./bench/compress-sweep.js";
import { fillFigures } from "./bench/fill.js";
import { describeMachine, figureCells, type Figure, type Group } from "./bench/figure.js";
import { imagesGroup } from "./bench/images.js";
import { kernelsGroup } from "./bench/kernels.js";
import { matrixGroup } from "./bench/matrix.js";
import { methodsGroup } from "./bench/methods.js";
import { modelsGroup } from "./bench/models.js";
import { chipsGroup } from "./bench/chips.js";
import { codecGroup } from "./bench/codec.js";
import { packageGroup } from "./bench/package.js";
import { packingGroup } from "./bench/packing.js";
import { parityGroup } from "./bench/parity.js";
import { sizesGroup } from "./bench/sizes.js";
import { trainingGroup } from "./bench/training.js";
import { recordsGroup } from "./bench/records.js";
import { robustnessGroup } from "./bench/robustness.js";
import { qrGroup } from "./bench/qr.js";
import { trustGroup } from "./bench/trust.js";
import { readResults, runsOf, withEarlier, type Run } from "./bench/results.js";
import { webGroup } from "./bench/web.js";
import { workGroup } from "./bench/work.js";
import { zooGroup } from "./bench/zoo.js";
import { Output } from "./output.js";

const GROUPS: readonly Group[] = [
  sizesGroup,
  codecGroup,
  modelsGroup,
  parityGroup,
  workGroup,
  qrGroup,
  trustGroup,
  packingGroup,
  cabacGroup,
  trainingGroup,
  compressGroup,
  sweepGroup,
  methodsGroup,
  costsGroup,
  recordsGroup,
  robustnessGroup,
  imagesGroup,
  zooGroup,
  kernelsGroup,
  chipsGroup,
  matrixGroup,
  packageGroup,
  bigGroup,
  webGroup,
];

interface BenchFlags {
  readonly only?: readonly string[];
  readonly full?: boolean;
  readonly threads: number;
  readonly save?: string;
  readonly fill?: readonly string[];
  readonly json?: boolean;
}

export function benchCommand(): Command {
  return new Command("bench")
    .description("measure sizes, memory, speed and parity, and compare them with the targets")
    .option("--only <group...>", `${GROUPS.map((group) => group.name).join(", ")}, or GROUP:PART; default: all`)
    .option("--full", "everything at full length: parity on 10,000 digits, a whole epoch")
    .option("--threads <n>", "training threads", parseThreads, Math.min(4, availableParallelism()))
    .option(
      "--save <folder>",
      "write results.json there, and groups' own files; with --only what others measured before stays",
    )
    .option("--fill <file...>", "put the figures between documents' <!--name--> and <!--/-->, as in README.md")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      `\nGroups:\n${GROUPS.map((group) => `  ${group.name.padEnd(8)} ${group.summary}`).join("\n")}\n` +
        "\nExamples:\n  mote bench --only sizes work\n  mote bench --full --save bench --fill README.md bench/results.md",
    )
    .action(bench);
}

function parseThreads(text: string): number {
  const threads = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(threads >= 1 && threads <= 64)) throw new InvalidArgumentError("expected 1 .. 64.");
  return threads;
}

async function bench(flags: BenchFlags): Promise<void> {
  const output = new Output(flags);
  const asked = askedGroups(flags.only);
  const path = flags.save === undefined ? undefined : join(flags.save, "results.json");
  const saved = path === undefined || flags.only === undefined ? undefined : readResults(path);
  const figures: Figure[] = [];
  for (const { group, parts } of asked) {
    const note = (text: string): void => void process.stderr.write(`${group.name}: ${text}\n`);
    figures.push(
      ...(await group.measure({ full: flags.full === true, threads: flags.threads, ...(parts && { parts }), note })),
    );
  }
  const described = describeMachine();
  const machine = { ...described, command: asCommand(flags) };
  output.table([["figure", "value", "target", "met"], ...figures.map(figureCells)], [0, 3]);
  output.line();
  output.lines([asLine(described)]);
  const json = { machine, figures };
  const results = withEarlier(json, saved);
  const runs = runsOf(results);
  const standing = runs.flatMap((run) => run.figures);
  if (path !== undefined) {
    writeFileAtomic(path, JSON.stringify(results, null, 2) + "\n");
    const by = { command: machine.command, commit: String(described.commit) };
    for (const [name, text] of asked.flatMap(({ group }) => group.files?.(standing, by) ?? []))
      writeFileAtomic(join(dirname(path), name), text);
  }
  const measured = runs.map((run) => measuredBy(run)).join("; and ");
  const filled = (flags.fill ?? []).map((path) => {
    const text = Buffer.from(readFile(path)).toString("utf8");
    return { path, text: fillFigures(text, standing, measured) };
  });
  for (const { path, text } of filled) writeFileAtomic(path, text);
  output.json(() => json);
}

/** A group, and those of its parts that are asked for; absent: all of it. */
interface Asked {
  readonly group: Group;
  readonly parts?: readonly string[];
}

/** @param only names of groups, or GROUP:PART @throws MoteError ARGUMENT for one that is not there */
function askedGroups(only: readonly string[] | undefined): Asked[] {
  if (only === undefined) return GROUPS.map((group) => ({ group }));
  const asked = only.map((text) => {
    const [name, part] = text.split(/:(.*)/s);
    const group = GROUPS.find((one) => one.name === name);
    if (group === undefined) {
      const known = GROUPS.map((one) => one.name).join(", ");
      throw new MoteError("ARGUMENT", `--only: no group ${name}; there are ${known}`);
    }
    const { parts = [] } = group;
    if (part !== undefined && !parts.includes(part)) {
      const known = parts.length === 0 ? "it has none" : `there are ${parts.join(", ")}`;
      throw new MoteError("ARGUMENT", `--only: no part ${part} of ${name}; ${known}`);
    }
    return { group, part };
  });
  return GROUPS.flatMap((group) => {
    const parts = asked.flatMap((one) => (one.group === group ? [one.part] : []));
    if (parts.length === 0) return [];
    const named = parts.filter((part) => part !== undefined);
    return [named.length < parts.length ? { group } : { group, parts: named }];
  });
}

function measuredBy({ machine: { command, ...machine } }: Run): string {
  return `\`${command}\`; ${asLine(machine)}`;
}

function asLine(machine: Readonly<Record<string, string | number>>): string {
  return Object.entries(machine)
    .map(([name, value]) => `${name}: ${value}`)
    .join(", ");
}

/** The command without its folders and files. */
function asCommand(flags: BenchFlags): string {
  const groups = flags.only === undefined ? "" : ` --only ${flags.only.join(" ")}`;
  return `mote bench${flags.full === true ? " --full" : ""}${groups} --threads ${flags.threads}`;
}
