/**
 * A layer for native kernels to work on. A program defines before it includes this what its stages have besides, STAGE_FIELDS, and, where its kernels
 * keep sums in the static data, where the layer's entry stands, STAGE_LAYER.
 */
#ifndef STAGE_H
#define STAGE_H

#include "check.h"
#include "mote-kernels.h"

#ifndef STAGE_LAYER
#define STAGE_LAYER MOTE_CONTROL_BLOCK_BYTES
#endif
enum { LAYER = STAGE_LAYER, PROGRESS = LAYER + MOTE_LAYER_ENTRY_BYTES, ARENA = PROGRESS + 24 };

/** A layer in memory of its own: `linear` and `container` are blocks of exactly their bytes. */
typedef struct stage {
  mote model;
  uint8_t *stream;
  uint32_t stream_bytes;
  STAGE_FIELDS
} stage;

static inline uint32_t below(uint32_t limit) { return random_u32() % limit; }

static inline void put_u32(uint8_t *at, uint32_t value) {
  for (unsigned i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static inline void set_word(stage *s, uint32_t word, uint32_t value) { put_u32(s->model.linear + LAYER + word, value); }
static inline uint32_t get_word(const stage *s, uint32_t word) { return u32_at(s->model.linear + LAYER + word); }
static inline uint32_t get_progress(const stage *s, uint32_t word) { return u32_at(s->model.linear + PROGRESS + word); }

static inline void append(stage *s, const void *data, uint32_t length) {
  s->stream = realloc(s->stream, s->stream_bytes + length);
  memcpy(s->stream + s->stream_bytes, data, length);
  s->stream_bytes += length;
}

static inline void append_u32(stage *s, uint32_t value) {
  uint8_t word[4];
  put_u32(word, value);
  append(s, word, 4);
}

/** What a word may be instead, near what it was or far. */
static inline uint32_t wild(uint32_t around) {
  static const uint32_t values[] = {0, 1, 2, 7, 8, 255, 0xffff, 1u << 28, (1u << 28) - 1, 1u << 31, 0xfffffff0, 0xffffffff};
  return below(3) == 0 ? values[below(12)] : below(2) == 0 ? around + below(9) - 4 : random_u32() >> below(32);
}

static inline void strike(stage *s) {
  free(s->model.linear);
  free(s->stream);
  free(s);
}

#endif
