/** Elements, in a line each. */

type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** @param attributes true for one without a value; false and undefined for none */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}

export function button(text: string, onClick: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const made = element("button", { type: "button", class: "button", ...attributes }, text);
  made.addEventListener("click", onClick);
  return made;
}

/** Rows of words, the first of them heads and the first cell of each a head too. */
export function table(rows: readonly (readonly string[])[], caption: string): HTMLElement {
  const [heads, ...body] = rows;
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const lines = body.map(([first, ...cells]) =>
    element("tr", {}, element("th", { scope: "row" }, first), ...cells.map((text) => element("td", {}, text))),
  );
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines)),
  );
}

/** What is folded away until it is asked for. */
export const folded = (summary: string, ...content: readonly Node[]): HTMLDetailsElement =>
  element("details", {}, element("summary", {}, summary), ...content);

/** A part of the room with a heading. */
export function panel(title: string, text: string, ...content: readonly (Node | string)[]): HTMLElement {
  const words = text === "" ? [] : [element("p", { class: "muted small" }, text)];
  return element("section", { class: "panel" }, element("h2", {}, title), ...words, ...content);
}

const SVG = "http://www.w3.org/2000/svg";

export function svgElement<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): SVGElementTagNameMap[Tag] {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}
