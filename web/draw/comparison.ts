/** How many bytes the net takes here, and how many as others ship it: areas to one scale. */
import type { RivalBytes } from "../rival.js";
import type { DrawBytes } from "../weigh.js";
import { bytesText, html, svg } from "../dom.js";

/** The build's: bench/rivals.json has the figures and how they were counted. */
declare const RIVAL: RivalBytes;

/** Units of the picture for the rival's side. */
const SIDE = 300;
const GAP = 30;

/** @param bytes what this page has loaded for it, by brotli; not known before the page is built */
export async function comparison(): Promise<HTMLElement | undefined> {
  if (!import.meta.env.PROD) return;
  const response = await fetch("./bytes.json");
  if (!response.ok) return;
  const ours = (await response.json()) as DrawBytes;
  const total = ours.engine + ours.model;
  const theirs = RIVAL.engine + RIVAL.model;
  const times = Math.round(theirs / total);
  const side = SIDE * Math.sqrt(total / theirs);
  const cut = SIDE * (RIVAL.engine / theirs);
  const label = `A square for ${bytesText(theirs)}, and one of ${bytesText(total)} to the same scale, ${times} times smaller`;
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${SIDE + GAP + 70} ${SIDE}`, role: "img", "aria-label": label },
    svg("rect", { class: "theirs", width: SIDE, height: cut }),
    svg("rect", { class: "theirs net", y: cut, width: SIDE, height: SIDE - cut }),
    svg("text", { x: 14, y: 28 }, `engine, ${bytesText(RIVAL.engine)}`),
    svg("text", { x: 14, y: cut + 28 }, `net, ${bytesText(RIVAL.model)}`),
    svg("text", { x: SIDE + GAP, y: SIDE - side - 30 }, "all of it,"),
    svg("text", { x: SIDE + GAP, y: SIDE - side - 12 }, bytesText(total)),
    svg("rect", { class: "ours", x: SIDE + GAP, y: SIDE - side, width: side, height: side }),
  );
  const row = (name: string, engine: number, model: number): HTMLElement =>
    html(
      "tr",
      {},
      html("th", { scope: "row" }, name),
      ...[engine, model, engine + model].map((value) => html("td", {}, shortText(value))),
    );
  const columns = ["", "engine", "net", "in all"].map((name) =>
    name ? html("th", { scope: "col" }, name) : html("td"),
  );
  return html(
    "section",
    { class: "panel comparison", "aria-labelledby": "comparison" },
    picture,
    html(
      "div",
      {},
      html("h2", { id: "comparison" }, `${times} times fewer bytes`),
      html(
        "p",
        { class: "muted" },
        `The large square is LeNet-5 as float32 with ${RIVAL.name} ${RIVAL.version}: what a page loads for it, by brotli. The small one beside it is all that this page loads to run the same net; drawing and all around it take ${bytesText(ours.room + ours.frame)} more.`,
      ),
      html(
        "table",
        { class: "sizes" },
        html("thead", {}, html("tr", {}, ...columns)),
        html("tbody", {}, row(RIVAL.name, RIVAL.engine, RIVAL.model), row("Mote", ours.engine, ours.model)),
      ),
    ),
  );
}

/** Of figures in a column. */
function shortText(bytes: number): string {
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} KB` : `${(bytes / 1_000_000).toFixed(2)} MB`;
}
