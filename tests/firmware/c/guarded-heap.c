/**
 * In place of mote-heap.c: each block is one of malloc's, whose ends AddressSanitizer guards, so that wasm3 does not get away with writing from
 * one of its blocks into another. One model at a time; its blocks are freed when the next heap begins. A block may be refused: see fault.h.
 */
#include "fault.h"
#include "mote-heap.h"

#include <stdlib.h>
#include <string.h>

#define MOST_BLOCKS 4096

typedef struct guarded_block {
  void *data;
  size_t bytes;
} guarded_block;

static guarded_block blocks[MOST_BLOCKS];

fault allocations;

static guarded_block *find(const void *data) {
  for (int i = 0; i < MOST_BLOCKS; i++) {
    if (blocks[i].data == data) return &blocks[i];
  }
  return NULL;
}

/** As mote-heap.c has it, for what an engine asks of a heap beforehand. */
uint32_t mote_heap_bytes(size_t payload) { return payload > UINT32_MAX - 15u ? 0 : ((uint32_t)payload + 4u + 7u) & ~7u; }

void mote_heap_init(mote_heap *heap, void *memory, size_t bytes) {
  for (int i = 0; i < MOST_BLOCKS; i++) free(blocks[i].data);
  memset(blocks, 0, sizeof blocks);
  *heap = (mote_heap){memory, bytes, 0, 0};
}

void *mote_heap_calloc(mote_heap *heap, size_t bytes) {
  guarded_block *block = find(NULL);
  if (fails(&allocations)) return NULL;
  if (block == NULL || bytes > heap->limit || heap->top > heap->limit - bytes) return NULL;
  heap->top += bytes;
  if (heap->top > heap->peak) heap->peak = heap->top;
  *block = (guarded_block){calloc(1, bytes == 0 ? 1 : bytes), bytes};
  return block->data;
}

void mote_heap_free(mote_heap *heap, void *data) {
  if (data == NULL) return;
  guarded_block *block = find(data);
  heap->top -= block->bytes;
  free(data);
  *block = (guarded_block){NULL, 0};
}

void *mote_heap_realloc(mote_heap *heap, void *old, size_t bytes) {
  void *fresh = mote_heap_calloc(heap, bytes);
  if (fresh == NULL || old == NULL) return fresh;
  size_t before = find(old)->bytes;
  memcpy(fresh, old, before < bytes ? before : bytes);
  mote_heap_free(heap, old);
  return fresh;
}
