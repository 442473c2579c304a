/** `mote keygen`: keys by which updates are signed and checked. */
import { Command } from "commander";
import { keyMacro, makeKeys, writeKeyFiles } from "../host/node/update/keys.js";
import { Output } from "./output.js";

interface KeygenFlags {
  readonly out: string;
  readonly json?: boolean;
}

export function keygenCommand(): Command {
  return new Command("keygen")
    .description("make an Ed25519 key pair, by which updates are signed and devices check them")
    .requiredOption("-o, --out <name>", "writes NAME.pem, which stays secret, NAME.pub.pem, and NAME.h for firmware")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText(
      "after",
      "\nNAME.pem is written for its owner alone, and no file over another. NAME.h defines NAME_KEY. Whoever has it can put models on every device that trusts NAME.h.\n\nExamples:\n  mote keygen -o keys/field\n  mote sign model.mote --key keys/field.pem --sequence 2 -o model.update",
    )
    .action(keygen);
}

function keygen({ out, json }: KeygenFlags): void {
  const output = new Output({ json });
  const keys = makeKeys();
  const files = writeKeyFiles(out, keys);
  const macro = keyMacro(out);
  const hex = Buffer.from(keys.publicKey).toString("hex");
  output.pairs([
    [files.private, "the private key, to sign with: keep it secret, and out of repositories"],
    [files.public, "the public key, to check with"],
    [files.header, `the same for firmware, ${keys.publicKey.length} bytes: ${macro}`],
    ["public key", hex],
  ]);
  output.json(() => ({ files, macro, publicKey: hex }));
}
