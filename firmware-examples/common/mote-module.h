/** The little the library itself reads of a WebAssembly module: its seal, its initial data, its custom sections. Internal to the library. */
#ifndef MOTE_MODULE_H
#define MOTE_MODULE_H

#include "mote-internal.h"

#define MOTE_CUSTOM_SECTION 0u
#define MOTE_DATA_SECTION 11u
#define MOTE_OP_I32_CONST 0x41u
#define MOTE_OP_END 0x0bu

/** Goes through the bytes of a module or of a part of it. Behind their end `ok` is false, and what is read means nothing. */
typedef struct mote_reader {
  const uint8_t *next;
  const uint8_t *end;
  bool ok;
} mote_reader;

uint32_t mote_read_u8(mote_reader *r);

/** LEB128, unsigned, of 32 bits. */
uint32_t mote_read_leb(mote_reader *r);

/** A length, then as many bytes. */
mote_bytes mote_read_bytes(mote_reader *r);

/** As mote_read_bytes, to be read in turn. */
mote_reader mote_read_part(mote_reader *r);

/** What follows the module's header; not ok for less than a header. */
mote_reader mote_module_sections(mote_bytes module);

/** The next data segment's bytes, and the address they go to: at most MOTE_MAX_BYTES. */
mote_bytes mote_read_segment(mote_reader *segments, uint32_t *address);

/**
 * Whether the module ends with a right checksum: 00 0D, 08 "mote.crc", CRC-32 of all bytes before. Finds damage, for which
 * mote_module_check would need luck; not malice.
 */
bool mote_module_is_sealed(mote_bytes module);

/**
 * Whether the module is one that wasm3 0.5.0 may see: valid WebAssembly, of the sections and instructions that SPEC.md lists in "Modules", and
 * within its limits. wasm3 0.5.0 itself checks little: what is refused here could write outside its memory or overrun the native
 * stack. Takes about 900 bytes of native stack.
 */
bool mote_module_check(mote_bytes module);

/** Functions of a module, by index: a bit for each that there may be. */
typedef struct mote_function_set {
  uint8_t bits[MOTE_MODULE_MAX_ITEMS / 8];
} mote_function_set;

#define MOTE_NO_FUNCTION UINT32_MAX

/** Adds a function; MOTE_NO_FUNCTION is none. */
static inline void mote_function_add(mote_function_set *set, uint32_t function) {
  if (function < MOTE_MODULE_MAX_ITEMS) set->bits[function / 8] |= (uint8_t)(1u << function % 8);
}

static inline bool mote_function_is_in(const mote_function_set *set, uint32_t function) {
  return (set->bits[function / 8] >> function % 8 & 1) != 0;
}

/** Index of the function that is exported by this name, or MOTE_NO_FUNCTION. */
uint32_t mote_module_export(mote_bytes module, const char *name);

/**
 * Adds to `runs` what its functions call, and what that calls, and takes out those that are replaced. Takes as much native stack as
 * mote_module_check.
 * @param module one that mote_module_check has passed
 * @param replaced functions whose code does not run
 * @returns bytes of the functions that are not in `runs` then
 */
uint32_t mote_module_follow(mote_bytes module, const mote_function_set *replaced, mote_function_set *runs);

/** The initial bytes at an address of linear memory; null when no one data segment holds them all. */
const uint8_t *mote_module_initial(mote_bytes module, uint32_t address, uint32_t length);

/** The initial u32 at an address of linear memory; 0 where there is no data, as in linear memory itself. */
uint32_t mote_module_initial_u32(mote_bytes module, uint32_t address);

/** Puts the initial data of a module where it belongs. @returns whether there is a place for all of it, and no data was damaged */
bool mote_module_fill(mote_bytes module, uint8_t *linear, uint32_t linear_bytes);

/** Contents of the first custom section of this name; null when there is none. */
mote_bytes mote_module_section(mote_bytes module, const char *name);

/** What an engine's `measure` does for a fast module that is a file, by what the module says of its own linear memory. */
mote_status mote_module_measure(mote *model, mote_bytes module, mote_bytes stream);

/** An engine's `metadata`, of a module that is a file. */
mote_bytes mote_module_metadata(const mote *model);

#endif
