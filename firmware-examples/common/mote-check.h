/** What the two halves of mote_module_check share: mote-check.c looks at sections, mote-function.c at the functions' code. Internal to the library. */
#ifndef MOTE_CHECK_H
#define MOTE_CHECK_H

#include "mote-module.h"

/** Types, as 7F less what a module has for them. NONE: of a block or function without result. */
enum { MOTE_I32 = 0, MOTE_I64 = 1, MOTE_NONE = 0x7f - 0x40 };

typedef struct mote_signature {
  uint8_t count;
  /** A bit for each parameter. */
  uint8_t types;
  uint8_t result;
} mote_signature;

/** A block that is open. */
typedef struct mote_frame {
  uint8_t opcode;
  uint8_t result;
  /** Values when the block begins, its result among them: a place is kept for it, as wasm3 does. */
  uint8_t values;
} mote_frame;

typedef struct mote_checker {
  /* The function being checked. */
  mote_reader code;
  uint32_t value_count;
  /** Results of calls since the operand stack was last empty. wasm3 lays each above all that there is. */
  uint32_t calls;
  uint32_t depth;
  uint32_t loops;
  uint32_t local_count;

  uint32_t type_count;
  uint32_t imported;
  uint32_t function_count;
  uint32_t global_count;
  mote_reader bodies;
  mote_frame labels[MOTE_MODULE_MAX_NESTING];
  uint8_t values[MOTE_MODULE_MAX_VALUES];
  mote_signature types[MOTE_MODULE_MAX_TYPES];
  uint8_t function_types[MOTE_MODULE_MAX_ITEMS];
  uint8_t global_types[MOTE_MODULE_MAX_ITEMS];
  /** Native frames that wasm3 uses for a call: its own, and those of loops and calls within. 0: not known yet. */
  uint8_t frames[MOTE_MODULE_MAX_ITEMS];
  /** What functions that were checked call. */
  mote_function_set called;
} mote_checker;

/** A number below `limit`. */
uint32_t mote_read_below(mote_reader *r, uint32_t limit);

/** MOTE_I32 or MOTE_I64. */
uint32_t mote_read_type(mote_reader *r);

/** Skips a number whose value does not matter, such as a constant: wasm3 bounds its length. */
void mote_skip_leb(mote_reader *r);

static inline const mote_signature *mote_signature_of(const mote_checker *c, uint32_t function) {
  return &c->types[c->function_types[function]];
}

/**
 * Checks the function whose body is `code`; `code` is not ok afterwards when the function is refused.
 * @returns the function's `frames`; 0 when it calls one whose frames are not known yet
 */
uint32_t mote_check_function(mote_checker *c, const mote_signature *own);

#endif
