/** A layer for native kernels to work on, for kernels-test. */
#ifndef STAGE_H
#define STAGE_H

#include "check.h"
#include "mote-kernels.h"

enum { LAYER = 64, PROGRESS = LAYER + MOTE_LAYER_ENTRY_BYTES, ARENA = PROGRESS + 24 };
enum { TILES, BLOCKS, DENSE, QUADS, GAPS, KERNELS };

/** A layer in memory of its own: `linear` and `container` are blocks of exactly their bytes. */
typedef struct stage {
  mote model;
  uint8_t *stream;
  uint32_t stream_bytes;
  uint32_t kernel;
  uint32_t pool;
  /** The last element is so far behind the last place. */
  uint32_t most_offset;
} stage;

static uint32_t below(uint32_t limit) { return random_u32() % limit; }

static void put_u32(uint8_t *at, uint32_t value) {
  for (unsigned i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static void set_word(stage *s, uint32_t word, uint32_t value) { put_u32(s->model.linear + LAYER + word, value); }
static uint32_t get_word(const stage *s, uint32_t word) { return u32_at(s->model.linear + LAYER + word); }
static uint32_t get_progress(const stage *s, uint32_t word) { return u32_at(s->model.linear + PROGRESS + word); }

static void append(stage *s, const void *data, uint32_t length) {
  s->stream = realloc(s->stream, s->stream_bytes + length);
  memcpy(s->stream + s->stream_bytes, data, length);
  s->stream_bytes += length;
}

static void append_u32(stage *s, uint32_t value) {
  uint8_t word[4];
  put_u32(word, value);
  append(s, word, 4);
}

/** @param count of pairs, or bytes of chunks */
static void append_head(stage *s, uint32_t count) {
  static const uint32_t multipliers[] = {1u << 30, 1518500250, 1, 0, INT32_MAX};
  uint32_t shift = below(4) == 0 ? below(32) : 30 + below(14);
  append_u32(s, below(3) == 0 ? random_u32() : 0x80000000u);
  append_u32(s, below(3) == 0 ? (uint32_t)-(int32_t)below(1u << 20) : below(1u << 12));
  append_u32(s, multipliers[below(5)]);
  append_u32(s, count << 8 | shift);
}

static void strike(stage *s) {
  free(s->model.linear);
  free(s->stream);
  free(s);
}

#endif
