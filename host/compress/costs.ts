/** What each variant has cost in points of error, in trainings of this repository: bench/costs.json, which `bench --only costs --save bench` writes. */
import { MoteError, printable } from "../errors.js";
import { isRecord, parseJson } from "../json.js";

/** Nets on which variants are run: of dense layers alone, and with convolutions. */
export const COST_NETS = ["dense", "conv"] as const;
export type CostNet = (typeof COST_NETS)[number];

export interface Cost {
  readonly variant: string;
  readonly net: CostNet;
  /** Validation error of the integers, percent, less the float net's. */
  readonly points: number;
  /** Of the container. */
  readonly bytes: number;
}

export interface Costs {
  /** That measured them. */
  readonly command: string;
  readonly commit: string;
  /** That each variant was trained for. */
  readonly epochs: number;
  /** What each of the nets is. */
  readonly nets: Readonly<Record<CostNet, string>>;
  readonly costs: readonly Cost[];
}

const KIND = "mote costs";

export const encodeCosts = (costs: Costs): string => `${JSON.stringify({ kind: KIND, ...costs }, null, 2)}\n`;

/** @param file its name, for messages @throws MoteError FORMAT naming the key and what was expected */
export function parseCosts(text: string, file: string): Costs {
  const value = parseJson(text, file, "costs");
  const fail = (expected: string): MoteError => new MoteError("FORMAT", printable(`${file}: expected ${expected}`));
  if (!isRecord(value) || value.kind !== KIND)
    throw fail("costs of methods, as mote bench --only costs --save writes them");
  const { command, commit, epochs, nets, costs } = value;
  if (typeof command !== "string") throw fail("command, a text");
  if (typeof commit !== "string") throw fail("commit, a text");
  if (!Number.isFinite(epochs)) throw fail("epochs, a number");
  if (!isRecord(nets) || COST_NETS.some((net) => typeof nets[net] !== "string"))
    throw fail("nets.dense and nets.conv, texts");
  if (!Array.isArray(costs)) throw fail("costs, a list");
  for (const [at, cost] of (costs as unknown[]).entries()) {
    const place = `costs[${at}]`;
    if (!isRecord(cost) || typeof cost.variant !== "string") throw fail(`${place}.variant, a text`);
    if (!COST_NETS.includes(cost.net as CostNet)) throw fail(`${place}.net, one of ${COST_NETS.join(", ")}`);
    for (const key of ["points", "bytes"]) if (!Number.isFinite(cost[key])) throw fail(`${place}.${key}, a number`);
  }
  return { command, commit, epochs, nets, costs } as unknown as Costs;
}
