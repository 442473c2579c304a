/** The little the library itself reads of a WebAssembly module: its seal, its initial data, its stream. Internal to the library. */
#ifndef MOTE_MODULE_H
#define MOTE_MODULE_H

#include "mote-internal.h"

/** The custom section with a fast module's stream. */
#define MOTE_STREAM_SECTION "mote.stream"

/**
 * Whether the module ends with a right checksum: 00 0D, 08 "mote.crc", CRC-32 of all bytes before. wasm3 0.5.0 runs a module as it
 * is, and a flipped bit in its code may do anything. Finds damage, not malice.
 */
bool mote_module_is_sealed(mote_bytes module);

/** The initial bytes at an address of linear memory; null when no one data segment holds them all. */
const uint8_t *mote_module_initial(mote_bytes module, uint32_t address, uint32_t length);

/** The initial u32 at an address of linear memory; 0 where there is no data, as in linear memory itself. */
uint32_t mote_module_initial_u32(mote_bytes module, uint32_t address);

/** Length of the section with the functions. */
uint32_t mote_module_code_bytes(mote_bytes module);

/** The stream of a fast module: what the custom section MOTE_STREAM_SECTION holds. Null for other modules. */
mote_bytes mote_module_stream(mote_bytes module);

#endif
