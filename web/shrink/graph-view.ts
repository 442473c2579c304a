/** A graph that can be moved, scaled and asked: click or Enter on a box shows what is known of it. */
import { html, svg } from "../dom.js";
import { button } from "./dom.js";
import { PanZoom } from "./pan-zoom.js";
import type { Box, Edge, GraphPicture } from "./protocol.js";

const [TITLE_HEIGHT, LINE_HEIGHT, PAD] = [28, 18, 12];
const RADIUS = 8;

export interface GraphView {
  readonly root: HTMLElement;
  /** Marks a box, brings it into the window and shows its facts. */
  readonly select: (box: number) => void;
  /** Once it is in the document, and has a size. */
  readonly start: () => void;
}

/** @param onSelect called with the box that the user has chosen */
export function graphView(picture: GraphPicture, name: string, onSelect: (box: Box) => void): GraphView {
  const { boxes, edges } = picture;
  const scene = svg("g", {}, ...edges.map(drawEdge));
  const drawn = boxes.map(drawBox);
  scene.append(...drawn);
  const drawing = svg(
    "svg",
    { class: "graph", role: "group", "aria-label": `${name}, ${boxes.length} boxes` },
    marker(),
    scene,
  );
  const viewport = html("div", {
    class: "viewport",
    tabindex: 0,
    role: "group",
    "aria-label": `${name}. Arrow keys move it, plus and minus scale it, 0 shows all of it, Tab goes to its boxes`,
  });
  viewport.append(drawing);
  const percent = html("output", { class: "muted small", "aria-label": "Scale" });
  const panZoom = new PanZoom(viewport, picture, ({ x, y, scale }) => {
    scene.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${scale.toFixed(4)})`);
    percent.textContent = `${Math.round(100 * scale)} %`;
  });
  const facts = html("div", { class: "box-facts", role: "status" }, hint());

  let current = 0;
  const select = (index: number): void => {
    drawn[current].classList.remove("chosen");
    drawn[current].setAttribute("tabindex", "-1");
    current = index;
    drawn[index].classList.add("chosen");
    drawn[index].setAttribute("tabindex", "0");
    panZoom.reveal(boxes[index]);
    facts.replaceChildren(...factsOfBox(boxes[index]));
  };
  const choose = (index: number): void => {
    select(index);
    onSelect(boxes[index]);
  };
  drawn.forEach((box, index) => {
    box.addEventListener("click", () => {
      if (!panZoom.hasMoved) choose(index);
    });
    box.addEventListener("focus", () => panZoom.reveal(boxes[index]));
    box.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key] ?? 0;
      const next = drawn[index + step];
      if (event.key === "Enter" || event.key === " ") choose(index);
      else if (step !== 0 && next !== undefined) {
        box.setAttribute("tabindex", "-1");
        next.setAttribute("tabindex", "0");
        next.focus();
      } else return;
      event.preventDefault();
    });
  });
  drawn[0]?.setAttribute("tabindex", "0");

  const tools = html(
    "div",
    { class: "row tools" },
    button("+", () => panZoom.zoomIn(), { "aria-label": "Larger" }),
    button("−", () => panZoom.zoomOut(), { "aria-label": "Smaller" }),
    button("All of it", () => panZoom.fit()),
    percent,
  );
  const root = html("div", { class: "graph-view" }, html("div", { class: "graph-frame" }, viewport, tools), facts);
  return { root, select, start: () => panZoom.start() };
}

const hint = (): HTMLElement =>
  html(
    "p",
    { class: "muted small" },
    "Choose a box to see what is known of it. Drag to move, pinch or wheel to scale.",
  );

function factsOfBox({ title, lines, facts }: Box): HTMLElement[] {
  const rows = facts.map(([name, value]) => html("div", {}, html("dt", {}, name), html("dd", {}, value)));
  return [html("h3", {}, title), html("p", { class: "muted small" }, lines[0] ?? ""), html("dl", {}, ...rows)];
}

function drawBox({ x, y, width, height, title, lines, look }: Box): SVGGElement {
  const top = `M0 ${TITLE_HEIGHT}V${RADIUS}a${RADIUS} ${RADIUS} 0 0 1 ${RADIUS} ${-RADIUS}H${width - RADIUS}a${RADIUS} ${RADIUS} 0 0 1 ${RADIUS} ${RADIUS}V${TITLE_HEIGHT}z`;
  return svg(
    "g",
    {
      class: `box ${look}`,
      transform: `translate(${x} ${y})`,
      role: "button",
      tabindex: -1,
    },
    svg("rect", { class: "ground", width, height, rx: RADIUS }),
    svg("path", { class: "head", d: top }),
    // The spaces are for those who hear it: the texts are one name. A mark says the same as the colour.
    svg("text", { class: "title", x: PAD, y: 19 }, look === "refused" ? `✕ ${title} ` : `${title} `),
    ...lines.map((line, index) =>
      svg("text", { class: "line", x: PAD, y: TITLE_HEIGHT + LINE_HEIGHT * (index + 1) - 2 }, `${line} `),
    ),
    svg("rect", { class: "rim", width, height, rx: RADIUS }),
  );
}

function drawEdge({ points, label, labelAt }: Edge): SVGGElement {
  const group = svg("g", { class: "edge", "aria-hidden": "true" });
  group.append(svg("path", { d: smooth(points), "marker-end": "url(#arrow)" }));
  if (labelAt !== undefined) {
    group.append(svg("text", { x: labelAt[0], y: labelAt[1] + 4, class: "shape" }, label));
  }
  return group;
}

/** A line through the points whose corners are round. */
function smooth(points: Edge["points"]): string {
  const [first, ...rest] = points;
  const parts = [`M${first[0]} ${first[1]}`];
  rest.forEach(([x, y], index) => {
    const next = rest[index + 1];
    if (next === undefined) parts.push(`L${x} ${y}`);
    else parts.push(`Q${x} ${y} ${(x + next[0]) / 2} ${(y + next[1]) / 2}`);
  });
  return parts.join("");
}

function marker(): SVGDefsElement {
  return svg(
    "defs",
    {},
    svg(
      "marker",
      { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
      svg("path", { d: "M0 0L8 4L0 8z" }),
    ),
  );
}
