/** Puts figures into documents: what stands between `<!--key-->` and `<!--/-->` is replaced, so that no figure is typed by hand. */
import { readContainer } from "../../host/container/read.js";
import { reportContainer } from "../../host/report/container.js";
import { MoteError } from "../../host/errors.js";
import { readBaseline } from "../../host/node/firmware/baseline.js";
import { BOARDS } from "../../host/node/firmware/boards.js";
import type { Measurement } from "../../host/node/firmware/measure.js";
import { figureCells, type Figure } from "./figure.js";
import { SHIPPED_MODELS, shippedModel } from "./models.js";

/**
 * @param text Markdown
 * @param figures README.md takes those of the groups sizes and models; bench/results.md those of all groups
 * @param measured by which command and on which machine, for `<!--measured-->`
 * @throws MoteError FORMAT for a place whose key is neither known nor the id of a figure, or whose figure was not measured
 */
export function fillFigures(text: string, figures: readonly Figure[], measured = ""): string {
  const places = placesOf(figures, measured);
  return text.replace(/<!--([\w.-]+)-->([^]*?)<!--\/-->/g, (_, key: string) => {
    const figure = figures.find(({ id }) => id === key);
    const place = places[key] ?? (figure && (() => format({ ...figure, unit: "" })));
    if (place === undefined)
      throw new MoteError("FORMAT", `no figure for <!--${key}-->; there are ${Object.keys(places).join(", ")}`);
    return `<!--${key}-->${place()}<!--/-->`;
  });
}

function placesOf(figures: readonly Figure[], measured: string): Readonly<Record<string, () => string>> {
  const find = (name: string): Figure => {
    const figure = figures.find((candidate) => candidate.name === name);
    if (figure === undefined) throw new MoteError("FORMAT", `the figure "${name}" was not measured`);
    return figure;
  };
  const value = (name: string): string => format({ ...find(name), unit: "" });
  return {
    "lenet5.bytes": () => value("lenet5.mote, all bytes"),
    "lenet5.factor": () => String(factor("lenet5")),
    "lenet5.error": () => Number(find("lenet5.mote, test error").value).toFixed(2),
    "lenet5.memory": () => value("linear memory, lenet5, model behind the window"),
    "core.bytes": () => value("core.wasm, all ops and codecs"),
    models: () => modelTable(find),
    figures: () => figureTable(figures),
    measured: () => measured,
    work: () => workTable(value),
    "lenet5.m4": () => onBoard("netduinoplus2", "wasm3").instructions.toLocaleString("en"),
    "lenet5.m4.native": () => onBoard("netduinoplus2", "native").instructions.toLocaleString("en"),
    "lenet5.m4.aot": () => onBoard("netduinoplus2", "aot").instructions.toLocaleString("en"),
    "lenet5.m3.sram": () => onBoard("lm3s6965evb", "wasm3").sramBytes.total.toLocaleString("en"),
    boards: () => boardTable(readBaseline()),
  };
}

function modelTable(find: (name: string) => Figure): string {
  const rows = SHIPPED_MODELS.toReversed().map(({ name }) => {
    const { live, nominal } = units(name);
    const error = Number(find(`${name}.mote, test error`).value).toFixed(2);
    const bytes = format({ ...find(`${name}.mote, all bytes`), unit: "" });
    return `| \`${name}.mote\` | ${bytes} | ${factor(name)} | ${error} % | ${live} of ${nominal} | [${name}.json](models/${name}.json) |`;
  });
  return table(["model", "bytes", "factor", "test error", "live units", "recipe"], "-rrr--", rows);
}

function figureTable(figures: readonly Figure[]): string {
  return table(
    ["figure", "value", "target", "met"],
    "-rr-",
    figures.map((figure) => `| ${figureCells(figure).join(" | ")} |`),
  );
}

function workTable(value: (name: string) => string): string {
  const rows = SHIPPED_MODELS.toReversed().flatMap(({ name }) =>
    [name, `${name}, fast module`].map((form) => {
      const times = `${value(`${form}, time under wasm3`)} µs | ${value(`${form}, time under V8`)} µs`;
      return `| ${form} | ${value(`${form}, wasm instructions per inference`)} | ${times} | ${value(`${form}, wasm3 : V8`)} |`;
    }),
  );
  return table(["model", "instructions", "wasm3", "V8", "wasm3 : V8"], "-rrrr", rows);
}

/** What the fast module of lenet5 takes. */
function onBoard(board: string, engine: string): Measurement {
  const found = readBaseline().find(
    (m) => m.optimize === "speed" && m.model === "lenet5" && m.board === board && m.engine === engine,
  );
  if (found === undefined)
    throw new MoteError("FORMAT", `bench/device.json has no fast lenet5 by ${engine} on ${board}`);
  return found;
}

/** Fast modules: lenet5 on every board, the other models on a Cortex-M4. */
function boardTable(measurements: readonly Measurement[]): string {
  const listed = measurements.filter(
    ({ optimize, board, model }) => optimize !== "size" && (model === "lenet5" || board === "netduinoplus2"),
  );
  const rows = listed.map(({ board, engine, model, instructions, sramBytes, flashBytes }) => {
    const cpu = BOARDS.find(({ name }) => name === board)?.cpu;
    const [work, sram, flash] = [instructions, sramBytes.total, flashBytes.total].map((n) => n.toLocaleString("en"));
    return `| ${board}, ${cpu} | ${model} | ${engine} | ${work} | ${sram} | ${flash} |`;
  });
  return table(["board", "model", "engine", "instructions", "SRAM, bytes", "flash, bytes"], "---rrr", rows);
}

/** @param alignment a letter a column: r for numbers */
function table(heads: readonly string[], alignment: string, rows: readonly string[]): string {
  const rule = [...alignment].map((letter) => (letter === "r" ? "---:" : "---"));
  return ["", "", `| ${heads.join(" | ")} |`, `|${rule.join("|")}|`, ...rows, "", ""].join("\n");
}

function format({ value, unit }: Figure): string {
  return `${typeof value === "number" ? value.toLocaleString("en") : value} ${unit}`.trim();
}

/** How many times smaller than float32. */
function factor(name: string): number {
  const { nominalBytes, fileBytes } = reportContainer(readContainer(shippedModel(name)));
  return Math.round(nominalBytes / fileBytes);
}

/** Units of the hidden layers. */
function units(name: string): { live: string; nominal: string } {
  const { model } = readContainer(shippedModel(name));
  const hidden = model.layers.slice(0, -1).map((layer) => model.tensors[layer.output]);
  return {
    live: hidden.map(({ shape }) => shape[0]).join("-"),
    nominal: hidden.map(({ nominalChannels }) => nominalChannels).join("-"),
  };
}
