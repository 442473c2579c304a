/** Test vectors as C, for the self-test of an exported project. */
import { byteArray } from "../../c/c-bytes.js";
import type { CSource } from "../../c/c-source.js";
import { elementsOf, type Vectors, type VectorTensor } from "../data/vectors.js";

/** vectors.h and vectors.c. */
export function vectorsSource(name: string, { count, perStream = count, inputs, outputs }: Vectors): CSource {
  const [given, expected] = [inputs, outputs].map((tensors) => runAfterRun(tensors, count));
  const title = `/* Test vectors of ${name}. Written by \`npm run firmware -- --export\`. */`;
  const header = `${title}
#ifndef MOTE_VECTORS_H
#define MOTE_VECTORS_H

#include <stdint.h>

#define MOTE_VECTORS ${count}u
/* Before the first of so many in a row the model is reset. */
#define MOTE_VECTOR_STEPS ${perStream}u
/* Of one vector: int8 elements of all inputs, and of all outputs, [channels, height, width] one behind the other. */
#define MOTE_VECTOR_INPUT_BYTES ${given.length / count}u
#define MOTE_VECTOR_OUTPUT_BYTES ${expected.length / count}u

extern const uint8_t mote_vector_inputs[MOTE_VECTORS * MOTE_VECTOR_INPUT_BYTES];
/* What the host gives when the vectors are run in their order. */
extern const uint8_t mote_vector_outputs[MOTE_VECTORS * MOTE_VECTOR_OUTPUT_BYTES];

#endif
`;
  const source = `${title}
#include "vectors.h"

${byteArray("const uint8_t mote_vector_inputs[MOTE_VECTORS * MOTE_VECTOR_INPUT_BYTES]", given)}
${byteArray("const uint8_t mote_vector_outputs[MOTE_VECTORS * MOTE_VECTOR_OUTPUT_BYTES]", expected)}`;
  return { header, source };
}

/** Of each run the elements of all tensors. */
function runAfterRun(tensors: readonly VectorTensor[], count: number): Uint8Array {
  const runs = Array.from({ length: count }, (_, index) =>
    tensors.map(({ elements }) => elementsOf(elements, index, count)),
  );
  return new Uint8Array(Buffer.concat(runs.flat().map((part) => Uint8Array.from(part))));
}
