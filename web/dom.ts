/** Elements in a line each. */

const SVG = "http://www.w3.org/2000/svg";

type Attributes = Readonly<Record<string, string | number>>;

/** @param attributes as HTML has them; no style, which the policy forbids */
export function html<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  return filled(document.createElement(name), attributes, children);
}

export function svg<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled<T extends Element>(element: T, attributes: Attributes, children: readonly (Node | string)[]): T {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A whole number with commas. Without those of Intl, which take a browser 10 ms to get ready. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A number of bytes as people read it: 2,926 bytes, 37.1 KB, 3.96 MB. */
export function bytesText(bytes: number): string {
  if (bytes < 10_000) return `${countText(bytes)} bytes`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toPrecision(3)} KB`;
  return `${(bytes / 1_000_000).toPrecision(3)} MB`;
}

/** Milliseconds as people read them: 0.15 ms, 26 ms, 1.3 s. */
export function timeText(ms: number): string {
  return ms < 1000 ? `${Number(ms.toPrecision(2))} ms` : `${Number((ms / 1000).toPrecision(2))} s`;
}

/** Names with bars and percentages: a table for screen readers, a plot for the eye. */
export interface Bars {
  readonly element: HTMLTableElement;
  /** @param rows in order, shares 0 .. 1; the first of the largest is marked */
  readonly show: (rows: readonly { readonly name: string; readonly share: number }[]) => void;
}

export function bars(caption: string, head: string): Bars {
  const body = html("tbody");
  const column = (text: string): HTMLElement =>
    html("th", { scope: "col" }, html("span", { class: "hidden-text" }, text));
  const element = html(
    "table",
    { class: "bars" },
    html("caption", { class: "hidden-text" }, caption),
    html("thead", {}, html("tr", {}, column(head), html("td"), column("Probability"))),
    body,
  );
  const rowOf = (): HTMLTableRowElement => {
    const bar = svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
    bar.append(svg("rect", { height: 10, width: 0, rx: 0 }));
    return html("tr", {}, html("th", { scope: "row" }), html("td", { class: "bar" }, bar), html("td"));
  };
  return {
    element,
    show: (rows) => {
      while (body.rows.length < rows.length) body.append(rowOf());
      while (body.rows.length > rows.length) body.lastElementChild!.remove();
      const most = Math.max(...rows.map(({ share }) => share));
      const best = rows.findIndex(({ share }) => share === most);
      rows.forEach(({ name, share }, i) => {
        const row = body.rows[i];
        row.classList.toggle("best", i === best && share > 0);
        row.cells[0].textContent = name;
        row.querySelector("rect")!.setAttribute("width", String(100 * share));
        row.cells[2].textContent = `${(100 * share).toFixed(1)} %`;
      });
    },
  };
}

/** A line of a list of facts, whose value comes later. */
export function fact(name: string, text = "…"): { readonly element: HTMLElement; readonly value: HTMLElement } {
  const value = html("dd", {}, text);
  return { element: html("div", {}, html("dt", {}, name), value), value };
}

/** Of an even number the upper one. */
export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1];
