/** A first-fit allocator inside one piece of the caller's memory. Internal to the library. */
#ifndef MOTE_HEAP_H
#define MOTE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Blocks stand end to end from `base`: a 4-byte header {size | in use}, then the payload, which is aligned to 8 bytes. Small
 * because wasm3 makes a hundred blocks and the headers count.
 */
typedef struct mote_heap {
  /** First header; 4 bytes below a multiple of 8. */
  uint8_t *base;
  /** Bytes from base to the end of the memory. */
  size_t limit;
  /** Bytes from base to the end of the last block in use. */
  size_t top;
  /** The largest `top` so far. */
  size_t peak;
} mote_heap;

/** The most bytes that mote_heap_init leaves unused. */
#define MOTE_HEAP_SKIP 7u

/** Takes over `bytes` at `memory`, whatever its alignment; of more than 4 GB the first of them. */
void mote_heap_init(mote_heap *heap, void *memory, size_t bytes);

/** Bytes that a block takes with its header; 0 when no heap could hold it. */
uint32_t mote_heap_bytes(size_t payload);

/** @returns zeroed memory aligned to 8 bytes, or null */
void *mote_heap_calloc(mote_heap *heap, size_t bytes);

/** As realloc: null and the old block untouched when there is no room. A grown block's new bytes are not zeroed. */
void *mote_heap_realloc(mote_heap *heap, void *old, size_t bytes);

/** Null is allowed. */
void mote_heap_free(mote_heap *heap, void *block);

#endif
