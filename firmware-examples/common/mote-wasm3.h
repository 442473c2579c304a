/**
 * wasm3's settings and its allocator, included before each of its source files. All that is chosen about wasm3 is here; why, and what
 * it saves, is in docs/firmware.md.
 */
#ifndef MOTE_WASM3_H
#define MOTE_WASM3_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "mote-format.h"

/* Code is laid in pages that are never given back: each costs 50 bytes, and the last one what is left empty. */
#ifndef d_m3CodePageAlignSize
#define d_m3CodePageAlignSize mote_wasm3_page_bytes()
#endif
/* Fields of a structure that stands in RAM once, and on the native stack while a model is opened. The modules of this library need fewer:
   wasm3 refuses what needs more. */
#ifndef d_m3MaxFunctionStackHeight
#define d_m3MaxFunctionStackHeight 64
#endif
#ifndef d_m3MaxConstantTableSize
#define d_m3MaxConstantTableSize 24
#endif
/* Names that a function may be exported by. */
#ifndef d_m3MaxDuplicateFunctionImpl
#define d_m3MaxDuplicateFunctionImpl 1
#endif
#ifndef d_m3HasFloat
#define d_m3HasFloat 0 /* 25 KB of flash */
#endif
#define d_m3VerboseErrorMessages 0
#define d_m3CascadedOpcodes 0
#define d_m3FixedHeap 0
/* Debug builds of many projects define it; wasm3 would print, by names that microcontrollers' C libraries do not have. */
#undef DEBUG

/* wasm3 compiles float instructions to traps otherwise; mote_module_check refuses them before. */
#define d_m3NoFloatDynamic 0

/* Known to 0.9 only: the features beyond the MVP stay out. */
#define d_m3HasRefTypes 0
#define d_m3HasExtendedConst 0
#define d_m3HasCompactImports 0
#define d_m3HasTypedRefs 0
#define d_m3MaxNativeStack 0
/* Blocks within each other. On the native stack while a function is compiled. */
#define d_m3ValCtrlDepth MOTE_MODULE_MAX_NESTING

/*
 * Of the compiler's flags wasm3 needs two things, whatever a project's level: optimisation, since without it its operations do not
 * tail-call each other and each would keep a frame on the native stack (gcc does so from -O2 on and at -Os; -Og and -O1 cannot be
 * told from them by a macro), and integers that wrap as WebAssembly's do, which it adds as signed ones. -Os is as fast as -O3 here.
 * Other compilers: -fwrapv, and MOTE_WASM3_FLAT_STACK of mote-ops.h.
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("Os", "wrapv")
#endif

/** Size of the next page for code: a power of 2. The same until something is allocated. */
unsigned int mote_wasm3_page_bytes(void);

/** As calloc, realloc and free, in the memory of the model at work. */
void *mote_wasm3_calloc(size_t count, size_t bytes);
void *mote_wasm3_realloc(void *old, size_t bytes);
void mote_wasm3_free(void *block);

/** As strcmp, in 20 bytes; some libraries' own, made for speed, takes 440. */
int mote_wasm3_strcmp(const char *a, const char *b);

#define calloc mote_wasm3_calloc
#define realloc mote_wasm3_realloc
#define free mote_wasm3_free
#define strcmp mote_wasm3_strcmp

#endif
