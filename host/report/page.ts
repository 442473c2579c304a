/** One HTML file: headings, tables and pictures of a report. No script, nothing from elsewhere; light, dark and in print. */
import { escaped } from "./error-plot.js";
import type { Matrix } from "./matrix.js";
import { matrixHtml } from "./matrix.js";
import { DARK, LIGHT, PICTURE_STYLE, pictureHtml, type Picture } from "./svg.js";
import { tableHtml, type Table } from "./table.js";

/** Small pictures side by side, each with its own words. */
export interface Gallery {
  readonly kind: "gallery";
  readonly caption: string;
  readonly pictures: readonly { readonly source: string; readonly alt: string; readonly words: string }[];
}

export interface Words {
  readonly kind: "words";
  readonly text: string;
}

export type Block = Table | Picture | Gallery | Matrix | Words;

export interface Part {
  /** Of the heading; lower case, hyphens. */
  readonly id: string;
  readonly title: string;
  readonly blocks: readonly Block[];
  /** For the CSV files alone. */
  readonly data?: readonly Table[];
}

/** A part that is not there. */
export interface Missing {
  readonly id: string;
  readonly title: string;
  /** Why, and what would bring it. */
  readonly missing: string;
}

export const isMissing = (part: Part | Missing): part is Missing => "missing" in part;

