/** `mote keygen`: keys by which updates are signed and checked. */
import { Command } from "commander";
import { keyHeader, makeKeys, writePrivateKey } from "../host/node/update/keys.js";
import { writeFileAtomic } from "../host/node/write-file.js";
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
      "\nNAME.pem is written for its owner alone, and never over another. Whoever has it can put models on every device that trusts NAME.h.\n\nExamples:\n  mote keygen -o keys/field\n  mote sign model.mote --key keys/field.pem --sequence 2 -o model.update",
    )
    .action(keygen);
}

function keygen({ out, json }: KeygenFlags): void {
  const output = new Output({ json });
  const { privatePem, publicPem, publicKey } = makeKeys();
  const files = { private: `${out}.pem`, public: `${out}.pub.pem`, header: `${out}.h` };
  writePrivateKey(files.private, privatePem);
  writeFileAtomic(files.public, publicPem);
  writeFileAtomic(files.header, keyHeader(publicKey));
  const hex = Buffer.from(publicKey).toString("hex");
  output.pairs([
    [files.private, "the private key, to sign with: keep it secret, and out of repositories"],
    [files.public, "the public key, to check with"],
    [files.header, `the same for firmware, ${publicKey.length} bytes: MOTE_KEY`],
    ["public key", hex],
  ]);
  output.json(() => ({ files, publicKey: hex }));
}
