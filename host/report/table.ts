/** A table of a report: for people in HTML, for programs as CSV. */
import { escaped } from "./error-plot.js";

/** Null is what is not known. */
export type Cell = string | number | null;

export interface Column {
  readonly head: string;
  /** How people see a number; a program gets all of it. By default with digits in groups. */
  readonly show?: (value: number) => string;
}

export interface Table {
  readonly kind: "table";
  /** Of the CSV file: lower case, hyphens. Captions have it behind "table-". */
  readonly id: string;
  readonly caption: string;
  /** The first names the row. */
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
}

/** 1234567 → "1,234,567"; fractions with up to three digits. */
export const grouped = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 3 });

/** A value that is a percentage already: 1.234 → "1.23 %". */
export const percent = (value: number): string => `${value.toFixed(2)} %`;

/** 1234 → "1,234 B" */
export const bytesText = (value: number): string => `${grouped(Math.round(value))} B`;

/** Three digits that count: 0.00123, 12.3, 1,234. */
export function threeDigits(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 0.001) return value.toExponential(2);
  return size >= 100 ? grouped(Math.round(value)) : String(Number(value.toPrecision(3)));
}

export const seconds = (value: number): string =>
  value > 0 && value < 10 ? `${value.toFixed(1)} s` : `${grouped(Math.round(value))} s`;

/** How a cell is shown. */
export function shown(cell: Cell, { show = grouped }: Column): string {
  if (cell === null) return "–";
  return typeof cell === "number" ? show(cell) : cell;
}

export function tableHtml(table: Table): string {
  const { id, caption, columns, rows } = table;
  const isNumber = columns.map((_, at) => rows.some((row) => typeof row[at] === "number"));
  const kind = (at: number): string => (isNumber[at] ? ' class="number"' : "");
  const heads = columns.map(({ head }, at) => `<th scope="col"${kind(at)}>${escaped(head)}</th>`);
  const body = rows.map((row) => {
    const cells = row.map((cell, at) => {
      const text = escaped(shown(cell, columns[at]));
      return at === 0 ? `<th scope="row"${kind(at)}>${text}</th>` : `<td${kind(at)}>${text}</td>`;
    });
    return `<tr>${cells.join("")}</tr>`;
  });
  return [
    // Wide tables are moved with the keyboard too.
    `<div class="wide" role="region" aria-labelledby="table-${id}" tabindex="0"><table>`,
    `<caption id="table-${id}"><span>${escaped(caption)}</span></caption>`,
    `<thead><tr>${heads.join("")}</tr></thead>`,
    `<tbody>${body.join("\n")}</tbody>`,
    "</table></div>",
  ].join("\n");
}

/** RFC 4180, with a line of heads. Numbers in full, nothing for what is not known. */
export function tableCsv({ columns, rows }: Pick<Table, "columns" | "rows">): string {
  const line = (cells: readonly Cell[]): string =>
    cells.map((cell) => quoted(cell === null ? "" : String(cell))).join(",");
  return [columns.map(({ head }) => head), ...rows].map((row) => line(row) + "\r\n").join("");
}

const quoted = (text: string): string => (/[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
