/** Which ops and codecs a core has, and which ones a model needs. */
import { CODECS } from "../codecs/index.js";
import type { Container } from "../container/read.js";
import type { QLayer } from "../model/model.js";
import { allIntegerOps } from "../ops/index.js";

/** What a core has, by name: the rest it refuses at once. */
export interface CoreContents {
  readonly ops: readonly QLayer["op"][];
  readonly codecs: readonly string[];
}

export const ALL_CONTENTS: CoreContents = {
  ops: allIntegerOps().map(([op]) => op),
  codecs: CODECS.map(({ name }) => name),
};

/** What a model needs. */
export function contentsOf({ model, layers }: Container): CoreContents {
  const ops = new Set(model.layers.map(({ op }) => op));
  const codecs = new Set(layers.flatMap(({ section }) => (section === undefined ? [] : [section.codec])));
  return {
    ops: ALL_CONTENTS.ops.filter((op) => ops.has(op)),
    codecs: CODECS.flatMap(({ number, name }) => (codecs.has(number) ? [name] : [])),
  };
}
