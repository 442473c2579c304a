/** Which boards the model fits. */
import { html, svg } from "../dom.js";
import { folded, table } from "./dom.js";
import type { BoardFit, EngineFit } from "./protocol.js";
import { boardRows, fits, fitText, grouped } from "./tables.js";

/** As verdicts have them. */
const ENGINE_WORDS: Readonly<Record<string, string>> = {
  aot: "compiled ahead of time",
  data: "as data",
  native: "wasm3 with native kernels",
  wasm3: "wasm3",
};

export function boardsView(boards: readonly BoardFit[]): HTMLElement[] {
  return [
    html("ul", { class: "boards" }, ...boards.map(boardItem)),
    html(
      "p",
      { class: "muted small" },
      "Bars are of the fastest way that fits, or of the one that lacks least. What wasm3 makes of a module is a bound, up to a third too high.",
    ),
    folded("All ways, as a table", table(boardRows(boards), "Boards")),
  ];
}

function boardItem({ name, cpu, ramBytes, flashBytes, engines }: BoardFit): HTMLElement {
  const fitting = engines.filter(fits);
  const shown = fitting[0] ?? engines.reduce((best, other) => (other.lack < best.lack ? other : best));
  const verdict =
    fitting.length === 0
      ? `Does not fit: ${fitText(shown)}`
      : `Fits: ${fitting.map(({ engine }) => ENGINE_WORDS[engine]).join(", ")}`;
  return html(
    "li",
    { class: fitting.length === 0 ? "lacks" : "fits" },
    html("h3", {}, name, " ", html("span", { class: "muted small" }, cpu)),
    html("p", { class: "verdict" }, verdict),
    ...(Number.isFinite(shown.lack) ? bars(shown, ramBytes, flashBytes) : []),
  );
}

const bars = ({ sram, flash }: EngineFit, ramBytes: number, flashBytes: number): HTMLElement[] => [
  bar("SRAM", sram, ramBytes),
  bar("flash", flash, flashBytes),
];

function bar(what: string, needed: number, there: number): HTMLElement {
  const share = Math.min(100, (100 * needed) / there);
  const drawn = svg(
    "svg",
    { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { width: share.toFixed(1), height: 8, ...(needed > there ? { class: "over" } : {}) }),
  );
  return html(
    "div",
    { class: "fit-bar" },
    html("span", {}, what),
    drawn,
    html("span", { class: "muted small" }, `${grouped(needed)} of ${grouped(there)}`),
  );
}
