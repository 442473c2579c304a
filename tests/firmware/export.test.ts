/** `mote firmware --export`: all of the folder or none of it, nothing of anybody else's lost, and what it says of memory holds. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { writeContainer } from "../../host/container/write.js";
import { replaceExport } from "../../host/node/firmware/export-folder.js";
import { modelSource } from "../../host/node/firmware/export.js";
import { openBytes } from "../../host/firmware/image.js";
import { firmwareImage, genericImage } from "../../host/node/firmware/image.js";
import { packageRoot } from "../../host/node/paths.js";
import type { ExportSummary } from "../../tools/firmware/export.js";
import { syntheticModels } from "../support/models.js";
import { expectOneLine, mote, scratchFolder } from "../cli/support.js";
import { buildNative, missing, named, runNative } from "./support/native.js";

const scratch = scratchFolder();

/** All files below a folder with their contents. */
function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  return Object.fromEntries(
    files.map(({ parentPath, name }) => [join(parentPath, name), readFileSync(join(parentPath, name), "latin1")]),
  );
}

const files = (text: string): Map<string, Uint8Array> =>
  new Map([
    ["mote.c", Buffer.from(text)],
    [join("wasm3", "m3_core.c"), Buffer.from("core")],
  ]);

describe("the folder of an export", () => {
  let folder: string;
  beforeAll(() => {
    folder = scratch.path("above/mote");
  });

  it("is made with those above it, and replaced when it was exported before: what is no longer part of it goes", () => {
    expect(replaceExport(folder, files("one"))).toEqual(["mote.c", "wasm3/m3_core.c", "mote-export.json"]);
    expect(readFileSync(join(folder, "mote.c"), "utf8")).toBe("one");
    replaceExport(folder, new Map([["mote.c", Buffer.from("two")]]));
    expect(readdirSync(folder).sort()).toEqual(["mote-export.json", "mote.c"]);
    expect(readFileSync(join(folder, "mote.c"), "utf8")).toBe("two");
    expect(readdirSync(join(folder, ".."))).toEqual(["mote"]);
  });

  it("may be empty, or a link to a folder", () => {
    const empty = scratch.path("empty");
    mkdirSync(empty);
    symlinkSync(empty, scratch.path("link"));
    replaceExport(scratch.path("link"), files("one"));
    expect(readFileSync(join(empty, "mote.c"), "utf8")).toBe("one");
    replaceExport(scratch.path("link"), files("two"));
    expect(readFileSync(join(empty, "mote.c"), "utf8")).toBe("two");
  });

  const refused: [what: string, change: (folder: string) => void, message: RegExp][] = [
    [
      "a foreign file in it",
      (path) => writeFileSync(join(path, "notes.txt"), ""),
      /notes\.txt is not of the former export/,
    ],
    [
      "a foreign file below",
      (path) => writeFileSync(join(path, "wasm3", "x"), ""),
      /wasm3\/x is not of the former export/,
    ],
    ["a foreign link in it", (path) => symlinkSync("/dev/null", join(path, "l")), /l is not of the former export/],
    ["a file that was changed", (path) => appendFileSync(join(path, "mote.c"), "!"), /mote\.c was changed since/],
    ["no list", (path) => rmSync(join(path, "mote-export.json")), /holds files of something else/],
    [
      "a list that is none",
      (path) => writeFileSync(join(path, "mote-export.json"), "null"),
      /holds files of something else/,
    ],
  ];
  it.each(refused)("is refused with %s, and left as it was", (what, change, message) => {
    const path = scratch.path(what.replaceAll(" ", "-"));
    replaceExport(path, files("one"));
    change(path);
    const before = contents(path);
    expect(() => replaceExport(path, files("two"))).toThrow(message);
    expect(contents(path)).toEqual(before);
  });

  it("is refused where there is a file, below a file, and where it would be the current folder", () => {
    writeFileSync(scratch.path("file"), "mine");
    expect(() => replaceExport(scratch.path("file"), files("one"))).toThrow(/file: is a file, expected a new or empty/);
    expect(() => replaceExport(scratch.path("file/below"), files("one"))).toThrow(/not a folder$/);
    expect(readFileSync(scratch.path("file"), "utf8")).toBe("mine");
    for (const path of [".", "..", "/"])
      expect(() => replaceExport(path, files("one"))).toThrow(/is the current folder/);
    expect(() => replaceExport("", files("one"))).toThrow('--export "": expected the name of a folder');
  });

  it("is not half made where it cannot be written", () => {
    const names = scratch.names();
    expect(() => replaceExport(join("/proc", "mote"), files("one"))).toThrow(/^\/proc\/mote: cannot be written: /);
    const long = scratch.path(join("deep", "x".repeat(300), "mote"));
    expect(() => replaceExport(long, files("one"))).toThrow(/cannot be written: the name is too long$/);
    expect(scratch.names()).toEqual(names);
  });
});

