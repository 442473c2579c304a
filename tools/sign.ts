/** `mote sign`: a model as an update that devices check before they use any of it. */
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

interface SignFlags {
  readonly key: string;
  readonly sequence: number;
  readonly out: string;
  readonly json?: boolean;
}

export function signCommand(): Command {
  return new Command("sign")
    .description("sign a model, and write it as an update that devices with the public key take")
    .argument("<model>", ".mote, or .wasm made by mote pack")
    .requiredOption("--key <file>", "the private key, .pem, of mote keygen")
    .requiredOption("--sequence <n>", SEQUENCE_HELP, sequenceNumber)
    .requiredOption("-o, --out <file>", "where the update goes")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText("after", "\nExample:\n  mote sign model.mote --key keys/field.pem --sequence 2 -o model.update")
    .action((path: string, { key, sequence, out, json }: SignFlags) => {
      const output = new Output({ json, files: [out] });
      const model = updatableModel(path);
      finishUpdate(output, makeUpdate({ out, path, model, sequence, key: readPrivateKey(key, [out]) }));
    });
}
