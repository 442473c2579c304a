/** What a command prints: words and tables for people, as wide as their terminal, and one JSON object for scripts. */
import { MoteError, printable } from "../host/errors.js";
import { columnsOf, Progress } from "../host/node/progress.js";
import { isStdout } from "../host/node/write-file.js";

const GAP = "  ";
/** A first column narrower than this reads badly, and the table becomes a list. */
const MIN_FIRST_COLUMN = 20;

export interface OutputFlags {
  /** The results are one object on stdout, and what people read goes to stderr. */
  readonly json?: boolean | undefined;
  /** Files that the command writes: where one is /dev/stdout, what people read goes to stderr as well. */
  readonly files?: readonly (string | undefined)[];
}

/** Where a command prints. Every line is printable: what comes from a file cannot steer the terminal. */
export class Output {
  private readonly stream: NodeJS.WriteStream;
  private readonly isJson: boolean;

  /** @throws MoteError ARGUMENT when a file and the JSON would both go to stdout */
  constructor({ json, files = [] }: OutputFlags) {
    const taken = files.find((file) => file !== undefined && isStdout(file));
    this.isJson = json === true;
    if (this.isJson && taken !== undefined) {
      throw new MoteError("ARGUMENT", `--json: stdout cannot take it beside the file, which goes to ${taken}`);
    }
    this.stream = this.isJson || taken !== undefined ? process.stderr : process.stdout;
  }

  /** Of the terminal, or what stands for it. */
  get columns(): number {
    return columnsOf(this.stream);
  }

  get isTerminal(): boolean {
    return this.stream.isTTY === true;
  }

  /** One line, which the terminal itself breaks where it is too long. */
  line(text = ""): void {
    Progress.clear();
    this.stream.write(printable(text) + "\n");
  }

  /** Lines that are laid out already; what is too long for the terminal goes on `indent` columns from the left. */
  lines(lines: readonly string[], indent = 2): void {
    for (const line of lines) {
      for (const part of wrap(printable(line), this.columns, indent)) this.line(part);
    }
  }

  /** Name and value, one pair a line. */
  pairs(pairs: readonly (readonly [string, string])[]): void {
    this.lines(...layOutPairs(pairs));
  }

  /** See `layOutTable`. */
  table(rows: readonly (readonly string[])[], words?: readonly number[]): void {
    for (const line of layOutTable(rows, this.columns, words)) this.line(line);
  }

  /** What scripts read, if they have asked for it: the only thing on stdout then. */
  json(object: () => object): void {
    Progress.clear();
    if (this.isJson) process.stdout.write(JSON.stringify(object()) + "\n");
  }
}

function layOutPairs(pairs: readonly (readonly [string, string])[]): [lines: string[], indent: number] {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return [pairs.map(([name, value]) => name.padEnd(width) + GAP + value), width + GAP.length];
}

/**
 * Columns as wide as their widest cell, words to the left and numbers to the right. What is wider than `columns` gets its heads
 * broken into several lines and narrow gaps; or is turned, a column for each row; or gets the first column's cells broken; or becomes
 * a list of heads and cells for each row, empty ones left out: the first of these that fits.
 * @param rows the heads, then the rows, as many cells each
 * @param words the columns of words; the first alone by default
 */
export function layOutTable(
  rows: readonly (readonly string[])[],
  columns: number,
  words: readonly number[] = [0],
): string[] {
  const cells = rows.map((row) => row.map(printable));
  const [heads, ...body] = cells;
  const inBody = heads.map((_, i) => widest(body.map((row) => row[i])));
  const wide = heads.map((head, i) => Math.max(head.length, inBody[i]));
  const narrow = heads.map((head, i) => Math.max(widest(head.split(" ")), inBody[i]));
  for (const [widths, gap] of [[wide, GAP] as const, [narrow, GAP] as const, [narrow, " "] as const]) {
    if (lineWidth(widths, gap) <= columns) return draw(cells, widths, gap, words);
  }
  const turned = heads.map((_, i) => cells.map((row) => row[i]));
  const turnedWidths = cells.map(widest);
  if (lineWidth(turnedWidths, GAP) <= columns) return draw(turned, turnedWidths, GAP, [0]);
  const first = narrow[0] - (lineWidth(narrow, GAP) - columns);
  const longestWord = widest(cells.flatMap((row) => row[0].split(" ")));
  if (first >= Math.max(MIN_FIRST_COLUMN, longestWord)) {
    return draw(cells, [first, ...narrow.slice(1)], GAP, words);
  }
  return asList(heads, body, columns);
}

function widest(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, text.length), 0);
}

function lineWidth(widths: readonly number[], gap: string): number {
  return widths.reduce((sum, width) => sum + width + gap.length, -gap.length);
}

/** Cells that are wider than their column are broken at spaces. */
function draw(
  cells: readonly (readonly string[])[],
  widths: readonly number[],
  gap: string,
  words: readonly number[],
): string[] {
  return cells.flatMap((row, at) => {
    const broken = row.map((cell, i) => wrap(cell, widths[i], at > 0 && i === 0 ? GAP.length : 0));
    const height = Math.max(...broken.map((parts) => parts.length));
    return Array.from({ length: height }, (_, line) =>
      broken
        .map((parts, i) => {
          // Heads stand on the line above the first row.
          const part = parts[at === 0 ? line - height + parts.length : line] ?? "";
          return words.includes(i) ? part.padEnd(widths[i]) : part.padStart(widths[i]);
        })
        .join(gap)
        .trimEnd(),
    );
  });
}

function asList(heads: readonly string[], body: readonly (readonly string[])[], columns: number): string[] {
  return body.flatMap((row) => {
    const pairs = heads.map((head, i): [string, string] => [GAP + head, row[i]]).slice(1);
    const [lines, indent] = layOutPairs(pairs.filter(([, cell]) => cell !== ""));
    const title = `${heads[0]} ${row[0]}`.trim();
    return [...wrap(title, columns, 2), ...lines.flatMap((line) => wrap(line, columns, indent))];
  });
}

/** Breaks a line at spaces so that no part is wider than `columns`, single words aside; parts after the first are indented. */
function wrap(line: string, columns: number, indent: number): string[] {
  const parts: string[] = [];
  let rest = line;
  while (rest.length > columns) {
    // A break within the indentation would leave nothing on the line.
    const least = parts.length === 0 ? rest.search(/\S/) + 1 : indent + 1;
    let at = rest.lastIndexOf(" ", columns);
    if (at < least) at = rest.indexOf(" ", least);
    if (at < 0) break;
    parts.push(rest.slice(0, at).trimEnd());
    rest = " ".repeat(indent) + rest.slice(at).trimStart();
  }
  return [...parts, rest];
}
