/** `mote apply`: the model that an update brings, as a device would take it. */
import { Command } from "commander";
import { MoteError } from "../host/errors.js";
import { readFile } from "../host/node/read-file.js";
import { trustedModel } from "../host/node/update/keys.js";
import { writeFileAtomic } from "../host/node/write-file.js";
import { isUpdate, readUpdate } from "../host/update/update.js";
import { grouped, namingFile, notOneOf } from "./model-file.js";
import { Output } from "./output.js";
import { describeUpdate, readPublicKey, updatableModel, updateJson } from "./update-files.js";

interface ApplyFlags {
  readonly base?: string;
  readonly key?: string;
  readonly unsigned?: boolean;
  readonly out: string;
  readonly json?: boolean;
}

export function applyCommand(): Command {
  return new Command("apply")
    .description("check an update, and write the model that it brings")
    .argument("<update>", "made by mote sign, diff or pack --sign")
    .option("--base <model>", "the model that a patch is for")
    .option("--key <file>", "the public key that it must be signed by, .pub.pem")
    .option("--unsigned", "take it whoever it is from")
    .requiredOption("-o, --out <file>", "where the model goes")
    .option("--json", "print one JSON object on stdout and nothing else there")
    .addHelpText("after", "\nExample:\n  mote apply new.patch --base old.mote --key keys/field.pub.pem -o new.mote")
    .action(apply);
}

function apply(path: string, { base, key, unsigned, out, json }: ApplyFlags): void {
  const output = new Output({ json, files: [out] });
  if ((key === undefined) !== (unsigned === true)) {
    throw new MoteError("ARGUMENT", "expected --key, or --unsigned for an update from anyone: one of the two");
  }
  const file = readFile(path);
  if (!isUpdate(file)) throw notOneOf(path, file, "an update, made by mote sign, diff or pack --sign");
  const trusted = key === undefined ? null : readPublicKey(key, [out]);
  const old = base === undefined ? undefined : updatableModel(base);
  const update = namingFile(path, () => readUpdate(file));
  const model = namingFile(path, () => trustedModel(update, trusted, old));
  writeFileAtomic(out, model);
  output.pairs([
    [out, `${grouped(model.length)} bytes${key === undefined ? "" : ", signed by this key"}`],
    ...describeUpdate(update, trusted !== null),
  ]);
  output.json(() => ({ file: out, bytes: model.length, ...updateJson(update), isSignatureChecked: trusted !== null }));
}
