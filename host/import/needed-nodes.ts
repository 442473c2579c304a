/** Which nodes of a graph work towards its outputs. */
import type { GraphNode, ImportedGraph } from "./graph.js";
import type { Format } from "./format.js";

/** Those that the outputs need, and the variables that are read for them, in the order of the file. Whoever makes a constant is done already. */
export function neededNodes({ nodes, outputs, tensors }: ImportedGraph, format: Format): GraphNode[] {
  const isMade = (tensor: number): boolean => tensor >= 0 && tensors[tensor].constant === undefined;
  const writer = new Map(nodes.flatMap((node) => node.outputs.filter(isMade).map((output) => [output, node] as const)));
  const needed = new Set<GraphNode>();
  const nameOf = ({ inputs }: GraphNode): string | undefined => tensors[inputs[0]]?.variable?.name;
  const assigned = new Map<string | undefined, GraphNode[]>();
  for (const node of nodes) {
    if (format.variableUse(node) !== "assign") continue;
    const all = assigned.get(nameOf(node));
    if (all === undefined) assigned.set(nameOf(node), [node]);
    else all.push(node);
  }
  const stack = outputs.map((output) => writer.get(output));
  while (stack.length > 0) {
    const node = stack.pop();
    if (node === undefined || needed.has(node)) continue;
    needed.add(node);
    stack.push(...format.dataInputs(node).map((input) => writer.get(input)));
    if (format.variableUse(node) !== "read") continue;
    for (const assignment of assigned.get(nameOf(node)) ?? []) stack.push(assignment);
    assigned.delete(nameOf(node));
  }
  return nodes.filter((node) => needed.has(node));
}
