/** What the room shows of a model that was made. */
import { boardsView } from "./boards-view.js";
import { bytesPlot, energyPlot, labelOf, weightsPlot, workPlot, type Plot } from "./charts.js";
import { html } from "../dom.js";
import { button, panel, table } from "./dom.js";
import { graphView, type GraphView } from "./graph-view.js";
import { memoryPanel } from "./memory-view.js";
import type { BoardFit, FileFormat, GraphPicture, Shrunk } from "./protocol.js";
import { factorText, grouped, layerRows, overview } from "./tables.js";

export interface ResultView {
  readonly root: HTMLElement;
  readonly showBoards: (boards: readonly BoardFit[]) => void;
  readonly failBoards: (message: string) => void;
  /** Says something beside the downloads. */
  readonly tell: (message: string) => void;
  /** Once it is in the document. */
  readonly start: () => void;
  readonly close: () => void;
}

export interface Wishes {
  readonly file: (format: FileFormat) => void;
  readonly boards: () => void;
}

const FILES: readonly (readonly [FileFormat, string, string])[] = [
  ["mote", ".mote", "the container, the smallest form"],
  ["wasm", ".wasm", "self-contained: model and runtime, for wasm3 and any other engine"],
  ["c", "C source", "a header and a constant array"],
  ["html", "Report", "all figures on one page"],
  ["json", "JSON", "all figures for scripts"],
];
/** Up to here the boards are worked out unasked. */
const SMALL_MODEL = 1 << 19;

export function resultView(shrunk: Shrunk, wishes: Wishes): ResultView {
  const plots: Plot[] = [bytesPlot(shrunk), workPlot(shrunk), energyPlot(shrunk)];
  const [bytes, work, energy] = plots;
  const weights = weightsPanel(shrunk);
  const graph = graphPanel(shrunk, (layer) => weights?.show(layer));
  const boards = html("div", { "aria-live": "polite" });
  const { dense, packed } = shrunk.energy;
  const ask = (): void => {
    boards.replaceChildren(
      html("p", { class: "muted" }, "Working it out … this loads the optimiser, some megabytes, once."),
    );
    wishes.boards();
  };
  const isSmall = shrunk.report.fileBytes <= SMALL_MODEL;
  if (!isSmall) boards.append(button("Work it out", ask));
  const told = html("p", { class: "muted small", role: "status" });
  const root = html(
    "div",
    { class: "result" },
    headline(shrunk, wishes, told),
    graph.root,
    html(
      "div",
      { class: "pair" },
      panel("Bytes", "What each layer takes of the file.", bytes.root),
      panel("Work", "Multiplications of each layer, for one run.", work.root),
    ),
    ...(weights === undefined ? [] : [weights.root]),
    memoryPanel(shrunk.memory),
    panel(
      "Energy of a run",
      `${factorText(dense.total / packed.total)} times less than the dense net: an estimate at 45 nm by counting operations and accesses; control is not counted.`,
      energy.root,
    ),
    panel("Boards", "SRAM and flash of the boards that Mote's firmware is built for.", boards),
    panel("Layers", "", table(layerRows(shrunk), "Layers of the model")),
  );
  return {
    root,
    showBoards: (found) => boards.replaceChildren(...boardsView(found)),
    tell: (message) => {
      told.textContent = message;
    },
    failBoards: (message) =>
      boards.replaceChildren(html("p", { class: "notice bad" }, message), button("Try again", ask)),
    start() {
      graph.start();
      if (isSmall) ask();
    },
    close() {
      for (const { close } of plots) close();
      weights?.close();
    },
  };
}

