/** The `mote` command line: which commands there are, how errors and signals become exit codes. The work is in host/. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { MoteError, printable } from "../host/errors.js";
import { builtFile } from "../host/node/paths.js";
import { Progress } from "../host/node/progress.js";

/** What went wrong, for scripts: 0 done, 1 failed, 2 wrong use, 130 interrupted (128 + SIGINT), 141 reader gone (128 + SIGPIPE). */
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;
const EXIT_PIPE = 141;

interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Loaded only when asked for: `mote inspect` need not wait for binaryen or the training engine. */
const ENTRIES: readonly Entry[] = [
  {
    name: "train",
    summary: "train a dense float net",
    load: async () => (await import("./train.js")).trainCommand(),
  },
  {
    name: "compress",
    summary: "prune, share weights, fine-tune and calibrate a net by a recipe",
    load: async () => (await import("./compress.js")).compressCommand(),
  },
  {
    name: "sweep",
    summary: "compress a net by many variants of a recipe, and compare them",
    load: async () => (await import("./sweep.js")).sweepCommand(),
  },
  {
    name: "worker",
    summary: "run jobs of sweeps that come over a queue",
    load: async () => (await import("./worker.js")).workerCommand(),
  },
  {
    name: "pack",
    summary: "write a compressed net as .mote, self-contained .wasm or C source",
    load: async () => (await import("./pack.js")).packCommand(),
  },
  {
    name: "inspect",
    summary: "show what a model or a net holds: layers, codecs, bits, memory plan",
    load: async () => (await import("./inspect.js")).inspectCommand(),
  },
  {
    name: "run",
    summary: "run a model on images",
    load: async () => (await import("./run.js")).runCommand(),
  },
  {
    name: "qr",
    summary: "draw a model as a QR code",
    load: async () => (await import("./qr.js")).qrCommand(),
  },
  {
    name: "certify",
    summary: "write into a model what holds of it, and a self-test",
    load: async () => (await import("./certify.js")).certifyCommand(),
  },
  {
    name: "verify",
    summary: "compare all engines byte for byte, or a model with the net it was made of",
    load: async () => (await import("./verify.js")).verifyCommand(),
  },
  {
    name: "evaluate",
    summary: "measure accuracy and mistakes of a model on labelled samples",
    load: async () => (await import("./evaluate.js")).evaluateCommand(),
  },
  {
    name: "report",
    summary: "show what a run, a model, a sweep or an experiment has come to: one HTML file, CSV files",
    load: async () => (await import("./report.js")).reportCommand(),
  },
  {
    name: "bench",
    summary: "measure sizes, memory, speed and parity",
    load: async () => (await import("./bench.js")).benchCommand(),
  },
  {
    name: "keygen",
    summary: "make an Ed25519 key pair, by which updates are signed and devices check them",
    load: async () => (await import("./keygen.js")).keygenCommand(),
  },
  {
    name: "sign",
    summary: "sign a model, and write it as an update that devices with the public key take",
    load: async () => (await import("./sign.js")).signCommand(),
  },
  {
    name: "diff",
    summary: "code a model against the one that a device has, as an update of a few packets",
    load: async () => (await import("./diff.js")).diffCommand(),
  },
  {
    name: "apply",
    summary: "check an update, and write the model that it brings",
    load: async () => (await import("./apply.js")).applyCommand(),
  },
  {
    name: "synth",
    summary: "make a model of a paper's net: its shape, densities and bits, drawn weights",
    load: async () => (await import("./synth.js")).synthCommand(),
  },
  {
    name: "firmware",
    summary: "run the boards under QEMU, or put the C library together for a project",
    load: async () => (await import("./firmware.js")).firmwareCommand(),
  },
  {
    name: "start",
    summary: "recognise handwritten digits with the smallest LeNet-5",
    load: async () => (await import("./start.js")).startCommand(),
  },
];

async function buildProgram(asked: string | undefined): Promise<Command> {
  const program = new Command("mote");
  program
    .description("Shrinks trained neural nets and runs them, bit for bit the same, on a microcontroller.")
    .usage("<command> [options]")
    .helpCommand("help [command]", "show how a command is used")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show how a command is used")
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(asOneLine(text.replace(/^error: /, "mote: "))) });
  for (const entry of ENTRIES) {
    if (entry.name !== asked) {
      program.command(entry.name).description(entry.summary);
      continue;
    }
    const command = await entry.load();
    command.copyInheritedSettings(program);
    program.addCommand(command);
  }
  return program;
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(builtFile("package.json"), "utf8")) as { version: string }).version;
}

/** Messages quote files, their names and the command line, any of which may hold line ends and what steers a terminal. */
function asOneLine(text: string): string {
  return printable(text.trimEnd().replaceAll("\n", " ")) + "\n";
}

/** One line for what the user can mend; the stack for what only we can. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has printed its line already.
    return ["commander.helpDisplayed", "commander.version"].includes(error.code) ? 0 : EXIT_USAGE;
  }
  Progress.clear();
  if (error instanceof MoteError) {
    process.stderr.write(asOneLine(`mote: ${error.message}`));
    if (error.code === "INTERRUPTED") return EXIT_INTERRUPTED;
    return error.code === "ARGUMENT" ? EXIT_USAGE : EXIT_FAILED;
  }
  process.stderr.write(`mote: internal error: ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT_FAILED;
}

function guardStreams(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      // `mote inspect | head -1`: nobody is left to read, so there is nothing left to say.
      process.exit(error.code === "EPIPE" ? EXIT_PIPE : EXIT_FAILED);
    });
  }
}

/**
 * Ctrl-C: a command with a handler of its own (train, compress: they write a checkpoint first) gets the first one to itself; a
 * second one, or the first in any other command, ends the process. Files are only ever renamed into place, so none is half-written.
 */
function guardInterrupt(): void {
  let interrupts = 0;
  process.on("SIGINT", () => {
    interrupts++;
    if (interrupts === 1 && process.listenerCount("SIGINT") > 1) return;
    Progress.clear();
    // Over the terminal's echo of Ctrl-C.
    process.stderr.write(`${process.stderr.isTTY ? "\r" : ""}mote: interrupted\n`);
    process.exit(EXIT_INTERRUPTED);
  });
}

/** @param argv as process.argv: node, script, command and its arguments */
export async function main(argv: readonly string[]): Promise<void> {
  guardStreams();
  guardInterrupt();
  try {
    const asked = argv[2] === "help" ? argv[3] : argv[2];
    const program = await buildProgram(asked);
    // Of a command that is not there, help would show the general usage without a word.
    const isUnknown = argv[2] === "help" && asked !== undefined && !ENTRIES.some(({ name }) => name === asked);
    await program.parseAsync(isUnknown ? [...argv.slice(0, 2), asked] : argv);
  } catch (error) {
    process.exitCode = report(error);
  }
}
