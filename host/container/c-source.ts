/** A container as C source, for firmware that links the model into flash: a header and a constant array, C99 and C++. */
import type { Plan } from "./plan.js";
import { planTotal } from "./plan.js";

export interface CSource {
  readonly header: string;
  readonly source: string;
}

const BYTES_A_LINE = 24;

/**
 * @param name of the files without extension; identifiers are made from it
 * @returns the two files' texts
 */
export function cSource(container: Uint8Array, plan: Plan, name: string): CSource {
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
  const lines: string[] = [];
  for (let at = 0; at < container.length; at += BYTES_A_LINE) {
    lines.push("    " + Array.from(container.subarray(at, at + BYTES_A_LINE), (byte) => `${byte},`).join(""));
  }
  const source = `/* ${name}: a .mote model, written by \`mote pack\`. */
#include "${name}.h"

#if defined(__GNUC__) || defined(__clang__)
#define ALIGNED __attribute__((aligned(8)))
#elif defined(__cplusplus)
#define ALIGNED alignas(8)
#else
#define ALIGNED _Alignas(8)
#endif

ALIGNED const uint8_t ${lower}_model[${upper}_MODEL_BYTES] = {
${lines.join("\n")}
};
`;
  return { header, source };
}

/** Letters, digits and underscores, not beginning with a digit. */
function identifier(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9]/g, "_");
  return /^[0-9]/.test(safe) ? `model_${safe}` : safe;
}
