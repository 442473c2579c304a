/** Why a net is not taken: all reasons, and where in its graph they are. */
import { html } from "../dom.js";
import { button, panel } from "./dom.js";
import { graphView } from "./graph-view.js";
import type { Refused } from "./protocol.js";

/** Of nodes that one reason keeps from running. */
const MOST_NAMES = 6;

export interface RefusedView {
  readonly root: HTMLElement;
  readonly start: () => void;
}

export function refusedView({ message, reasons, graph }: Refused): RefusedView {
  const isDrawn = graph !== undefined && graph.isTooLarge !== true;
  const view = isDrawn ? graphView(graph, "Graph of the net's file", () => undefined) : undefined;
  const items = reasons.map(({ what, why, names, boxes }) => {
    const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : "";
    const item = html("li", {}, html("strong", {}, `${what}: `), `${why} `);
    if (names.length > 0)
      item.append(html("span", { class: "muted small" }, names.slice(0, MOST_NAMES).join(", ") + more, " "));
    if (view !== undefined && boxes.length > 0) {
      let next = 0;
      item.append(
        button(
          "Show it",
          () => {
            view.root.scrollIntoView({ block: "nearest" });
            view.select(boxes[next++ % boxes.length]);
          },
          { class: "button small", "aria-label": `Show it: ${what} in the graph` },
        ),
      );
    }
    return item;
  });
  const notice = html(
    "section",
    { class: "panel refused", role: "alert" },
    html("h2", { tabindex: -1 }, "Not taken"),
    html("p", {}, message),
    ...(items.length === 0 ? [] : [html("ul", {}, ...items)]),
  );
  const root = html("div", { class: "result" }, notice);
  if (view !== undefined) root.append(panel("Graph", "Boxes in red stand in the way.", view.root));
  return { root, start: () => view?.start() };
}
