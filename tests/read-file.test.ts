import { closeSync, ftruncateSync, openSync } from "node:fs";
import { expect, it } from "vitest";
import { openFileSource } from "../host/node/file-source.js";
import { readFile } from "../host/node/read-file.js";
import { scratchFolder } from "./cli/support.js";
import { problem } from "./support/problem.js";

const scratch = scratchFolder();

/** Of zeros that take no room on the disk. */
function sparseFile(name: string, bytes: number): string {
  const path = scratch.path(name);
  const file = openSync(path, "w");
  ftruncateSync(file, bytes);
  closeSync(file);
  return path;
}

it("says of a file above 2 GiB which files may be larger", () => {
  const path = sparseFile("large.safetensors", 2 ** 31);
  expect(problem(() => readFile(path))).toBe(
    `FILE ${path}: has 2147483648 bytes, at most 2147483647 are read at once; of a net as .onnx, .caffemodel, or .safetensors with a graph in JSON beside it, weights are read in parts`,
  );
});

it("reads parts of a file beyond 4 GiB", () => {
  const file = openFileSource(sparseFile("larger.bin", 2 ** 33));
  expect(file.size).toBe(2 ** 33);
  expect(file.read(2 ** 33 - 4, 4)).toEqual(new Uint8Array(4));
  file.close();
});
