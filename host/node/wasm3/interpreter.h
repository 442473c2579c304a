/*
 * The seam between the addon and wasm3: everything that is not the same in every wasm3 release, in one place.
 * 0.5.0 and 0.9.x differ in how memory is reached and in who owns a module that failed to load.
 */
#ifndef MOTE_INTERPRETER_H
#define MOTE_INTERPRETER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wasm3.h"

/* Arguments of any function. runtime.ts refuses modules with more. */
enum { INTERPRETER_MAX_ARGUMENTS = 8 };

/* A runtime with so many bytes of value stack, which no call leaves; NULL when there is no memory for it. */
IM3Runtime interpreter_new(IM3Environment environment, uint32_t stack_bytes);

/*
 * Caps the bytes of linear memory, below one page too: accesses beyond trap, whatever the module declares.
 * Call after m3_NewRuntime and before m3_LoadModule. 0 means no limit.
 */
void interpreter_limit_memory(IM3Runtime runtime, uint32_t bytes);

/*
 * Where linear memory is now, and its size in bytes. Valid until the next call into the module, which may move it.
 * Returns NULL, and a size of 0, for a module without memory.
 */
uint8_t *interpreter_memory(IM3Runtime runtime, IM3Module module, size_t *size);

/* Whether an imported function is linked to nothing, and the first one's name. 0.9 would tell only once it is called. */
bool interpreter_unlinked(IM3Module module, const char **module_name, const char **name);

/* Loads the module; whatever the result, the module is no longer the caller's to free. */
M3Result interpreter_load(IM3Runtime runtime, IM3Module module);

#endif