describe("mote firmware --export", () => {
  it("says what the folder takes and what to write next; with --json the same as JSON alone", async () => {
    const folder = scratch.path("lenet5");
    const text = await mote(["firmware", "--export", folder]);
    expect([text.code, text.stderr]).toEqual([0, ""]);
    expect(text.stdout).toContain('#include "model.h"');
    expect(text.stdout).toContain("mote_open(&model, &model_source, memory, sizeof memory)");
    for (const line of text.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(100);

    const json = await mote(["firmware", "--export", folder, "--json"]);
    expect([json.code, json.stderr]).toEqual([0, text.stdout]);
    const { memoryBytes, ...summary } = JSON.parse(json.stdout) as ExportSummary;
    const [cpu32, cpu64] = [memoryBytes.cpu32, memoryBytes.cpu64].map((bytes) => bytes.toLocaleString("en"));
    expect(text.stdout).toContain(`\nmemory  ${cpu32} bytes on a 32-bit CPU, ${cpu64} on a 64-bit one\n`);
    expect(memoryBytes.cpu32).toBe(
      openBytes(firmwareImage(readFileSync(join(packageRoot, "models", "lenet5.mote")), "speed"), "wasm3", 32),
    );
    expect(summary).toMatchObject({
      folder,
      model: "lenet5",
      engine: "wasm3",
      form: "speed",
      inputs: [[1, 28, 28]],
      outputs: [[10, 1, 1]],
    });
  });

  it("leaves the former export when the disk is full, and says so in one line", async () => {
    const folder = scratch.path("lenet5");
    const [before, names] = [contents(folder), scratch.names()];
    const limits = "ulimit -f 20";
    expectOneLine(
      await mote(["firmware", "--export", folder], { limits }),
      /lenet5: cannot be written: the file is too/,
    );
    expectOneLine(
      await mote(["firmware", "--export", scratch.path("new/mote")], { limits }),
      /new\/mote: cannot be written: the file is too large/,
    );
    expect(contents(folder)).toEqual(before);
    expect(scratch.names()).toEqual(names);
    expect(existsSync(scratch.path("new"))).toBe(false);
  });
});

describe.skipIf(missing.length > 0)(named("MODEL_MEMORY_BYTES on this 64-bit machine", missing), () => {
  const model = (name: string): Uint8Array =>
    name === "streaming"
      ? writeContainer(syntheticModels().find((one) => one.name === name)!.model)
      : readFileSync(join(packageRoot, "models", `${name}.mote`));
  const forms = {
    speed: (name: string) => firmwareImage(model(name), "speed"),
    size: (name: string) => firmwareImage(model(name), "size"),
    generic: (name: string) => genericImage(model(name)),
  };
  const cases = [
    { engine: "wasm3", name: "lenet5", form: "speed" },
    { engine: "wasm3", name: "lenet5", form: "size" },
    { engine: "wasm3", name: "lenet5", form: "generic" },
    { engine: "wasm3", name: "lenet300-paper", form: "speed" },
    { engine: "wasm3", name: "lenet300-paper", form: "size" },
    { engine: "aot", name: "lenet5", form: "speed" },
    { engine: "aot", name: "lenet5", form: "size" },
    { engine: "native", name: "lenet5", form: "speed" },
    { engine: "native", name: "lenet5", form: "size" },
    { engine: "data", name: "lenet5", form: "speed" },
    { engine: "wasm3", name: "streaming", form: "speed" },
    { engine: "native", name: "streaming", form: "speed" },
    { engine: "data", name: "streaming", form: "speed" },
    { engine: "aot", name: "streaming", form: "speed" },
    { engine: "aot", name: "streaming", form: "size" },
  ] as const;

  it.each(cases)(
    "is enough for $name by $engine, $form, and what the command says",
    async ({ engine, name, form }) => {
      const image = forms[form](name);
      const source = await modelSource(name, image, engine);
      const program = await buildNative("memory-test", { model: source }, `memory-${engine}-${name}-${form}`);
      const { stdout } = await runNative(program, []);
      const [, used, granted] = /^(\d+) of (\d+) bytes$/m.exec(stdout)!.map(Number);
      expect(used).toBeLessThanOrEqual(granted);
      expect(granted).toBe(Math.ceil(openBytes(image, engine, 64) / 8) * 8);
    },
    120_000,
  );
});
