/** What `mote bench --only GROUP --save` leaves in results.json. */
import { writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { readResults, runsOf, withEarlier, type Run } from "../../tools/bench/results.js";
import { scratchFolder } from "../cli/support.js";

const scratch = scratchFolder();
const run = (command: string, ...ids: string[]): Run => ({
  machine: { command },
  figures: ids.map((id) => ({ id, name: `${id} by ${command}`, value: 1, unit: "" })),
});
const all = run("all", "sizes.core", "work.lenet5", "web.ratio", "web.ms");
const idsOf = (runs: readonly Run[]): unknown =>
  runs.map(({ machine, figures }) => [machine.command, ...figures.map(({ id }) => id)]);

it("keeps the figures that were not measured again, with the machine that they are of", () => {
  const second = withEarlier(run("web", "web.ratio", "web.ms"), all);
  expect(idsOf(runsOf(second))).toEqual([
    ["all", "sizes.core", "work.lenet5"],
    ["web", "web.ratio", "web.ms"],
  ]);
  const third = withEarlier(run("work", "work.lenet5", "work.new"), second);
  expect(idsOf(runsOf(third))).toEqual([
    ["all", "sizes.core"],
    ["web", "web.ratio", "web.ms"],
    ["work", "work.lenet5", "work.new"],
  ]);
  expect(idsOf(runsOf(withEarlier(run("sizes", "sizes.core"), third)))).toEqual([
    ["web", "web.ratio", "web.ms"],
    ["work", "work.lenet5", "work.new"],
    ["sizes", "sizes.core"],
  ]);
});

it("is the run alone where there was none, and where all is measured again", () => {
  expect(withEarlier(all, undefined)).toEqual(all);
  expect(withEarlier(all, run("before", "sizes.core"))).toEqual(all);
});

it("reads what it has written, and is not there at first", () => {
  const path = scratch.path("results.json");
  expect(readResults(path)).toBeUndefined();
  const results = withEarlier(run("web", "web.ms"), all);
  writeFileSync(path, JSON.stringify(results));
  expect(readResults(path)).toEqual(results);
});

it.each(["{", "[]", '{"machine":{}}'])("refuses a file of %s", (text) => {
  const path = scratch.path("other.json");
  writeFileSync(path, text);
  expect(() => readResults(path)).toThrow(path);
});
