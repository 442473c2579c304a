/**
 * Variables of TFLite, which keep a tensor from a run to the next: VAR_HANDLE names one, READ_VARIABLE gives what it holds, ASSIGN_VARIABLE puts
 * something else there. What they hold at first a graph of its own assigns, which CALL_ONCE runs before all others.
 */
import type { GraphNode, GraphTensor } from "./graph.js";

/** A subgraph: what is read of it. */
export interface Subgraph {
  readonly nodes: readonly GraphNode[];
  readonly tensors: readonly GraphTensor[];
}

/** By the tensor that a VAR_HANDLE makes. */
function namesOf(nodes: readonly GraphNode[]): Map<number, string> {
  return new Map(
    nodes.flatMap(({ op, outputs, attributes: { container = "", shared_name = "" } }) =>
      op === "VAR_HANDLE" ? [[outputs[0], `${String(container)}/${String(shared_name)}`] as const] : [],
    ),
  );
}

/**
 * @param main the graph that is run
 * @param called the graph that a CALL_ONCE runs, which is the main graph's node of that index
 * @returns the main graph, its handles with the variables they stand for; a CALL_ONCE that does anything but to assign constants is refused
 */
export function withVariables(main: Subgraph, called: (node: number) => Subgraph): Subgraph {
  const names = namesOf(main.nodes);
  const initial = new Map<string, GraphTensor>();
  const nodes = main.nodes.map((node, index): GraphNode => {
    if (node.op !== "CALL_ONCE") return node;
    const refused = assign(called(index), initial);
    return refused === undefined ? node : { ...node, refused };
  });
  const tensors = main.tensors.map((tensor, index): GraphTensor => {
    const name = names.get(index);
    return name === undefined ? tensor : { ...tensor, variable: { name, initial: initial.get(name) } };
  });
  return { nodes, tensors };
}

/** @param initial takes what variables hold, by name @returns what the graph does besides */
function assign({ nodes, tensors }: Subgraph, initial: Map<string, GraphTensor>): string | undefined {
  const names = namesOf(nodes);
  for (const { op, inputs } of nodes) {
    if (op === "VAR_HANDLE") continue;
    const name = names.get(inputs[0]);
    const value = tensors[inputs[1]];
    if (op !== "ASSIGN_VARIABLE" || name === undefined || value?.constant === undefined) {
      return `runs a graph with ${op}; expected one that assigns constants to variables`;
    }
    initial.set(name, value);
  }
  return undefined;
}
