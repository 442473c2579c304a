/** The exported library as ESP-IDF, PlatformIO, Arduino, Zephyr and CMake read it: by their own rules, as their documentation has them. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exportProject } from "../../host/node/firmware/export.js";
import { firmwareImage } from "../../host/node/firmware/image.js";
import { randomRuns } from "../../host/node/data/runs.js";
import { makeVectors } from "../../host/node/data/vectors.js";
import { missingTools, runTool } from "../../host/node/firmware/tools.js";
import { packageRoot } from "../../host/node/paths.js";
import { named } from "./support/native.js";

const IDF = join(packageRoot, "tests", "firmware", "stubs", "esp-idf");
const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string };

const work = mkdtempSync(join(tmpdir(), "mote-manifests-"));
const folder = join(work, "mote");
beforeAll(async () => {
  const container = readFileSync(join(packageRoot, "models", "lenet5.mote"));
  const vectors = makeVectors(container, randomRuns(2, 1), 2);
  await exportProject(folder, "lenet5", firmwareImage(container, "speed"), "wasm3", vectors);
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

const text = (...path: string[]): string => readFileSync(join(folder, ...path), "utf8");

describe("PlatformIO: library.json", () => {
  interface Library {
    readonly name: string;
    readonly version: string;
    readonly description: string;
    readonly keywords: string | readonly string[];
    readonly license: string;
    readonly headers: readonly string[];
    readonly build: object;
  }
  let library: Library;
  beforeAll(() => {
    library = JSON.parse(text("library.json")) as Library;
  });

  // docs.platformio.org, "library.json", each field's own page.
  it("has the fields that are required, in the lengths that are allowed", () => {
    expect(library.name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(library.name.length).toBeLessThanOrEqual(50);
    expect(library.version).toBe(version);
    expect(library.description.length).toBeLessThanOrEqual(255);
    expect(library.license).toBe("MIT");
  });

  it("has keywords of a-z, digits, dots, underscores, plus signs and dashes, none of these signs at an end", () => {
    const keywords = typeof library.keywords === "string" ? library.keywords.split(",") : library.keywords;
    expect(keywords.length).toBeGreaterThan(0);
    for (const keyword of keywords) expect(keyword).toMatch(/^[a-z0-9]([a-z0-9._+-]*[a-z0-9])?$/);
    expect(new Set(keywords).size).toBe(keywords.length);
    expect(keywords.join(",").length).toBeLessThanOrEqual(255);
  });

  it("names the headers of an application, which are there, and compiles the library's root only", () => {
    expect(library.headers).toEqual(["model.h", "mote.h"]);
    for (const header of library.headers) expect(existsSync(join(folder, header))).toBe(true);
    expect(library.build).toMatchObject({ srcDir: ".", includeDir: ".", srcFilter: ["+<*.c>"] });
  });
});

describe("Arduino: library.properties", () => {
  let fields: Record<string, string>;
  beforeAll(() => {
    const lines = text("library.properties").trim().split("\n");
    fields = Object.fromEntries(
      lines
        .filter((line) => !line.startsWith("#"))
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
  });

  // arduino.github.io/arduino-cli, "Library specification", and the schemas of arduino-lint.
  it("has all fields that are required, and values that are allowed", () => {
    for (const name of ["name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url"]) {
      expect(fields[name], name).toBeTruthy();
    }
    expect(fields.name).toMatch(/^(?!arduino)[a-z0-9][a-z0-9 _.-]{0,62}$/i);
    expect(fields.version).toBe(version);
    expect(fields.paragraph).not.toContain(fields.sentence);
    expect(fields.category).toBe("Data Processing");
    expect(fields.architectures).toBe("*");
  });

  it("has an address that is one, not a name that is reserved for examples", () => {
    const url = new URL(fields.url);
    expect(url.hostname).not.toMatch(/(^|\.)(example|invalid|test|localhost)(\.(com|net|org))?$/);
  });

  it("includes what a sketch of one's own needs", () => {
    expect(fields.includes.split(",")).toEqual(["model.h", "mote.h"]);
    for (const header of fields.includes.split(",")) expect(existsSync(join(folder, header))).toBe(true);
  });

  it("has no source twice: without a src folder the root is compiled, and nothing below", () => {
    expect(readdirSync(folder).filter((name) => name.startsWith("m3_"))).toEqual([]);
    expect(existsSync(join(folder, "src"))).toBe(false);
    expect(existsSync(join(folder, "utility"))).toBe(false);
  });
});

describe("Zephyr: module.yml", () => {
  it("names folders that have what it says", () => {
    const module = text("zephyr", "module.yml");
    const cmake = /cmake: (\S+)/.exec(module)![1];
    expect(text(cmake, "CMakeLists.txt")).toContain('"${CMAKE_CURRENT_LIST_DIR}/../*.c"');
    expect(existsSync(join(folder, /kconfig: (\S+)/.exec(module)![1]))).toBe(true);
  });
});

describe("CMake and ESP-IDF", () => {
  const sources = (): string[] => readdirSync(folder).filter((name) => name.endsWith(".c"));

  it("idf_component.yml has the library's version", () => {
    expect(text("idf_component.yml")).toMatch(new RegExp(`^version: "${version}"$`, "m"));
  });

  const noCmake = missingTools(["cmake"]);
  it.skipIf(noCmake.length > 0)(named("ESP-IDF's scan in script mode finds the component", noCmake), async () => {
    const { stderr } = await runTool("cmake", [...scanning(folder), "-P", join(IDF, "scan.cmake")]);
    const found = /^sources (.*)$/m.exec(stderr)![1].split(";");
    expect(found.sort()).toEqual(sources().map((name) => join(folder, name)));
  });

  it.skipIf(noCmake.length > 0)(named("and the example's, which requires it", noCmake), async () => {
    const main = join(packageRoot, "firmware-examples", "esp32", "main");
    const { stderr } = await runTool("cmake", [...scanning(main), "-P", join(IDF, "scan.cmake")]);
    expect(stderr).toMatch(/^requires mote$/m);
  });

  const noCompiler = missingTools(["cmake", "gcc"]);
  it.skipIf(noCompiler.length > 0)(named("ESP-IDF configures it", noCompiler), async () => {
    await runTool("cmake", [`-DCOMPONENT=${folder}`, "-S", join(IDF, "configure"), "-B", join(work, "idf")]);
  });

  it.skipIf(noCompiler.length > 0)(named("CMake configures it alone", noCompiler), async () => {
    await runTool("cmake", ["-S", folder, "-B", join(work, "cmake")]);
  });
});

const scanning = (component: string): string[] => ["-D", "ESP_PLATFORM=1", "-D", `COMPONENT=${component}`];
