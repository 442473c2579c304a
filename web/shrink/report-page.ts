/** The report: all figures of a model on one page, without anything to load, that opens anywhere. */
import { escaped } from "../../host/report/error-plot.js";
import { memoryPicture, spanText } from "./memory-picture.js";
import type { BoardFit, Shrunk } from "./protocol.js";
import { boardRows, energyRows, layerRows, overview } from "./tables.js";

type Row = readonly string[];

const STYLE = [
  ":root{color-scheme:light dark;--ink:#1e1c19;--paper:#faf7f1;--line:#e3ddd2;--muted:#625c52;--accent:#a3420c;--second:#1f6473}",
  "@media(prefers-color-scheme:dark){:root{--ink:#efeae0;--paper:#14161c;--line:#2d313c;--muted:#a9a598;--accent:#ffb454;--second:#74c6d6}}",
  "body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}",
  "table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums}div{overflow-x:auto}",
  "th,td{text-align:right;padding:.25rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}",
  "th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}th{font-weight:600}p{color:var(--muted)}",
  "svg{width:100%;height:auto}.grid{stroke:var(--line)}.mark,.word{font:11px system-ui,sans-serif;fill:var(--muted)}.end{text-anchor:end}",
  ".middle{text-anchor:middle}.region rect{fill:var(--line)}.tensor rect{fill:var(--accent);fill-opacity:.45}.tint1 rect,.tint3 rect{fill:var(--second)}",
  ".tensor .word{fill:var(--ink)}",
].join("");

/** @param boards where they have been worked out @returns an HTML file */
export function reportPage(shrunk: Shrunk, boards: readonly BoardFit[] | undefined): string {
  const { name, samples, memory, notes } = shrunk;
  const guess =
    samples?.isGenerated === true
      ? "<p>Ranges come from generated samples, not from data: sizes are right, what it answers may not be.</p>"
      : "";
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<title>${escaped(name)}: report</title><style>${STYLE}</style></head><body>`,
    `<h1>${escaped(name)}</h1>`,
    guess,
    ...notes.map((note) => `<p>${escaped(note)}</p>`),
    table(["", ""], overview(shrunk)),
    "<h2>Layers</h2>",
    table(...headed(layerRows(shrunk))),
    "<h2>Memory</h2>",
    memoryPicture(memory),
    table(
      ["tensor", "shape", "address", "bytes", "in use"],
      memory.lives.map(({ name: shape, address, bytes, first, last }, index) => [
        String(index),
        shape,
        String(address),
        String(bytes),
        spanText(first, last, memory.steps),
      ]),
    ),
    "<h2>Energy of a run, nJ at 45 nm</h2>",
    table(...headed(energyRows(shrunk))),
    ...(boards === undefined ? [] : ["<h2>Boards</h2>", table(...headed(boardRows(boards)))]),
    "</body></html>\n",
  ].join("\n");
}

const headed = ([heads, ...rows]: readonly Row[]): [heads: Row, rows: readonly Row[]] => [heads, rows];

function table(heads: Row, rows: readonly Row[]): string {
  const cells = (row: Row, tag: string): string => row.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("");
  const head = heads.some((text) => text !== "") ? `<thead><tr>${cells(heads, "th")}</tr></thead>` : "";
  return `<div><table>${head}<tbody>${rows.map((row) => `<tr>${cells(row, "td")}</tr>`).join("")}</tbody></table></div>`;
}
