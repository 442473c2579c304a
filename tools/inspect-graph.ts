/** `mote inspect` of a net of another format: its graph, what it takes, and what of it would not run. */
import { InvalidArgumentError } from "commander";
import { openGraph } from "../host/node/import/open-graph.js";
import { MoteError } from "../host/errors.js";
import type { ImportedGraph } from "../host/import/graph.js";
import { lowerGraph } from "../host/import/import.js";
import { inferShapes } from "../host/import/shapes.js";
import { dimsText, refusals, reportGraph, stepsOf, type EdgeReport, type GraphReport } from "../host/report/graph.js";
import { grouped } from "./model-file.js";
import type { Output } from "./output.js";

export type Shapes = ReadonlyMap<string, readonly number[]>;

/** Two screens: a table of more rows has several nodes a row. */
const MAX_ROWS = 48;
/** Names longer than this lose their beginning in the table, which is the path of modules that leads there. */
const MAX_NAME = 32;
/** Of nodes that one reason keeps from running. */
const MAX_NAMES = 8;

/** Parses `--shape name=1,3,224,224`, which may come several times. */
export function parseShape(text: string, before: Shapes | undefined): Shapes {
  const at = text.lastIndexOf("=");
  const sizes = text.slice(at + 1).split(",");
  if (at < 1 || !sizes.every((size) => /^[1-9]\d{0,8}$/.test(size))) {
    throw new InvalidArgumentError("expected a name and sizes, such as image=1,3,224,224.");
  }
  return new Map([...(before ?? []), [text.slice(0, at), sizes.map(Number)]]);
}

/** @param file its bytes, where they have been read already @throws MoteError that does not name the file */
export function inspectGraph(path: string, file: Uint8Array | undefined, shapes: Shapes, output: Output): void {
  const { graph: stated, fileBytes, close } = openGraph(path, file);
  try {
    // Nobody asks what a net takes for an open number of samples.
    const graph = inferShapes(stated, { shapes, batch: 1 });
    const { report, notes } = withLowering(graph, reportGraph(graph));
    output.line(`${path}: ${graph.kind} of ${grouped(fileBytes)} bytes, ${graph.version}`);
    const constants = graph.nodes.filter((_, i) => report.nodes[i].into === "a constant").length;
    output.pairs([
      ...report.inputs.map((edge, i) => edgePair("input", edge, stated.tensors[stated.inputs[i]].shape?.[0])),
      ...report.outputs.map((edge) => edgePair("output", edge)),
      ["nodes", `${grouped(graph.nodes.length)}${constants === 0 ? "" : `, ${grouped(constants)} of them constant`}`],
      ["MACs", report.macs === null ? "unknown: they depend on open shapes" : grouped(report.macs)],
      ["parameters", grouped(report.parameters)],
      ["runs", report.runs ? "yes: each node has a layer, or dissolves" : "no: see below"],
    ]);
    output.line();
    const all = stepsOf(graph, report, false);
    const steps = all.length > MAX_ROWS ? stepsOf(graph, report, true) : all;
    output.table(
      [
        ["node", "op", "output", "MACs", "parameters"],
        ...steps.map(({ first, ops, output: shape, macs, parameters }) => [
          shortName(first.name),
          ops.map(({ op, times }) => (times === 1 ? op : `${op} × ${times}`)).join(", "),
          dimsText(shape),
          macs === 0 ? "" : macs === null ? "unknown" : grouped(macs),
          parameters === 0 ? "" : grouped(parameters),
        ]),
      ],
      [0, 1, 2],
    );
    if (notes.length > 0) output.line();
    notes.forEach((note) => output.lines([note], 2));
    printRefusals(report, output);
    output.json(() => ({ file: path, kind: graph.kind, fileBytes, version: graph.version, ...report, notes }));
  } finally {
    close();
  }
}

/** Tries what packing does first: it may find in a whole net what no node shows by itself. @returns what packing says, too */
function withLowering(
  graph: ImportedGraph,
  report: GraphReport,
): { readonly report: GraphReport; readonly notes: readonly string[] } {
  if (!report.runs) return { report, notes: [] };
  try {
    return { report, notes: lowerGraph(graph).notes };
  } catch (error) {
    if (!(error instanceof MoteError)) throw error;
    return { report: { ...report, runs: false, problems: [error.message] }, notes: [] };
  }
}

function edgePair(what: string, { name, shape, type }: EdgeReport, batch?: number | string): [string, string] {
  const assumed =
    typeof batch === "string" && shape?.[0] === 1 ? `; its first size is open (${batch}) and taken as 1` : "";
  return [what, `${name}: ${dimsText(shape)}, ${type}${assumed}`];
}

function shortName(name: string): string {
  return name.length <= MAX_NAME ? name : `…${name.slice(1 - MAX_NAME)}`;
}

function printRefusals(report: GraphReport, output: Output): void {
  if (report.runs) return;
  const nodes = report.nodes.filter(({ verdict }) => verdict === "not").length;
  output.line();
  output.line(
    nodes === 0
      ? "what stands in the way"
      : `what stands in the way, ${grouped(nodes)} of ${grouped(report.nodes.length)} nodes`,
  );
  output.lines(
    report.problems.map((problem) => `  ${problem}`),
    4,
  );
  for (const { op, why, names } of refusals(report)) {
    const more = names.length > MAX_NAMES ? ` and ${grouped(names.length - MAX_NAMES)} more` : "";
    output.lines([`  ${op} (${names.slice(0, MAX_NAMES).join(", ")}${more}): ${why}`], 4);
  }
}
