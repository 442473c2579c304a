import { expect, test } from "vitest";
import { movedNet, movedRecipe } from "../../host/node/compress/recipe-files.js";
import { inFolder, isNamedSamples, movedSpec } from "../../host/node/data/moved-spec.js";

test("names of data, nets, columns and arrays stay, paths are those of another folder", () => {
  const data = { train: "mnist", validation: "fashion:test", test: "x.npy", labels: "column:1", targets: "y" };
  expect(movedSpec(data, ".", "sub")).toEqual({ ...data, test: "../x.npy" });
  expect(movedSpec({ train: "/a/x.npy", targets: "input", labels: ["y.csv"] }, ".", "sub")).toEqual({
    train: "/a/x.npy",
    targets: "input",
    labels: ["../y.csv"],
  });
  expect([movedNet("lenet5", ".", "sub"), movedNet("net.json", ".", "sub")]).toEqual(["lenet5", "../net.json"]);
});

test("a path that would be taken for a name elsewhere begins with a dot", () => {
  const moved = (data: Parameters<typeof movedSpec>[0]): object => movedSpec(data, ".", "d");
  expect(moved({ train: "./d/mnist" })).toEqual({ train: "./mnist" });
  expect(moved({ train: "d/fashion:test", validation: "d/mnist", test: "d/mnist:test" })).toEqual({
    train: "./fashion:test",
    validation: "mnist",
    test: "./mnist:test",
  });
  // For samples to choose by only `mnist:PART` is a name.
  expect(moved({ train: "d/x", validation: "mnist" })).toEqual({ train: "x", validation: "../mnist" });
  expect(moved({ train: "d/x", targets: "d/y", labels: ["d/y", "d/column:1"] })).toEqual({
    train: "x",
    targets: "./y",
    labels: ["y", "./column:1"],
  });
  expect(moved({ train: "d/x", targets: ["d/input"] })).toEqual({ train: "x", targets: ["./input"] });
  expect(movedSpec({ train: "./mnist" }, ".", ".")).toEqual({ train: "./mnist" });

  const recipe = { net: "d/lenet5", data: { train: "d/mnist" } };
  expect(movedRecipe(recipe, ".", "d")).toEqual({ net: "./lenet5", data: { train: "./mnist" } });
});

test("a path that begins with a dot is none of the names in the working folder either", () => {
  expect(inFolder("./mnist:test", ".", isNamedSamples)).toBe("./mnist:test");
  expect(inFolder("mnist:test", "sub", isNamedSamples)).toBe("mnist:test");
  expect(inFolder("mnist", "sub", isNamedSamples)).toBe("sub/mnist");
});
