/** Cases as files: what once went wrong is kept in cases/ and replayed by every test run. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../host/node/paths.js";
import { Random } from "../../host/rng.js";
import { writeFileAtomic } from "../../host/node/write-file.js";
import { makeCase, type FuzzCase, type Seed } from "./mutate.js";

export const CASES_FOLDER = join(packageRoot, "tests", "fuzz", "cases");

/** Case `index` of a campaign: it depends on nothing but the two numbers and the seeds. */
export function caseAt(seeds: readonly Seed[], campaign: number, index: number): FuzzCase {
  const random = new Random(campaign, index);
  return makeCase(seeds[random.integer(seeds.length)], seeds, random);
}

/** @returns the file's path, named by a digest of the bytes */
export function saveCase(fuzzCase: FuzzCase, finding: string, folder: string = CASES_FOLDER): string {
  const { bytes, swapped, ...rest } = fuzzCase;
  const content = { finding, ...rest, bytes: toBase64(bytes), swapped: toBase64(swapped) };
  const name = createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 12);
  const path = join(folder, `${name}.json`);
  mkdirSync(folder, { recursive: true });
  writeFileAtomic(path, Buffer.from(JSON.stringify(content, undefined, 2) + "\n"));
  return path;
}

export function loadCases(): { name: string; finding: string; fuzzCase: FuzzCase }[] {
  return readdirSync(CASES_FOLDER)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => {
      const content = JSON.parse(readFileSync(join(CASES_FOLDER, name), "utf8")) as SavedCase;
      const { finding, bytes, swapped, ...rest } = content;
      return { name, finding, fuzzCase: { ...rest, bytes: fromBase64(bytes), swapped: fromBase64(swapped) } };
    });
}

interface SavedCase extends Omit<FuzzCase, "bytes" | "swapped"> {
  readonly finding: string;
  readonly bytes: string;
  readonly swapped: string;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
