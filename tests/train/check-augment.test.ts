import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { MoteError } from "../../host/errors.js";
import { packageRoot } from "../../host/node/paths.js";
import { augmentationText, checkAugmentation, parseAugmentation } from "../../host/train/augment.js";
import { CHANGES } from "../../host/train/augmenter.js";

const SOURCE = "assembly/train/changes.ts";

describe("what recipes and flags say of augmentation", () => {
  test.each<[unknown]>([
    [0],
    [0.4],
    [{}],
    [{ distort: 0.4, shift: 2.5, flip: 0.5, noise: 60, background: 60, contrast: 0.3, blur: 0.8, probability: 0.5 }],
    [{ kind: "spectrogram", timeShift: 4, timeMask: 5, frequencyMask: 2, noise: 0.1, timeAxis: "width" }],
    [{ kind: "series", jitter: 0.05, scale: 0.1, warp: 2, shift: 3 }],
  ])("%j is taken, in a flag too", (value) => {
    const checked = checkAugmentation(value, "bank.augment");
    expect(checked).toEqual(value);
    expect(parseAugmentation(augmentationText(checked), "--augment")).toEqual(value);
  });

  test.each<[unknown, string]>([
    [undefined, "a: expected a number, 0 .. 1, or an object, got nothing"],
    ["strong", 'a: expected a number, 0 .. 1, or an object, got "strong"'],
    [null, "a: expected a number, 0 .. 1, or an object, got null"],
    [[1], "a: expected a number, 0 .. 1, or an object, got [1]"],
    [1.5, "a: expected a number, 0 .. 1, got 1.5"],
    [NaN, "a: expected a number, 0 .. 1, got null"],
    [{ noise: -1 }, "a.noise: expected a number, 0 .. 1000000, got -1"],
    [{ noise: "25" }, 'a.noise: expected a number, 0 .. 1000000, got "25"'],
    [{ kind: "sound" }, 'a.kind: expected one of image, spectrogram, series, got "sound"'],
    [{ kind: "__proto__" }, 'a.kind: expected one of image, spectrogram, series, got "__proto__"'],
    [{ noize: 1 }, "a.noize: unknown key; known of kind image are distort, shift, rotate,"],
    [{ toString: 1 }, "a.toString: unknown key"],
    [{ timeMask: 3 }, 'timeMask goes with "kind": "spectrogram"'],
    [{ jitter: 3 }, 'jitter goes with "kind": "series"'],
    [{ kind: "spectrogram", timeMask: 2.5 }, "a.timeMask: expected a whole number, 0 .. 1000000, got 2.5"],
    [{ kind: "series", shift: 2.5 }, "a.shift: expected a whole number, 0 .. 1000000, got 2.5"],
    [{ kind: "series", timeAxis: "time" }, 'a.timeAxis: expected one of height, width, got "time"'],
    [{ timeAxis: "width" }, "a.timeAxis: unknown key"],
  ])("%j is refused", (value, message) => {
    let error: unknown;
    try {
      checkAugmentation(value, "a");
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(MoteError);
    expect((error as MoteError).code).toBe("RECIPE");
    expect((error as MoteError).message).toContain(message);
  });

  test.each([
    ["strong", 'got "strong"'],
    ["noise=", '--augment.noise: expected a number, 0 .. 1000000, got ""'],
    ["noise=1=2", 'got "1=2"'],
    ["noise=1,blurr=2", "--augment.blurr: unknown key"],
  ])("--augment %s is refused", (text, message) => {
    expect(() => parseAugmentation(text, "--augment")).toThrow(message);
  });
});

test("the kernels' classes have the host's fields in the host's order, a float each", () => {
  const file = ts.createSourceFile(SOURCE, readFileSync(join(packageRoot, SOURCE), "utf8"), ts.ScriptTarget.Latest);
  const classes = file.statements.filter(ts.isClassDeclaration).map(({ name, members }) => {
    const fields = members.filter(ts.isPropertyDeclaration);
    fields.forEach(({ type }) => expect(type!.getText(file)).toBe("f32"));
    return [name!.text, fields.map(({ name: field }) => field.getText(file))] as const;
  });
  expect(Object.fromEntries(classes)).toEqual(CHANGES);
});
