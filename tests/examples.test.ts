/** The programs of examples/ run as their README says, and answer what the reference answers. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PNG } from "pngjs";
import { afterAll, describe, expect, it } from "vitest";
import { argmax } from "../host/engines/classify.js";
import { pixelTable } from "../host/engines/fill-input.js";
import { openReference } from "../host/engines/reference.js";
import { missingTools } from "../host/node/firmware/tools.js";
import { packageRoot } from "../host/node/paths.js";
import { run } from "./cli/support.js";
import { named } from "./firmware/support/native.js";

const examples = join(packageRoot, "examples");
const model = join(packageRoot, "models/lenet5.mote");
const digit = join(examples, "digit.png");
const scratch = mkdtempSync(join(tmpdir(), "mote-examples-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The first lines of both programs' output, for the digit. */
function expectedLines(): string[] {
  const engine = openReference(readFileSync(model));
  const table = pixelTable(engine.input);
  const { data } = PNG.sync.read(readFileSync(digit));
  const logits = engine.run(Int8Array.from({ length: 28 * 28 }, (_, i) => table[data[4 * i]]));
  return [`class ${argmax(logits)}`, `outputs ${logits.join(" ")}`];
}

describe("examples/node", () => {
  const script = join(examples, "node/classify.mjs");

  it("classifies the digit", async () => {
    const { code, stdout, stderr } = await run(process.execPath, [script, model, digit]);
    expect([code, stderr]).toEqual([0, ""]);
    const [first, outputs, memory] = stdout.split("\n");
    expect([first.replace(/, [\d.]+ %$/, ""), outputs]).toEqual(expectedLines());
    expect(memory).toBe("bytes of memory 4336");
  });

  it("classifies the same digit in another size", async () => {
    const large = new PNG({ width: 84, height: 56 });
    const { data } = PNG.sync.read(readFileSync(digit));
    large.data = Buffer.from(
      Uint8Array.from({ length: 4 * 84 * 56 }, (_, i) => {
        const [x, y] = [Math.floor(((i >> 2) % 84) / 3), Math.floor((i >> 2) / 84 / 2)];
        return data[4 * (28 * y + x) + (i & 3)];
      }),
    );
    const path = join(scratch, "large.png");
    writeFileSync(path, PNG.sync.write(large));
    const { code, stdout, stderr } = await run(process.execPath, [script, model, path]);
    expect([code, stderr]).toEqual([0, ""]);
    const [first, memory] = stdout.split("\n");
    expect([first.replace(/, [\d.]+ %$/, ""), memory]).toEqual([expectedLines()[0], "bytes of memory 4336"]);
  });
});

const lacking = missingTools(["cc", "make"]);
describe.skipIf(lacking.length > 0)(named("examples/c", lacking), () => {
  it("is exported, built and classifies the digit", async () => {
    const folders = [`MOTE=${join(scratch, "mote")}`, `BUILD=${join(scratch, "build")}`];
    const args = ["-s", "-C", join(examples, "c"), ...folders, "CFLAGS=-O1"];
    const { code, stdout, stderr } = await run("make", [...args, "run"]);
    expect([code, stderr]).toEqual([0, ""]);
    const lines = stdout.trimEnd().split("\n").slice(-3);
    expect(lines.slice(0, 2)).toEqual(expectedLines());
    expect(lines[2]).toMatch(/^bytes of memory \d{5}$/);
  });
});

describe("examples/README.md", () => {
  it("shows commands that name what there is, and the class that they print", () => {
    const text = readFileSync(join(examples, "README.md"), "utf8");
    const paths = [...text.matchAll(/`(?:node|make -s -C) ([^`]+)`/g)].flatMap(([, args]) => args.split(" "));
    expect(paths).toEqual(expect.arrayContaining(["examples/node/classify.mjs", "examples/c"]));
    // What scripts write into does not exist yet.
    for (const path of paths.filter((word) => word !== "run" && !word.startsWith("build/")))
      expect(existsSync(join(packageRoot, path)), path).toBe(true);
    expect(text).toContain(`${expectedLines()[0]}\noutputs -128 -128 -113 …`);
  });
});
