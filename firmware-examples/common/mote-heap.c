#include "mote-heap.h"

#include <string.h>

#define HEADER 4u
#define ALIGN 8u
#define IN_USE 1u

static uint32_t get_header(const mote_heap *heap, size_t at) {
  uint32_t header;
  memcpy(&header, heap->base + at, HEADER);
  return header;
}

static void set_header(const mote_heap *heap, size_t at, uint32_t header) { memcpy(heap->base + at, &header, HEADER); }

static uint32_t size_of(uint32_t header) { return header & ~(ALIGN - 1u); }

uint32_t mote_heap_bytes(size_t payload) {
  if (payload > UINT32_MAX - HEADER - ALIGN) return 0;
  uint32_t size = ((uint32_t)payload + HEADER + ALIGN - 1u) & ~(ALIGN - 1u);
  return size;
}

void mote_heap_init(mote_heap *heap, void *memory, size_t bytes) {
  size_t skip = (ALIGN - HEADER - (uintptr_t)memory % ALIGN + ALIGN) % ALIGN;
  heap->base = (uint8_t *)memory + (skip < bytes ? skip : 0);
  heap->limit = skip < bytes ? bytes - skip : 0;
  /* Headers count in 32 bits. */
  if (heap->limit > UINT32_MAX) heap->limit = UINT32_MAX;
  heap->top = 0;
  heap->peak = 0;
}

/** Merges free neighbours, gives the last free block back to the unused end. */
static void tidy(mote_heap *heap) {
  size_t at = 0;
  while (at < heap->top) {
    uint32_t header = get_header(heap, at);
    size_t next = at + size_of(header);
    if ((header & IN_USE) == 0) {
      if (next == heap->top) {
        heap->top = at;
        return;
      }
      uint32_t behind = get_header(heap, next);
      if ((behind & IN_USE) == 0) {
        set_header(heap, at, size_of(header) + size_of(behind));
        continue;
      }
    }
    at = next;
  }
}

/** Marks the first `size` bytes of a block as in use; a rest of any size becomes a free block. */
static void take(const mote_heap *heap, size_t at, uint32_t whole, uint32_t size) {
  set_header(heap, at, size | IN_USE);
  if (whole > size) set_header(heap, at + size, whole - size);
}

/** Moves the unused end. @returns whether there was room */
static bool extend(mote_heap *heap, size_t top) {
  if (top > heap->limit) return false;
  heap->top = top;
  if (top > heap->peak) heap->peak = top;
  return true;
}

void *mote_heap_calloc(mote_heap *heap, size_t bytes) {
  uint32_t size = mote_heap_bytes(bytes);
  size_t at = 0;
  while (at < heap->top) {
    uint32_t header = get_header(heap, at);
    if ((header & IN_USE) == 0 && size != 0 && size_of(header) >= size) break;
    at += size_of(header);
  }
  if (at < heap->top) {
    take(heap, at, size_of(get_header(heap, at)), size);
  } else {
    if (size == 0 || size > heap->limit || !extend(heap, at + size)) return NULL;
    set_header(heap, at, size | IN_USE);
  }
  return memset(heap->base + at + HEADER, 0, size - HEADER);
}

void mote_heap_free(mote_heap *heap, void *block) {
  if (block == NULL) return;
  size_t at = (size_t)((uint8_t *)block - heap->base) - HEADER;
  set_header(heap, at, size_of(get_header(heap, at)));
  tidy(heap);
}

void *mote_heap_realloc(mote_heap *heap, void *old, size_t bytes) {
  if (old == NULL) return mote_heap_calloc(heap, bytes);
  size_t at = (size_t)((uint8_t *)old - heap->base) - HEADER;
  uint32_t before = size_of(get_header(heap, at));
  uint32_t size = mote_heap_bytes(bytes);
  if (size == 0) return NULL;
  uint32_t room = before;
  if (at + before == heap->top) {
    if (size <= before || (size <= heap->limit && extend(heap, at + size))) {
      set_header(heap, at, size | IN_USE);
      heap->top = at + size;
      return old;
    }
    return NULL;
  }
  uint32_t behind = get_header(heap, at + before);
  if ((behind & IN_USE) == 0) room += size_of(behind);
  if (size <= room) {
    take(heap, at, room, size);
    tidy(heap);
    return old;
  }
  void *fresh = mote_heap_calloc(heap, bytes);
  if (fresh == NULL) return NULL;
  memcpy(fresh, old, before - HEADER);
  mote_heap_free(heap, old);
  return fresh;
}