/** @param told where is said how downloads fare */
function headline(shrunk: Shrunk, { file }: Wishes, told: HTMLElement): HTMLElement {
  const { name, report, netBytes, memory, energy, samples, notes } = shrunk;
  const before = netBytes ?? report.nominalBytes;
  const factor = before / report.fileBytes;
  const facts = [
    [netBytes === undefined ? "as float32" : "the net's file", `${grouped(before)} bytes`],
    ["now", `${grouped(report.fileBytes)} bytes`],
    ["memory to run", `${grouped(memory.bytes)} bytes`],
    ["energy of a run", `${factorText(energy.dense.total / energy.packed.total)} times less`],
  ];
  const section = html(
    "section",
    { class: "panel headline" },
    html("p", { class: "muted small" }, name),
    html(
      "h2",
      { class: "factor", tabindex: -1 },
      factor >= 1 ? `${factorText(factor)} times smaller` : `${grouped(report.fileBytes)} bytes`,
    ),
    html(
      "dl",
      { class: "facts" },
      ...facts.map(([term, text]) => html("div", {}, html("dt", {}, term), html("dd", {}, text))),
    ),
  );
  if (samples?.isGenerated === true) {
    section.append(
      html(
        "p",
        { class: "notice", role: "note" },
        html("strong", {}, "Generated samples. "),
        "This net has real numbers, and nothing told which ones it sees: sizes are right, its answers may not be. Drop some hundred samples of its use, as .npy, .npz, idx or pictures, and it is made anew.",
      ),
    );
  }
  for (const note of notes) section.append(html("p", { class: "muted small" }, note));
  const files = FILES.map(([format, text, title]) =>
    button(
      text,
      () => {
        told.textContent = "Making it …";
        file(format);
      },
      { class: format === "mote" ? "button first" : "button", title },
    ),
  );
  section.append(
    html("div", { class: "row downloads", role: "group", "aria-label": "Download" }, ...files),
    told,
    html("details", {}, html("summary", {}, "What it is made of"), overviewTable(shrunk)),
  );
  return section;
}

const overviewTable = (shrunk: Shrunk): HTMLElement =>
  html(
    "dl",
    { class: "overview" },
    ...overview(shrunk).map(([name, value]) => html("div", {}, html("dt", {}, name), html("dd", {}, value))),
  );

/** Both graphs, one at a time. @param onLayer called with the layer of the box that was chosen */
function graphPanel({ graphs }: Shrunk, onLayer: (layer: number) => void): { root: HTMLElement; start: () => void } {
  const place = html("div", {});
  const show = (picture: GraphPicture, name: string): void => {
    if (picture.isTooLarge === true) {
      place.replaceChildren(
        html("p", { class: "notice" }, "It has too many nodes to be drawn; the table of layers has them all."),
      );
      return;
    }
    const view: GraphView = graphView(picture, name, ({ layer }) => {
      if (layer !== undefined) onLayer(layer);
    });
    place.replaceChildren(view.root);
    view.start();
  };
  const kinds = [
    ["As it was packed", graphs.model, "Graph of the model"] as const,
    ...(graphs.file === undefined ? [] : [["As its file has it", graphs.file, "Graph of the net's file"] as const]),
  ];
  const buttons = kinds.map(([text, picture, name], index) =>
    button(
      text,
      () => {
        buttons.forEach((other, at) => other.setAttribute("aria-pressed", String(at === index)));
        show(picture, name);
      },
      { "aria-pressed": String(index === 0) },
    ),
  );
  const switcher =
    kinds.length < 2
      ? []
      : [html("div", { class: "row switch", role: "group", "aria-label": "Which graph" }, ...buttons)];
  return { root: panel("Graph", "", ...switcher, place), start: () => show(kinds[0][1], kinds[0][2]) };
}

interface WeightsPanel {
  readonly root: HTMLElement;
  readonly show: (layer: number) => void;
  readonly close: () => void;
}

/** @returns undefined for a model without weights */
function weightsPanel({ layers }: Shrunk): WeightsPanel | undefined {
  const weighted = layers.filter(({ weightCounts }) => weightCounts !== undefined);
  if (weighted.length === 0) return undefined;
  const place = html("div", {});
  const select = html(
    "select",
    { id: "layer" },
    ...weighted.map((layer) => html("option", { value: layer.index }, labelOf(layer))),
  );
  let drawn: Plot | undefined;
  const draw = (): void => {
    const layer = layers[Number(select.value)];
    const counts = layer.weightCounts!.packed;
    const zeros = counts[128];
    const all = counts.reduce((sum, count) => sum + count, 0);
    drawn?.close();
    drawn = weightsPlot(layer);
    const words = `${grouped(all - zeros)} of ${grouped(all)} weights are not zero and drawn here; ${grouped(layer.weights!.values)} different values.`;
    place.replaceChildren(html("p", { class: "muted small" }, words), drawn.root);
  };
  select.addEventListener("change", draw);
  // The one with the most weights has the most to show.
  const counts = ({ weights }: (typeof weighted)[number]): number => weights!.nonZeros;
  select.value = String(weighted.reduce((most, layer) => (counts(layer) > counts(most) ? layer : most)).index);
  draw();
  const label = html("div", { class: "row choice" }, html("label", { for: "layer" }, "Layer"), select);
  return {
    root: panel("Weights and their codebook", "", label, place),
    show(layer) {
      if (layers[layer]?.weightCounts === undefined) return;
      select.value = String(layer);
      draw();
    },
    close: () => drawn?.close(),
  };
}
