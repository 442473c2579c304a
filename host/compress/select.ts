/**
 * Values by layer: a key is a layer's name, a pattern in which `*` stands for any characters, or `op:` and an op's name. Where several
 * select a layer, the most specific has its way: the name, then the pattern that spells out most, then the op, then `*` alone.
 */
import { MoteError } from "../errors.js";
import type { Layer } from "../model/model.js";

const OP_PREFIX = "op:";

interface Key {
  readonly selects: (layer: Pick<Layer, "name" | "op">) => boolean;
  /** Of two keys that select a layer, that of the greater number has its way. */
  readonly rank: number;
}

function readKey(key: string): Key {
  if (key.startsWith(OP_PREFIX)) return { selects: ({ op }) => op === key.slice(OP_PREFIX.length), rank: 0.5 };
  const parts = key.split("*");
  if (parts.length === 1) return { selects: ({ name }) => name === key, rank: Infinity };
  return { selects: ({ name }) => fits(name, parts), rank: key.length - parts.length + 1 };
}

/** Whether a name is these parts in their order, with anything between them. */
function fits(name: string, parts: readonly string[]): boolean {
  const [first, last] = [parts[0], parts[parts.length - 1]];
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}

/** Whether a key is one layer's name, not a choice of them. */
export const isName = (key: string): boolean => !key.includes("*") && !key.startsWith(OP_PREFIX);

/**
 * The value of each layer that a key selects, by its name. Of two equally specific keys, the first has its way.
 * @param path of the values, for errors
 * @throws MoteError RECIPE for a key that selects none, such as `keep.conv3: no such layer; there are …`
 */
export function byLayer<T>(
  values: Readonly<Record<string, T>>,
  layers: readonly Pick<Layer, "name" | "op">[],
  path: string,
): Record<string, T> {
  const keys = Object.entries(values).map(([key, value]) => ({ key, value, ...readKey(key) }));
  const idle = keys.find(({ selects }) => !layers.some(selects));
  if (idle !== undefined) throw noSuchLayer(`${path}.${idle.key}`, layers);
  keys.sort((a, b) => b.rank - a.rank);
  return Object.fromEntries(
    layers.flatMap((layer) => {
      const found = keys.find(({ selects }) => selects(layer));
      return found === undefined ? [] : [[layer.name, found.value]];
    }),
  );
}

const noSuchLayer = (place: string, layers: readonly Pick<Layer, "name">[]): MoteError =>
  new MoteError("RECIPE", `${place}: no such layer; there are ${layers.map(({ name }) => name).join(", ")}`);
