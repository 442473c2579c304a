import { describe, expect, it } from "vitest";
import { columnsOf, formatDuration, Progress } from "../host/node/progress.js";

function recorder(isTTY: boolean): { text: string; isTTY: boolean; columns: number; write: (text: string) => void } {
  return {
    text: "",
    isTTY,
    columns: 80,
    write(text) {
      this.text += text;
    },
  };
}

const ERASED = "\r\x1b[K";

describe("Progress", () => {
  it("writes whole lines at intervals into a log", () => {
    const stream = recorder(false);
    let clock = 0;
    const progress = new Progress("train", 100, stream, () => clock);
    for (let done = 1; done <= 100; done++) {
      clock += 500;
      progress.update(done, `loss ${done}`);
    }
    progress.finish();
    expect(stream.text.split("\n")).toEqual([
      "train: 2%  2/100  49s left  loss 2",
      "train: 22%  22/100  39s left  loss 22",
      "train: 42%  42/100  29s left  loss 42",
      "train: 62%  62/100  19s left  loss 62",
      "train: 82%  82/100  9s left  loss 82",
      "train: 100%  100/100  50s  loss 100",
      "",
    ]);
  });

  it("redraws one line on a terminal, cut to its width, and ends it once", () => {
    const stream = recorder(true);
    let clock = 0;
    const progress = new Progress("run", 10, stream, () => clock);
    progress.update(5, "x".repeat(200));
    clock += 50;
    progress.update(6);
    clock += 50;
    progress.update(10, "");
    progress.finish();
    progress.finish();
    progress.update(3);
    const lines = stream.text.split("\r");
    expect(lines).toHaveLength(3); // before the first, two shown
    expect(lines[1]).toHaveLength(79);
    expect(lines[1]).toMatch(/^run ████████████░░░░░░░░░░░░  50%/);
    expect(stream.text.endsWith("\n")).toBe(true);
    expect(stream.text.match(/\n/g)).toHaveLength(1);
  });

  it("reckons the time left from what this run has done, not an earlier one", () => {
    const stream = recorder(false);
    let clock = 0;
    const progress = new Progress("train", 1000, stream, () => clock);
    for (const done of [910, 911, 920]) {
      clock += 10_000;
      progress.update(done);
    }
    expect(stream.text.split("\n")).toEqual([
      "train: 91%  910/1000  10s",
      "train: 91%  911/1000  14m50s left",
      "train: 92%  920/1000  2m40s left",
      "",
    ]);
  });

  it("gives up its line to what is printed, and comes back with the next update", () => {
    const stream = recorder(true);
    let clock = 0;
    const progress = new Progress("run", 10, stream, () => clock);
    progress.update(5);
    Progress.clear();
    expect(stream.text).toMatch(/^\rrun /);
    expect(stream.text.endsWith(ERASED)).toBe(true);
    Progress.clear();
    stream.text = "";
    clock += 200;
    progress.update(6);
    expect(stream.text).toMatch(/^\rrun .* 60%/);
    progress.finish();
    stream.text = "";
    Progress.clear();
    expect(stream.text).toBe("");
  });

  it("takes another bar off before it shows its own", () => {
    const stream = recorder(true);
    const [first, second] = ["one", "two"].map((label) => new Progress(label, 10, stream, () => 0));
    first.update(1);
    second.update(1);
    expect(stream.text.split("\r").map((part) => part.slice(0, 4))).toEqual(["", "one ", ERASED.slice(1), "two "]);
    Progress.clear();
  });

  it("does not let a name steer the terminal", () => {
    const stream = recorder(false);
    const progress = new Progress("a\x1b[31m", 1, stream, () => 0);
    progress.update(1);
    progress.finish();
    expect(stream.text).toBe("a\\x1b[31m: 100%  1/1  0s\n");
  });

  it("says nothing of work that never began", () => {
    const stream = recorder(true);
    new Progress("run", 10, stream).finish();
    expect(stream.text).toBe("");
  });
});

describe("formatDuration", () => {
  it.each([
    [0, "0s"],
    [59.4, "59s"],
    [60, "1m00s"],
    [3599, "59m59s"],
    [3600, "1h00m"],
    [36_061, "10h01m"],
  ])("%f seconds are %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));
});

describe("columnsOf", () => {
  it("asks the terminal, then COLUMNS, and takes 80", () => {
    const before = process.env.COLUMNS;
    try {
      process.env.COLUMNS = "61";
      expect(columnsOf({ columns: 132 })).toBe(132);
      expect(columnsOf({})).toBe(61);
      expect(columnsOf({ columns: 0 })).toBe(61);
      process.env.COLUMNS = "wide";
      expect(columnsOf({})).toBe(80);
      delete process.env.COLUMNS;
      expect(columnsOf({})).toBe(80);
    } finally {
      if (before === undefined) delete process.env.COLUMNS;
      else process.env.COLUMNS = before;
    }
  });
});
