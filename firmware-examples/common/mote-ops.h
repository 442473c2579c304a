/**
 * What wasm3's operations are made of: macros, to which this header gives another meaning. It is included before each of wasm3's files but
 * m3_core.c.
 */
#ifndef MOTE_OPS_H
#define MOTE_OPS_H

#include "mote-wasm3.h"
#include "wasm3/wasm3.h"
#include "wasm3/m3_math_utils.h"

/* Divisions of 64 bits, which mote_module_check refuses, would bring in 1 to 4 KB of the compiler's own library: they trap. */
#undef OP_DIV_U
#undef OP_REM_U
#undef OP_DIV_S
#undef OP_REM_S
#define MOTE_DIVIDES(A, B)                                           \
  if (sizeof(A) > 4 || (B) == 0) newTrap(m3Err_trapDivisionByZero);
#define OP_DIV_U(RES, A, B) \
  MOTE_DIVIDES(A, B)        \
  RES = A / B;
#define OP_REM_U(RES, A, B) \
  MOTE_DIVIDES(A, B)        \
  RES = A % B;
#define OP_DIV_S(RES, A, B, LEAST)                                       \
  MOTE_DIVIDES(A, B)                                                     \
  if ((B) == -1 && (A) == LEAST) newTrap(m3Err_trapIntegerOverflow); \
  RES = A / B;
#define OP_REM_S(RES, A, B, LEAST)                                \
  MOTE_DIVIDES(A, B)                                              \
  RES = (B) == -1 ? 0 : A % B;

/*
 * How operations follow each other where the compiler makes no tail calls: each of them keeps its native frame until a loop turns or a
 * function returns, which comes to 5 KB of stack. Here an operation returns instead and leaves word which one is next, and one loop calls
 * them all. It costs a quarter of the speed and gives 4 KB of stack back.
 */

/* 1 for compilers without tail calls. gcc makes none for Xtensa; Cortex-M0 has no register left to jump by; clang 14 gives up over them for
   Cortex-M, and makes none without optimisation; of others nothing is known. */
#ifndef MOTE_WASM3_FLAT_STACK
#if defined(__XTENSA__) || (defined(__thumb__) && !defined(__thumb2__)) || defined(__clang__) || !defined(__GNUC__)
#define MOTE_WASM3_FLAT_STACK 1
#else
#define MOTE_WASM3_FLAT_STACK 0
#endif
#endif

#if MOTE_WASM3_FLAT_STACK && M3_VERSION_MAJOR == 0 && M3_VERSION_MINOR == 5
#include "wasm3/m3_exec_defs.h"

/* The loop below is wanted. */
#define MOTE_RUNS_OPS

#if d_m3HasFloat
#error "MOTE_WASM3_FLAT_STACK is for modules without floats"
#endif

/** What the operation that has just returned leaves to the next one: where it is, and the register. */
typedef struct mote_next_op {
  pc_t pc;
  m3reg_t r0;
} mote_next_op;

extern mote_next_op mote_next;

/**
 * Runs operations from `pc` on until one answers something else than &mote_next. The memory does not move meanwhile: our modules declare
 * it at its largest.
 * @returns null at a function's end, where to go on for a loop that turns, or a trap
 */
m3ret_t mote_run_ops(pc_t pc, m3stack_t sp, M3MemoryHeader *mem, m3reg_t r0);

/* Operations' names begin so. The other functions that end with these macros run operations on another stack pointer. */
#define MOTE_IS_OP (__func__[0] == 'o' && __func__[1] == 'p' && __func__[2] == '_')
#define MOTE_LEAVE_TO(PC) (mote_next.pc = (pc_t)(PC), mote_next.r0 = _r0, (m3ret_t)&mote_next)

#define RunCode mote_run_ops
#undef nextOpImpl
#undef jumpOpImpl
#undef nextOpDirect
#undef jumpOpDirect
#define nextOpImpl() mote_run_ops(_pc, _sp, _mem, _r0)
#define nextOpDirect() return MOTE_IS_OP ? MOTE_LEAVE_TO(_pc) : nextOpImpl()
#define jumpOpDirect(PC) return MOTE_LEAVE_TO(PC)

#endif

#endif
