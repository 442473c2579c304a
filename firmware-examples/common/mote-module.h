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

/** The initial bytes at an address of linear memory; null when no one data segment holds them all. */
const uint8_t *mote_module_initial(mote_bytes module, uint32_t address, uint32_t length);

/** The initial u32 at an address of linear memory; 0 where there is no data, as in linear memory itself. */
uint32_t mote_module_initial_u32(mote_bytes module, uint32_t address);

/** Length of the section with the functions. */
uint32_t mote_module_code_bytes(mote_bytes module);

/** Contents of the first custom section of this name; null when there is none. */
mote_bytes mote_module_section(mote_bytes module, const char *name);

#endif
