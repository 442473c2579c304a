/** What the parts of this room have in common. */
import { html } from "../dom.js";

export function button(
  text: string,
  onClick: () => void,
  attributes: Readonly<Record<string, string | number>> = {},
): HTMLButtonElement {
  const made = html("button", { type: "button", class: "button", ...attributes }, text);
  made.addEventListener("click", onClick);
  return made;
}

/** Rows of words, the first of them heads and the first cell of each a head too. */
export function table(rows: readonly (readonly string[])[], caption: string): HTMLElement {
  const [heads, ...body] = rows;
  const head = html("tr", {}, ...heads.map((text) => html("th", { scope: "col" }, text)));
  const lines = body.map(([first, ...cells]) =>
    html("tr", {}, html("th", { scope: "row" }, first), ...cells.map((text) => html("td", {}, text))),
  );
  return html(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    html("table", {}, html("thead", {}, head), html("tbody", {}, ...lines)),
  );
}

/** What is folded away until it is asked for. */
export const folded = (summary: string, ...content: readonly Node[]): HTMLDetailsElement =>
  html("details", {}, html("summary", {}, summary), ...content);

/** A part of the room with a heading. */
export function panel(title: string, text: string, ...content: readonly (Node | string)[]): HTMLElement {
  const words = text === "" ? [] : [html("p", { class: "muted small" }, text)];
  return html("section", { class: "panel" }, html("h2", {}, title), ...words, ...content);
}
