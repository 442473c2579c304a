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

/** Ends the stream anywhere, in a block of its own length. */
static inline void cut_stream(stage *s) {
  s->stream_bytes = below(s->stream_bytes + 1);
  s->stream = realloc(s->stream, s->stream_bytes == 0 ? 1 : s->stream_bytes);
  s->model.source.container = s->stream;
  s->model.source.container_bytes = s->stream_bytes;
}

static inline void make_wild(uint8_t *word) { put_u32(word, wild(u32_at(word))); }

static inline void change_wildly(stage *s) {
  if (below(4) == 0) {
    cut_stream(s);
  } else if (below(3) == 0 && s->stream_bytes > 0) {
    s->stream[below(s->stream_bytes)] = (uint8_t)random_u32();
  } else if (below(8) == 0) {
    make_wild(s->model.linear + (below(2) == 0 ? MOTE_CONTROL_WINDOW_PTR : MOTE_CONTROL_WINDOW_BYTES));
  } else if (below(3) == 0) {
    make_wild(s->model.linear + PROGRESS + 4 * below(MOTE_PROGRESS_BYTES / 4));
  } else {
    make_wild(s->model.linear + LAYER + 4 * below(MOTE_LAYER_ENTRY_BYTES / 4));
  }
}

/**
 * Anything may be wrong, now and then in the middle of a layer: nothing outside linear memory and stream is touched, and a call ends. Strikes the stage.
 * @returns whether the layer was refused
 */
static inline bool run_wild(stage *s, mote_kernel_function run) {
  for (uint32_t slices = below(3); slices > 0; slices--) (void)run(&s->model, LAYER, PROGRESS, 1);
  for (uint32_t changes = 1 + below(3); changes > 0; changes--) change_wildly(s);
  uint32_t layer = below(20) == 0 ? wild(LAYER) : LAYER;
  uint32_t progress = below(20) == 0 ? wild(PROGRESS) : PROGRESS;
  bool is_refused = run(&s->model, layer, progress, 2000) == MOTE_KERNEL_TRAP;
  for (int slice = 0; slice < 2; slice++) (void)run(&s->model, layer, progress, 2000);
  strike(s);
  return is_refused;
}

#endif
