/** A container as C source, for firmware that links the model into flash: a header and a constant array, C99 and C++. */
import type { Plan } from "../container/plan.js";
import { planTotal } from "../container/plan.js";
import { containerBits } from "../data/file-kind.js";
import { refuseWide } from "../model/elements.js";
import { byteArray, expectIncludable, identifier } from "./c-bytes.js";

export interface CSource {
  readonly header: string;
  readonly source: string;
}

/**
 * @param name of the files without extension; identifiers are made from it
 * @returns the two files' texts
 * @throws MoteError ARGUMENT for a name that C cannot include, UNSUPPORTED for a model of 16-bit activations
 */
export function cSource(container: Uint8Array, plan: Plan, name: string): CSource {
  expectIncludable(name);
  refuseWide(containerBits(container), "C for firmware: ");
  const lower = identifier(name);
  const upper = lower.toUpperCase();
  const header = `/* ${name}: a .mote model, written by \`mote pack\`. */
#ifndef ${upper}_MODEL_H
#define ${upper}_MODEL_H

#include <stdint.h>

#define ${upper}_MODEL_BYTES ${container.length}u
/* Linear memory that the model needs, read through the window. */
#define ${upper}_MEMORY_BYTES ${planTotal(plan)}u

#ifdef __cplusplus
extern "C" {
#endif

/* Aligned to 8 bytes. */
extern const uint8_t ${lower}_model[${upper}_MODEL_BYTES];

#ifdef __cplusplus
}
#endif

#endif
`;
  const source = `/* ${name}: a .mote model, written by \`mote pack\`. */
#include "${name}.h"

#if defined(__GNUC__) || defined(__clang__)
#define ALIGNED __attribute__((aligned(8)))
#elif defined(__cplusplus)
#define ALIGNED alignas(8)
#else
#define ALIGNED _Alignas(8)
#endif

${byteArray(`ALIGNED const uint8_t ${lower}_model[${upper}_MODEL_BYTES]`, container)}`;
  return { header, source };
}
