/** Where the firmware's Ed25519 comes from: Orson Peters' C sources, which npm's ed25519-supercop brings along. Nothing of it is kept in the repository. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { dependencyFolder } from "../paths.js";
import type { Source } from "./build.js";

/** What verifying takes of the library; its other files make keys and signatures. */
const FILES = ["verify.c", "ge.c", "fe.c", "sc.c", "sha512.c"];

/** The folder of its headers; undefined where npm has not installed it. */
export function ed25519Folder(): string | undefined {
  const folder = join(dependencyFolder("ed25519-supercop"), "vendor", "ed25519", "src");
  return FILES.every((name) => existsSync(join(folder, name))) ? folder : undefined;
}

export function ed25519Sources(folder: string): Source[] {
  return FILES.map((name) => ({ path: join(folder, name), kind: "foreign" }));
}
