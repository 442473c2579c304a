/** A layer that a native kernel works on: what of its table, progress and stream has been copied and checked. Internal to the library. */
#ifndef MOTE_LAYER_H
#define MOTE_LAYER_H

#include <string.h>

#include "mote-kernels.h"

/* Made for speed, whatever a project's level. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O2", "no-schedule-insns", "no-tree-reassoc")
#endif

/* A function whose registers are its own, and a part of one. */
#if defined(__GNUC__)
#define NOINLINE __attribute__((noinline))
#define INLINE inline __attribute__((always_inline))
#else
#define NOINLINE
#define INLINE inline
#endif

/*
 * Several elements or weights to one multiplication, where a word may be loaded from any address and multiplications are cheap: Cortex-M3 and above.
 * Elsewhere one at a time.
 */
#ifdef MOTE_KERNEL_LANES
#define HAS_LANES MOTE_KERNEL_LANES
#elif defined(__ARM_ARCH) && __ARM_ARCH >= 7 && defined(__ARM_FEATURE_UNALIGNED) && !defined(__ARM_BIG_ENDIAN)
#define HAS_LANES 1
#else
#define HAS_LANES 0
#endif

/* Keeps the compiler from taking a value apart: it is worth a register. */
#define OPAQUE(value) __asm__("" : "+r"(value))

/* Cortex-M3 and above, but for M23. */
#if defined(__GNUC__) && defined(__ARM_ARCH_ISA_THUMB)
#define HAS_SMLAL (__ARM_ARCH_ISA_THUMB >= 2)
#else
#define HAS_SMLAL 0
#endif

/** Where outputs may be any byte. */
static INLINE uint8_t saturate(int32_t value) {
#if defined(__GNUC__) && defined(__ARM_FEATURE_SAT)
  __asm__("usat %0, #8, %0" : "+r"(value));
#else
  if ((uint32_t)value > 255) value = value < 0 ? 0 : 255;
#endif
  return (uint8_t)value;
}

/** A layer at work: its entry, copied and checked, and the row at hand. */
typedef struct mote_layer {
  const mote *model;
  uint8_t *progress;
  uint32_t input;
  uint32_t input_pitch;
  uint32_t output;
  uint32_t output_pitch;
  uint32_t output_plane;
  uint32_t height;
  uint32_t width;
  uint32_t rows;
  uint32_t row;
  /** Stream offset of the row's head. */
  uint32_t position;
  /** Whether an earlier call was for the same layer. */
  bool is_begun;
  /** Where the row's pairs or chunks begin and end. */
  const uint8_t *body;
  const uint8_t *body_end;
  int64_t constant;
  /** Below 2^31. */
  uint32_t multiplier;
  /** What the upper word of a product is shifted by; below 0 where the lower one is needed too. */
  int32_t upper_shift;
  int32_t clamp_min;
  uint32_t clamp_span;
} mote_layer;

static INLINE uint32_t load_half(const uint8_t *at) { return at[0] | (uint32_t)at[1] << 8; }

static INLINE uint32_t load_word(const uint8_t *at) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  uint32_t word;
  memcpy(&word, at, sizeof word);
  return word;
#else
  return mote_get_u32(at);
#endif
}

static INLINE void put_word(uint8_t *at, uint32_t word) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  memcpy(at, &word, sizeof word);
#else
  for (unsigned i = 0; i < 4; i++) at[i] = (uint8_t)(word >> (8 * i));
#endif
}

/** Copies the entry. @returns whether all outputs are within linear memory and there are rows left */
bool mote_layer_begin(mote_layer *w, const mote *model, uint32_t layer, uint32_t progress);

/** Reads the row's head. @param unit bytes that its count counts @returns whether all of the row is in the stream */
bool mote_layer_begin_row(mote_layer *w, uint32_t unit);

/** What takes sums to outputs, from a head of a row of a kernel that begins with the upper half of the product. */
static inline void mote_layer_read_high_head(mote_layer *w, const uint8_t *head) {
  w->constant = (int64_t)((uint64_t)load_word(head + 4) << 32 | load_word(head));
  w->multiplier = load_word(head + 8);
  w->upper_shift = head[12] & 31;
}

/** Leaves in linear memory how far the layer has come, and words to go on by within the row at hand. */
void mote_layer_end(const mote_layer *w, uint32_t own0, uint32_t own1, uint32_t own2);

/** As mote_layer_begin, but for the outputs. @returns whether numbers are such that products of two pass no 64 bits, and there are rows left */
bool mote_layer_read(mote_layer *w, const mote *model, uint32_t layer, uint32_t progress);

static inline void mote_layer_end_row(mote_layer *w) {
  w->row++;
  w->position += MOTE_ROW_BYTES + (uint32_t)(w->body_end - w->body);
}

/** What mote_layer_end left; 0 at the layer's beginning. */
static inline uint32_t own_word(const mote_layer *w, uint32_t index) {
  return w->is_begun ? load_word(w->progress + MOTE_PROGRESS_OWN + 4 * index) : 0;
}

/** Of a layer whose entry does not say where its rows begin, where the engine mote_data has come to. */
static inline void mote_layer_follow(mote_layer *w) {
  if (!w->is_begun) w->position = load_word(w->progress + MOTE_PROGRESS_OWN + 8);
}

/** The output byte for a sum that was multiplied and added to the constant. */
static inline uint32_t output_byte(const mote_layer *w, uint64_t scaled_bits) {
  int64_t scaled = (int64_t)scaled_bits;
  int32_t value = w->upper_shift >= 0 ? (int32_t)(scaled >> 32) >> w->upper_shift : (int32_t)(scaled >> (w->upper_shift + 32));
  uint32_t above = (uint32_t)value - (uint32_t)w->clamp_min;
  if (above > w->clamp_span) value = value < w->clamp_min ? w->clamp_min : (int32_t)((uint32_t)w->clamp_min + w->clamp_span);
  return (uint32_t)value;
}

static inline uint32_t requantize(const mote_layer *w, int32_t sum) {
  return output_byte(w, (uint64_t)((int64_t)sum * (int32_t)w->multiplier) + (uint64_t)w->constant);
}

/** The same for a sum that is not negative: chunks are biased. */
static inline uint32_t requantize_biased(const mote_layer *w, uint32_t sum) {
#if defined(__ARM_ARCH_6M__)
  /* No product of 64 bits there, and most sums fit 16. */
  if (sum <= 0xffff) {
    uint64_t upper = (uint64_t)(sum * (w->multiplier >> 16)) << 16;
    return output_byte(w, upper + sum * (w->multiplier & 0xffff) + (uint64_t)w->constant);
  }
#endif
  return output_byte(w, (uint64_t)sum * w->multiplier + (uint64_t)w->constant);
}

#endif
