/** A picture of the arena: tensor by tensor over the layers of a run. */
import type { Life } from "../container/plan.js";

export interface TensorLife extends Life {
  /** Of the first byte. */
  readonly address: number;
  readonly bytes: number;
  /** Whether it is made some lines at a time. */
  readonly isByLines: boolean;
}

/** So that a line is at most 80 columns, indented as `mote inspect` does. */
const MOST_COLUMNS = 54;
const LEVELS = "▁▂▃▄▅▆▇█";

/**
 * @param tensors lives in steps: before 0 is the host's writing, from `steps` on its reading
 * @returns a line for each tensor, with a mark for each layer at which it is in use, and one of how much of the arena is
 */
export function drawLives(tensors: readonly TensorLife[], steps: number): string[] {
  const perColumn = Math.ceil(steps / MOST_COLUMNS);
  const columns = Array.from({ length: Math.ceil(steps / perColumn) }, (_, column) => column * perColumn);
  const isIn = ({ first, last }: Life, column: number): boolean => first < column + perColumn && last >= column;
  const used = columns.map((column) => bytesOf(tensors.filter((tensor) => isIn(tensor, column))));
  const most = Math.max(...used);
  const level = (bytes: number): string => LEVELS[Math.max(0, Math.ceil((bytes / most) * LEVELS.length) - 1)];
  const line = (name: string, bytes: number, marks: string): string =>
    `${name.padStart(8)}  ${bytes.toLocaleString("en").padStart(11)}  ${marks.trimEnd()}`;
  const layers = perColumn === 1 ? "a layer" : `${perColumn} layers`;
  return [
    `  tensor        bytes  in use, ${layers} a column${tensors.some((one) => one.isByLines) ? "; ░ made some lines at a time" : ""}`,
    ...tensors.map((tensor, index) =>
      line(
        String(index),
        tensor.bytes,
        columns.map((column) => (isIn(tensor, column) ? (tensor.isByLines ? "░" : "█") : " ")).join(""),
      ),
    ),
    line("at most", most, used.map(level).join("")),
  ];
}

/** What tensors cover, some of them the same bytes. */
function bytesOf(tensors: readonly TensorLife[]): number {
  let covered = 0;
  let end = 0;
  for (const { address, bytes } of tensors.toSorted((a, b) => a.address - b.address)) {
    covered += Math.max(0, address + bytes - Math.max(address, end));
    end = Math.max(end, address + bytes);
  }
  return covered;
}
