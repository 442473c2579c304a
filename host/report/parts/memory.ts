/** The memory plan over a run: which bytes of the arena each tensor has, and when; and energy of an inference. */
import { planTotal, tensorLives } from "../../container/plan.js";
import type { Container } from "../../container/read.js";
import { tensorBytes } from "../../model/geometry.js";
import { barChart } from "../charts.js";
import type { ContainerReport } from "../container.js";
import { denseFloatEnergy, packedEnergy, PICOJOULE, type Energy } from "../energy.js";
import { words, type Part } from "../page.js";
import { colour, line, rect, scaleOf, text, textWidth, type Picture } from "../svg.js";
import { bytesText, threeDigits, type Table } from "../table.js";

const [WIDTH, LEFT, RIGHT, TOP, HEIGHT] = [720, 70, 20, 14, 300];
/** More steps than these have no names below. */
const MOST_NAMES = 24;

export function memoryPart(container: Container): Part {
  const { model, plan } = container;
  const steps = model.layers.length;
  const lives = tensorLives(model).map(({ first, last }, tensor) => {
    return { tensor, first, last, address: plan.offsets[tensor], bytes: tensorBytes(model.tensors[tensor]) };
  });
  const table: Table = {
    kind: "table",
    id: "memory",
    caption: "Tensors in the arena; step -1 is the host's writing of the input",
    columns: [
      { head: "tensor" },
      { head: "shape" },
      { head: "from byte" },
      { head: "bytes" },
      { head: "first step" },
      { head: "last step" },
    ],
    rows: lives.map(({ tensor, address, bytes, first, last }) => [
      String(tensor),
      model.tensors[tensor].shape.join(" × "),
      address,
      bytes,
      Math.max(-1, first),
      Math.min(steps, last),
    ]),
  };
  return {
    id: "memory",
    title: "Memory over a run",
    blocks: [
      words(
        `${bytesText(planTotal(plan))} of linear memory: a window of ${bytesText(plan.window)} onto the model, ${bytesText(plan.scratch)} to decode a layer's weights, and an arena of ${bytesText(plan.arena)} for tensors.`,
      ),
      arenaPicture(
        lives,
        steps,
        plan.arena,
        model.layers.map(({ op }) => op),
      ),
      table,
    ],
  };
}

interface PlacedLife {
  readonly tensor: number;
  readonly first: number;
  readonly last: number;
  readonly address: number;
  readonly bytes: number;
}

function arenaPicture(lives: readonly PlacedLife[], steps: number, arena: number, ops: readonly string[]): Picture {
  const bottom = TOP + HEIGHT;
  // The host's writing before the first step, its reading behind the last.
  const x = (step: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * (step + 1)) / (steps + 2);
  const y = scaleOf([0, arena], { label: "", least: 0, most: arena }, [bottom, TOP], 6);
  const boxes = lives.map(({ tensor, first, last, address, bytes }) => {
    const [from, to] = [x(Math.max(-1, first)), x(Math.min(steps, last) + 1)];
    const [low, high] = [y(address), y(address + bytes)];
    const name = `tensor ${tensor}`;
    const label =
      low - high >= 15 && to - from >= textWidth(name)
        ? text((from + to) / 2, (low + high) / 2 + 4, "life-text middle", name)
        : "";
    return (
      rect(
        `life f${colour(tensor)}`,
        from,
        high,
        to - from,
        low - high,
        `${name}: ${bytesText(bytes)} from byte ${address}`,
      ) + label
    );
  });
  const names = steps <= MOST_NAMES ? ["input", ...ops, "output"] : [];
  const isNarrow = (WIDTH - LEFT - RIGHT) / (steps + 2) < 62;
  const label = (name: string, at: number): string => {
    const middle = (x(at - 1) + x(at)) / 2;
    if (!isNarrow) return text(middle, bottom + 18, "muted middle", name);
    return `<g transform="translate(${middle.toFixed(1)} ${bottom + 12}) rotate(-40)">${text(0, 4, "muted end", name)}</g>`;
  };
  const most = Array.from({ length: steps }, (_, step) =>
    lives.filter(({ first, last }) => first <= step && step <= last).reduce((sum, { bytes }) => sum + bytes, 0),
  );
  const peak = most.indexOf(Math.max(...most));
  return {
    kind: "picture",
    id: "memory-arena",
    title: "The arena",
    description: `Time runs to the right, layer by layer, addresses upwards. ${lives.length} tensors share ${bytesText(arena)}; most is in use at layer ${peak} (${ops[peak]}).`,
    width: WIDTH,
    height: bottom + (isNarrow ? 70 : 34),
    body: [
      ...y.ticks.flatMap((tick) => [
        line("grid", LEFT, y(tick), WIDTH - RIGHT, y(tick)),
        text(LEFT - 8, y(tick) + 4, "muted end", tick.toLocaleString("en")),
      ]),
      ...boxes,
      line("axis", LEFT, TOP, LEFT, bottom),
      line("axis", LEFT, bottom, WIDTH - RIGHT, bottom),
      ...names.map(label),
      text(4, TOP - 2, "muted", "byte"),
    ].join("\n"),
  };
}

export function energyPart(report: ContainerReport): Part {
  const [dense, packed] = [denseFloatEnergy(report), packedEnergy(report)];
  const row = (name: string, { arithmetic, weights, activations, total }: Energy): (string | number)[] => [
    name,
    arithmetic,
    weights,
    activations,
    total,
  ];
  const nanojoule = (head: string) => ({ head: `${head}, nJ`, show: threeDigits });
  return {
    id: "energy",
    title: "Energy",
    blocks: [
      {
        kind: "table",
        id: "energy",
        caption: "Energy of an inference at 45 nm, by counting operations and accesses",
        columns: [
          { head: "net" },
          nanojoule("arithmetic"),
          nanojoule("weights"),
          nanojoule("activations"),
          nanojoule("total"),
        ],
        rows: [row("dense float32, weights in DRAM", dense), row("compressed, all in SRAM", packed)],
      },
      barChart({
        id: "energy-bars",
        title: "Energy of an inference",
        description: `${(dense.total / packed.total).toFixed(1)} times less. In pJ for 32 bits: int add ${PICOJOULE.intAdd}, int mult ${PICOJOULE.intMult}, float add ${PICOJOULE.floatAdd}, float mult ${PICOJOULE.floatMult}, SRAM ${PICOJOULE.sram}, DRAM ${PICOJOULE.dram}; a processor's control is not counted.`,
        axis: { label: "nJ, logarithmic", isLog: true },
        series: ["dense float32", "compressed"],
        rows: (["arithmetic", "weights", "activations", "total"] as const).map((key) => ({
          label: key,
          values: [dense[key], packed[key]],
        })),
      }),
    ],
  };
}
