/** `mote diff`: a model as what it has of the one that a device runs. */
import { Command } from "commander";
import { Output } from "./output.js";
import {
  finishUpdate,
  makeUpdate,
  readPrivateKey,
  SEQUENCE_HELP,
  sequenceNumber,
  updatableModel,
} from "./update-files.js";

interface DiffFlags {
  readonly key?: string;
  readonly sequence: number;
  readonly out: string;
  readonly json?: boolean;
}

export function diffCommand(): Command {
  return new Command("diff")
    .description("code a model against the one that a device has, as an update of a few packets")
    .argument("<old>", "the model in use: .mote, or .wasm made by mote pack")
    .argument("<new>", "the one to be")
    .requiredOption("--sequence <n>", SEQUENCE_HELP, sequenceNumber)
    .option("--key <file>", "sign it with this private key, .pem")
    .requiredOption("-o, --out <file>", "where the update goes: a patch, or the new model where that is smaller")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nExamples:\n  mote diff old.mote new.mote --sequence 3 -o new.patch\n  mote diff old.mote new.mote --sequence 3 --key keys/field.pem -o new.patch",
    )
    .action((old: string, made: string, { key, sequence, out, json }: DiffFlags) => {
      const output = new Output({ json, files: [out] });
      const base = updatableModel(old);
      const model = updatableModel(made);
      finishUpdate(
        output,
        makeUpdate({
          out,
          path: made,
          model,
          sequence,
          base,
          key: key === undefined ? undefined : readPrivateKey(key, [out]),
        }),
      );
    });
}