export interface Page {
  readonly title: string;
  readonly subtitle: string;
  /** What is read first: name and value. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly parts: readonly (Part | Missing)[];
}

export const words = (text: string): Words => ({ kind: "words", text });

export function pageHtml({ title, subtitle, facts, parts }: Page): string {
  const there = parts.filter((part): part is Part => !isMissing(part));
  const missing = parts.filter(isMissing);
  const entries = [
    ...there.map(({ id, title: name }) => `<li><a href="#${id}">${escaped(name)}</a></li>`),
    ...(missing.length > 0 ? ['<li><a href="#missing">What is not here</a></li>'] : []),
  ];
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    // A browser that asks for an icon would ask elsewhere.
    '<link rel="icon" href="data:,">',
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    "</head>",
    "<body>",
    "<header>",
    `<h1>${escaped(title)}</h1>`,
    `<p class="muted">${escaped(subtitle)}</p>`,
    `<dl class="facts">${facts.map(([name, value]) => `<div><dt>${escaped(name)}</dt><dd>${escaped(value)}</dd></div>`).join("")}</dl>`,
    "</header>",
    `<nav aria-label="Contents"><ol>${entries.join("")}</ol></nav>`,
    "<main>",
    ...there.map(partHtml),
    ...(missing.length > 0 ? [missingHtml(missing)] : []),
    "</main>",
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

function partHtml({ id, title, blocks }: Part): string {
  return [
    `<section aria-labelledby="${id}">`,
    `<h2 id="${id}">${escaped(title)}</h2>`,
    ...blocks.map(blockHtml),
    "</section>",
  ].join("\n");
}

function missingHtml(parts: readonly Missing[]): string {
  const entries = parts.map(({ title, missing }) => `<dt>${escaped(title)}</dt><dd>${escaped(missing)}</dd>`);
  return `<section aria-labelledby="missing"><h2 id="missing">What is not here</h2><dl class="missing">${entries.join("\n")}</dl></section>`;
}

function blockHtml(block: Block): string {
  switch (block.kind) {
    case "table":
      return tableHtml(block);
    case "picture":
      return pictureHtml(block);
    case "matrix":
      return matrixHtml(block);
    case "gallery":
      return galleryHtml(block);
    case "words":
      return `<p>${escaped(block.text)}</p>`;
  }
}

function galleryHtml({ caption, pictures }: Gallery): string {
  const entries = pictures.map(
    ({ source, alt, words: text }) =>
      `<li><img src="${escaped(source)}" alt="${escaped(alt)}"><span>${escaped(text)}</span></li>`,
  );
  return `<p class="caption">${escaped(caption)}</p>\n<ul class="gallery">${entries.join("\n")}</ul>`;
}

const STYLE = [
  `:root{color-scheme:light;${LIGHT}}`,
  `@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;${DARK}}}`,
  "*,*::before,*::after{box-sizing:border-box}",
  "html{background:var(--paper);color:var(--ink);font:400 1rem/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}",
  "body{margin:0 auto;max-width:56rem;padding:2rem 1rem 4rem}",
  "h1,h2{font-family:'Iowan Old Style','Palatino Linotype',Palatino,P052,Georgia,serif;font-weight:500;line-height:1.15;text-wrap:balance}",
  "h1{font-size:clamp(1.75rem,1.2rem + 2.4vw,2.5rem);margin:0 0 .4rem;overflow-wrap:anywhere}h2{font-size:1.5rem;margin:0 0 1rem}",
  "p{margin:0 0 1rem;max-width:46rem}a{color:var(--accent)}.muted{color:var(--muted)}",
  ":focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:4px}",
  ".facts{display:flex;flex-wrap:wrap;gap:.75rem 2rem;margin:1.25rem 0}.facts dt{color:var(--muted);font-size:.8125rem}",
  ".facts dd{margin:0;font:500 1.35rem/1.25 Georgia,serif;font-variant-numeric:tabular-nums}",
  "nav ol{columns:15rem;margin:0 0 2rem;padding:1rem 1rem 1rem 2.5rem;background:var(--panel);border:1px solid var(--line);border-radius:14px}nav li{break-inside:avoid;padding:.15rem 0}",
  "section{margin:0 0 1.5rem;padding:1.5rem 1.25rem;background:var(--panel);border:1px solid var(--line);border-radius:14px}",
  "section>:last-child{margin-bottom:0}",
  ".wide{overflow-x:auto;margin:0 0 1.25rem}",
  "table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}",
  "caption,.caption{caption-side:top;text-align:left;font-weight:600;padding:0 0 .5rem;margin:0}",
  "caption span{display:inline-block;position:sticky;left:0;max-width:min(46rem,100vw - 4.75rem)}",
  "th,td{padding:.28rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:bottom}th{font-weight:500}tbody th{white-space:nowrap}",
  "thead th{color:var(--muted);border-bottom-color:var(--axis)}td.number{white-space:nowrap}.number{text-align:right}",
  "th:first-child,td:first-child{padding-left:0}",
  "figure{margin:0 0 1.5rem}figcaption{color:var(--muted);font-size:.875rem;max-width:46rem}figcaption b{color:var(--ink);font-weight:600}",
  "svg{display:block;max-width:100%;min-width:32rem;height:auto}figure .wide{margin:0 0 .5rem}",
  ...PICTURE_STYLE,
  ".matrix td,.matrix thead th{text-align:center;padding:.25rem .45rem;min-width:2.4rem}.matrix td{background:rgb(var(--heat) / calc(var(--share) * .55))}",
  ".matrix .right{box-shadow:inset 0 0 0 1px var(--axis)}.matrix .zero{color:var(--muted)}",
  ".gallery{list-style:none;display:grid;grid-template-columns:repeat(auto-fill,minmax(8rem,1fr));gap:1rem;padding:0;margin:.5rem 0 1.25rem}",
  ".gallery li{break-inside:avoid;font-size:.8125rem;line-height:1.35}.gallery img{display:block;width:6rem;height:6rem;object-fit:contain;image-rendering:pixelated;background:#14161c;border-radius:8px;margin-bottom:.35rem}",
  ".missing dt{font-weight:600}.missing dd{margin:0 0 .75rem;color:var(--muted)}",
  "@media print{@page{margin:16mm 14mm}html{background:#fff;font-size:10pt}body{max-width:none;padding:0}:root{--paper:#fff;--line:#d5cfc4}",
  "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}section,nav ol{border:0;border-radius:0;padding:0 0 1rem;background:none}nav ol{padding-left:1.5rem}",
  "h2{break-after:avoid}figure,tr,.gallery li{break-inside:avoid}.wide{overflow:visible}svg{min-width:0}caption span{max-width:none}thead{display:table-header-group}table{font-size:8.5pt}th,td{padding:.2rem .4rem}}",
].join("\n");
