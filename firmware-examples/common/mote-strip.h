/** Sums of a strip of a convolution: 2 × 8 places at once. Two ways to get them. Internal to the library. */
#ifndef MOTE_STRIP_H
#define MOTE_STRIP_H

#include "mote-layer.h"

/** Places of a strip: so many of each of two lines. */
enum { STRIP_WIDTH = 8, STRIP_PLACES = 2 * STRIP_WIDTH };

static INLINE uint32_t most_of(uint32_t a, uint32_t b) { return a > b ? a : b; }

/** A chunk of a row. */
typedef struct chunk {
  uint32_t bias;
  const uint8_t *records;
  const uint8_t *end;
} chunk;

static INLINE chunk chunk_at(const uint8_t *at) {
  const uint8_t *records = at + MOTE_CHUNK_HEAD_BYTES;
  uint32_t count = at[0] | (uint32_t)at[1] << 8;
  return (chunk){at[2] | (uint32_t)at[3] << 8, records, records + MOTE_RECORD_BYTES * count};
}

#if HAS_LANES

/** One in each of two lanes of 16 bits. */
#define BOTH_LANES 0x00010001u

/** The bytes 1 and 3 of a word, a lane each. @param mask 00FF00FF */
static inline uint32_t odd_bytes(uint32_t word, uint32_t mask) {
#if defined(__ARM_FEATURE_SIMD32)
  uint32_t odd;
  __asm__("uxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(word));
  (void)mask;
  return odd;
#else
  return word >> 8 & mask;
#endif
}

/** Sums of a strip: of four neighbouring places each, the elements 0 and 2, then 1 and 3. */
typedef struct lanes {
  uint32_t even[4];
  uint32_t odd[4];
} lanes;

/**
 * Sums up weight × element over a chunk's records, beginning with its bias. `all` is the sum of the words as they stand, which is that of elements
 * 0 and 2 plus 2^8 times that of the others, modulo 2^32; what overflows on the way comes back.
 */
static INLINE lanes sum_lanes(const chunk *c, const uint8_t *elements, uint32_t pitch) {
  uint32_t odd0 = c->bias * BOTH_LANES;
  uint32_t odd1 = odd0, odd2 = odd0, odd3 = odd0;
  uint32_t all0 = odd0 + (odd0 << 8);
  uint32_t all1 = all0, all2 = all0, all3 = all0;
  uint32_t mask = 0x00ff00ffu;
  OPAQUE(mask);
  const uint8_t *record = c->records;
  const uint8_t *last = c->end;
  OPAQUE(elements);
  do {
    uint32_t bits = load_word(record);
    uint32_t weight = (uint32_t)(int32_t)(int8_t)bits;
    const uint8_t *at = elements + (bits >> 8);
    OPAQUE(at);
    uint32_t word = load_word(at);
    all0 += word * weight;
    odd0 += odd_bytes(word, mask) * weight;
    word = load_word(at + 4);
    all1 += word * weight;
    odd1 += odd_bytes(word, mask) * weight;
    at += pitch;
    OPAQUE(at);
    word = load_word(at);
    all2 += word * weight;
    odd2 += odd_bytes(word, mask) * weight;
    word = load_word(at + 4);
    all3 += word * weight;
    odd3 += odd_bytes(word, mask) * weight;
    record += MOTE_RECORD_BYTES;
  } while (record < last);
  return (lanes){{all0 - (odd0 << 8), all1 - (odd1 << 8), all2 - (odd2 << 8), all3 - (odd3 << 8)}, {odd0, odd1, odd2, odd3}};
}

#if defined(__ARM_FEATURE_SIMD32)
#include <arm_acle.h>

/** The larger in each lane. */
static inline uint32_t larger(uint32_t a, uint32_t b) {
  (void)__usub16(a, b);
  return __sel(a, b);
}
#else
/** The larger in each lane of two that are less than 2^15 apart. */
static inline uint32_t larger(uint32_t a, uint32_t b) {
  uint32_t raised = a - b + 0x80008000u;
  return b + (raised & ((raised & 0x80008000u) >> 15) * 0x7fff);
}
#endif

/** Adds a chunk's sums to those of the row's others. */
static INLINE void add_strip(const chunk *c, const uint8_t *elements, uint32_t pitch, uint32_t sums[STRIP_PLACES]) {
  lanes l = sum_lanes(c, elements, pitch);
  for (unsigned i = 0; i < 4; i++) {
    sums[4 * i] += l.even[i] & 0xffff;
    sums[4 * i + 1] += l.odd[i] & 0xffff;
    sums[4 * i + 2] += l.even[i] >> 16;
    sums[4 * i + 3] += l.odd[i] >> 16;
  }
}

/** The largest of each pool's four sums, of a strip of tiles: sums of one chunk that are close to each other. */
static INLINE void pool_strip(const chunk *c, const uint8_t *elements, uint32_t pitch, uint32_t sums[STRIP_WIDTH / 2]) {
  lanes l = sum_lanes(c, elements, pitch);
  uint32_t left = larger(larger(l.even[0], l.odd[0]), larger(l.even[2], l.odd[2]));
  uint32_t right = larger(larger(l.even[1], l.odd[1]), larger(l.even[3], l.odd[3]));
  sums[0] = left & 0xffff;
  sums[1] = left >> 16;
  sums[2] = right & 0xffff;
  sums[3] = right >> 16;
}

#else

/** Sums of a line's eight places. */
typedef struct places {
  uint32_t sum[STRIP_WIDTH];
} places;

/** A record. @param is_aligned whether it is at a multiple of its length, as all are where the stream begins at one */
static INLINE uint32_t load_record(const uint8_t *record, bool is_aligned) {
#if defined(__GNUC__)
  if (is_aligned) return load_word(__builtin_assume_aligned(record, MOTE_RECORD_BYTES));
#else
  (void)is_aligned;
#endif
  return load_word(record);
}

/** Sums up weight × element over a chunk's records, beginning with its bias. */
static INLINE places sum_line(const chunk *c, const uint8_t *elements, bool is_aligned) {
  uint32_t sum0 = c->bias, sum1 = sum0, sum2 = sum0, sum3 = sum0, sum4 = sum0, sum5 = sum0, sum6 = sum0, sum7 = sum0;
  const uint8_t *record = c->records;
  const uint8_t *last = c->end;
  do {
    uint32_t bits = load_record(record, is_aligned);
    uint32_t weight = (uint32_t)(int8_t)bits;
    const uint8_t *at = elements + (bits >> 8);
    sum0 += at[0] * weight;
    sum1 += at[1] * weight;
    sum2 += at[2] * weight;
    sum3 += at[3] * weight;
    sum4 += at[4] * weight;
    sum5 += at[5] * weight;
    sum6 += at[6] * weight;
    sum7 += at[7] * weight;
    record += MOTE_RECORD_BYTES;
  } while (record < last);
  return (places){{sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7}};
}

static INLINE bool has_aligned_records(const chunk *c) { return (uintptr_t)c->records % MOTE_RECORD_BYTES == 0; }

/** Adds a chunk's sums to those of the row's others. */
static INLINE void add_strip(const chunk *c, const uint8_t *elements, uint32_t pitch, uint32_t sums[STRIP_PLACES]) {
  bool is_aligned = has_aligned_records(c);
  for (unsigned line = 0; line < 2; line++, elements += pitch, sums += STRIP_WIDTH) {
    places p = is_aligned ? sum_line(c, elements, true) : sum_line(c, elements, false);
    for (unsigned i = 0; i < STRIP_WIDTH; i++) sums[i] += p.sum[i];
  }
}

static INLINE void pool_lines(const chunk *c, const uint8_t *elements, uint32_t pitch, uint32_t sums[STRIP_WIDTH / 2], bool is_aligned) {
  places p = sum_line(c, elements, is_aligned);
  uint32_t most0 = most_of(p.sum[0], p.sum[1]);
  uint32_t most1 = most_of(p.sum[2], p.sum[3]);
  uint32_t most2 = most_of(p.sum[4], p.sum[5]);
  uint32_t most3 = most_of(p.sum[6], p.sum[7]);
  p = sum_line(c, elements + pitch, is_aligned);
  sums[0] = most_of(most0, most_of(p.sum[0], p.sum[1]));
  sums[1] = most_of(most1, most_of(p.sum[2], p.sum[3]));
  sums[2] = most_of(most2, most_of(p.sum[4], p.sum[5]));
  sums[3] = most_of(most3, most_of(p.sum[6], p.sum[7]));
}

/** The largest of each pool's four sums, of a strip of tiles, which have one chunk. */
static INLINE void pool_strip(const chunk *c, const uint8_t *elements, uint32_t pitch, uint32_t sums[STRIP_WIDTH / 2]) {
  if (has_aligned_records(c)) {
    pool_lines(c, elements, pitch, sums, true);
  } else {
    pool_lines(c, elements, pitch, sums, false);
  }
}

#endif

#endif
