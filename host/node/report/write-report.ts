/** A report on the disk: one HTML file, and a folder of CSV files. */
import { join } from "node:path";
import { pageHtml, type Page } from "../../report/page.js";
import { csvFiles } from "../../report/report.js";
import { checkWritable } from "../check-writable.js";
import { writeFileAtomic } from "../write-file.js";

export interface ReportFiles {
  readonly html?: string;
  readonly csv?: string;
}

/** To be called before anything is measured. @throws MoteError FILE for what cannot be written */
export function checkReportFiles({ html, csv }: ReportFiles): void {
  if (html !== undefined) checkWritable(html);
  if (csv !== undefined) checkWritable(join(csv, "table.csv"));
}

/** @returns what was written @throws MoteError FILE */
export function writeReport(page: Page, { html, csv }: ReportFiles): string[] {
  const written: string[] = [];
  const put = (path: string, text: string): void => {
    writeFileAtomic(path, text);
    written.push(path);
  };
  if (html !== undefined) put(html, pageHtml(page));
  if (csv !== undefined) for (const [name, text] of csvFiles(page)) put(join(csv, name), text);
  return written;
}
