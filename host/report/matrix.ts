/** What a model takes for what: a table whose cells are the darker the larger their share of the row. */
import { escaped } from "./error-plot.js";
import { grouped, type Table } from "./table.js";

export interface Matrix {
  readonly kind: "matrix";
  readonly id: string;
  readonly caption: string;
  readonly names: readonly string[];
  /** By label, then by class. */
  readonly counts: readonly ArrayLike<number>[];
}

export function matrixHtml({ id, caption, names, counts }: Matrix): string {
  const heads = names.map((name) => `<th scope="col">${escaped(name)}</th>`).join("");
  const rows = counts.map((row, label) => {
    const all = Array.from(row);
    const total = all.reduce((sum, count) => sum + count, 0);
    // Mistakes are few: a root makes them visible beside what is right.
    const share = (count: number): string => (total === 0 ? 0 : Math.sqrt(count / total)).toFixed(2);
    const cells = all.map((count, index) => {
      const classes = [...(count === 0 ? ["zero"] : []), ...(index === label ? ["right"] : [])];
      return `<td${classes.length > 0 ? ` class="${classes.join(" ")}"` : ""} style="--share:${share(count)}">${count === 0 ? "·" : grouped(count)}</td>`;
    });
    return `<tr><th scope="row">${escaped(names[label])}</th>${cells.join("")}</tr>`;
  });
  return [
    `<div class="wide" role="region" aria-labelledby="table-${id}" tabindex="0"><table class="matrix">`,
    `<caption id="table-${id}"><span>${escaped(caption)}</span></caption>`,
    `<thead><tr><th scope="col">label</th>${heads}</tr></thead>`,
    `<tbody>${rows.join("\n")}</tbody></table></div>`,
  ].join("\n");
}

/** The same for a program. */
export function matrixTable({ id, caption, names, counts }: Matrix): Table {
  return {
    kind: "table",
    id,
    caption,
    columns: [{ head: "label" }, ...names.map((head) => ({ head }))],
    rows: counts.map((row, label) => [names[label], ...Array.from(row)]),
  };
}
