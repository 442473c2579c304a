/** Elements of places, laid out for all of a convolution's filters, and the filters' sums over them. Two ways. Internal to the library. */
#ifndef MOTE_LOT_H
#define MOTE_LOT_H

#include "mote-layer.h"

/** Places whose sums are in registers together: of two filters, and of one. */
enum { QUAD = 4, EIGHT = 8 };

/*
 * Two places share a word, so that a multiplication to 64 bits is that of both, where it is one instruction with the addition. Elsewhere an element
 * is a byte.
 */
#ifdef MOTE_LOT_LANES
#define LOT_HAS_LANES MOTE_LOT_LANES
#else
#define LOT_HAS_LANES HAS_SMLAL
#endif

/* Keeps the compiler from adding what it knows of an address to others, and from loading one word behind the other's use. */
#if defined(__GNUC__)
#define STEP_ON(pointer) __asm__("" : "+r"(pointer))
#define TOGETHER(word0, word1) __asm__("" : "+r"(word0), "+r"(word1))
#else
#define STEP_ON(pointer) (void)(pointer)
#define TOGETHER(word0, word1) (void)(word0)
#endif

#define EIGHT_TIMES(what) what(0) what(1) what(2) what(3) what(4) what(5) what(6) what(7)
#define FOUR_TIMES(what) what(0) what(1) what(2) what(3)

/** What the packer's sums of so many inputs, or weights, begin with: heads of rows are made for that. */
static INLINE uint32_t lot_start(uint32_t inputs) { return (inputs + MOTE_QUAD_STRETCH - 1) / MOTE_QUAD_STRETCH << (MOTE_LANE_BITS - 1); }

#if LOT_HAS_LANES

/** Of a place and an input. */
typedef uint16_t laid_element;

/** Native units of an input of two filters at four places, and of a weight at eight. */
enum { INPUT_WORK = 8, WEIGHT_WORK = 13 };

/** The second place's element is so far above the first one's. */
#define LOT_LANE_BITS 23u
/** So many inputs do not pass a lane, whatever their weights. */
#define LANE_INPUTS 128u

/** 64 bits. */
typedef struct lane_pair {
  uint32_t low;
  uint32_t high;
} lane_pair;

/** Of a piece of so many inputs, or weights: what the packer's sums begin with, so that none is negative. */
static INLINE lane_pair lane_pair_begin(uint32_t inputs) {
  uint32_t start = lot_start(inputs);
  return (lane_pair){start << LOT_LANE_BITS | start, start >> (32 - LOT_LANE_BITS)};
}

static INLINE void add_product(lane_pair *sum, uint32_t elements, int32_t weight) {
#if HAS_SMLAL
  __asm__("smlal %0, %1, %2, %3" : "+r"(sum->low), "+r"(sum->high) : "r"(elements), "r"(weight));
#else
  uint64_t all = ((uint64_t)sum->high << 32 | sum->low) + (uint64_t)((int64_t)elements * weight);
  sum->low = (uint32_t)all;
  sum->high = (uint32_t)(all >> 32);
#endif
}

/** Lays out an input of four places, whose elements are `offset` behind `at`. */
static INLINE void lay_quad(laid_element *target, const uint8_t *const at[QUAD], uint32_t offset) {
  uint32_t *words = (uint32_t *)(void *)target;
  uint32_t word0 = at[0][offset] | (uint32_t)at[1][offset] << LOT_LANE_BITS;
  uint32_t word1 = at[2][offset] | (uint32_t)at[3][offset] << LOT_LANE_BITS;
  words[0] = word0;
  words[1] = word1;
}

static INLINE void split(lane_pair from, uint32_t *sums) {
  sums[0] = from.low & ((1u << LOT_LANE_BITS) - 1);
  sums[1] = from.low >> LOT_LANE_BITS | from.high << (32 - LOT_LANE_BITS);
}

/** Up to LANE_INPUTS of sum_quads. */
static NOINLINE void sum_quads_piece(const uint32_t *words, const int8_t *weight, const int8_t *end, uint32_t sums[2 * QUAD]) {
  lane_pair sum0 = lane_pair_begin((uint32_t)(end - weight) / 2);
  lane_pair sum1 = sum0, sum2 = sum0, sum3 = sum0;
  do {
    uint32_t word0, word1;
    int32_t factor;
#define INPUT(i)                      \
  word0 = words[2 * i];               \
  word1 = words[2 * i + 1];           \
  factor = weight[2 * i];             \
  add_product(&sum0, word0, factor);  \
  add_product(&sum1, word1, factor);  \
  factor = weight[2 * i + 1];         \
  add_product(&sum2, word0, factor);  \
  add_product(&sum3, word1, factor);
    EIGHT_TIMES(INPUT)
#undef INPUT
    words += 16;
    weight += 16;
    STEP_ON(words);
    STEP_ON(weight);
  } while (weight < end);
  split(sum0, sums);
  split(sum1, sums + 2);
  split(sum2, sums + 4);
  split(sum3, sums + 6);
}

static INLINE void add_sums(uint32_t sums[8], const uint32_t more[8]) {
  for (unsigned i = 0; i < 8; i++) sums[i] += more[i];
}

/** Adds up two filters at four places. @param weights of each input one of each filter @param sums of the first filter, then of the other */
static INLINE void sum_quads(const laid_element *laid, const uint8_t *weights, uint32_t inputs, uint32_t sums[2 * QUAD]) {
  const uint32_t *words = (const uint32_t *)(const void *)laid;
  const int8_t *weight = (const int8_t *)weights;
  if (inputs <= LANE_INPUTS) {
    sum_quads_piece(words, weight, weight + 2 * inputs, sums);
    return;
  }
  sum_quads_piece(words, weight, weight + 2 * LANE_INPUTS, sums);
  do {
    uint32_t more[2 * QUAD];
    inputs -= LANE_INPUTS;
    words += 2 * LANE_INPUTS;
    weight += 2 * LANE_INPUTS;
    sum_quads_piece(words, weight, weight + 2 * (inputs < LANE_INPUTS ? inputs : LANE_INPUTS), more);
    add_sums(sums, more);
  } while (inputs > LANE_INPUTS);
}

/** Up to LANE_INPUTS pairs of sum_gaps. @returns where the latest pair's elements are */
static INLINE const uint32_t *sum_gaps_piece(const uint32_t *words, const uint8_t *pair, const uint8_t *end, uint32_t *sums, unsigned places) {
  lane_pair sum0 = lane_pair_begin((uint32_t)(end - pair) / 2);
  lane_pair sum1 = sum0, sum2 = sum0, sum3 = sum0;
  do {
    int32_t factor;
    uint32_t word0, word1;
#define PAIR(i)                        \
  words += places / 2 * pair[2 * i];   \
  STEP_ON(words);                      \
  factor = (int8_t)pair[2 * i + 1];    \
  word0 = words[0];                    \
  word1 = words[1];                    \
  TOGETHER(word0, word1);              \
  add_product(&sum0, word0, factor);   \
  add_product(&sum1, word1, factor);   \
  if (places == EIGHT) {               \
    word0 = words[2];                  \
    word1 = words[3];                  \
    TOGETHER(word0, word1);            \
    add_product(&sum2, word0, factor); \
    add_product(&sum3, word1, factor); \
  }
    FOUR_TIMES(PAIR)
#undef PAIR
    pair += 8;
    STEP_ON(pair);
  } while (pair < end);
  split(sum0, sums);
  split(sum1, sums + 2);
  if (places == EIGHT) {
    split(sum2, sums + 4);
    split(sum3, sums + 6);
  }
  return words;
}

static NOINLINE const uint32_t *sum_gaps_of_eight(const uint32_t *words, const uint8_t *pair, const uint8_t *end, uint32_t *sums) {
  return sum_gaps_piece(words, pair, end, sums, EIGHT);
}

static NOINLINE const uint32_t *sum_gaps_of_four(const uint32_t *words, const uint8_t *pair, const uint8_t *end, uint32_t *sums) {
  return sum_gaps_piece(words, pair, end, sums, QUAD);
}

static INLINE const uint32_t *sum_gaps_of(const uint32_t *words, const uint8_t *pair, const uint8_t *end, uint32_t *sums, bool is_eight) {
  return is_eight ? sum_gaps_of_eight(words, pair, end, sums) : sum_gaps_of_four(words, pair, end, sums);
}

/** Adds up a filter's weights that are left, each behind its gap, at eight places or at four. */
static INLINE void sum_gaps(const laid_element *laid, const uint8_t *pairs, uint32_t count, uint32_t sums[EIGHT], bool is_eight) {
  const uint32_t *words = (const uint32_t *)(const void *)laid;
  if (count <= LANE_INPUTS) {
    (void)sum_gaps_of(words, pairs, pairs + 2 * count, sums, is_eight);
    return;
  }
  words = sum_gaps_of(words, pairs, pairs + 2 * LANE_INPUTS, sums, is_eight);
  do {
    uint32_t more[EIGHT] = {0};
    count -= LANE_INPUTS;
    pairs += 2 * LANE_INPUTS;
    words = sum_gaps_of(words, pairs, pairs + 2 * (count < LANE_INPUTS ? count : LANE_INPUTS), more, is_eight);
    add_sums(sums, more);
  } while (count > LANE_INPUTS);
}

/** Of so few that 16 bits take them, in each half of a word. */
static INLINE uint32_t sum_of_gaps_piece(const uint8_t *pair, const uint8_t *end) {
  uint32_t both = 0;
  do {
    both += load_word(pair) & 0x00ff00ffu;
    both += load_word(pair + 4) & 0x00ff00ffu;
    pair += 8;
  } while (pair < end);
  return (both & 0xffff) + (both >> 16);
}

#else

typedef uint8_t laid_element;

enum { INPUT_WORK = 23, WEIGHT_WORK = 30 };

static INLINE void lay_quad(laid_element *target, const uint8_t *const at[QUAD], uint32_t offset) {
  for (unsigned i = 0; i < QUAD; i++) target[i] = at[i][offset];
}

/** Adds up two filters at four places. @param weights of each input one of each filter @param sums of the first filter, then of the other */
static NOINLINE void sum_quads(const laid_element *laid, const uint8_t *weights, uint32_t inputs, uint32_t sums[2 * QUAD]) {
  uint32_t a0 = lot_start(inputs);
  uint32_t a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  const uint8_t *end = weights + 2 * inputs;
  do {
    uint32_t a, b, element;
#define INPUT(i)                                    \
  a = (uint32_t)(int32_t)(int8_t)weights[2 * i];     \
  b = (uint32_t)(int32_t)(int8_t)weights[2 * i + 1]; \
  element = laid[4 * i];                            \
  a0 += element * a;                                \
  b0 += element * b;                                \
  element = laid[4 * i + 1];                        \
  a1 += element * a;                                \
  b1 += element * b;                                \
  element = laid[4 * i + 2];                        \
  a2 += element * a;                                \
  b2 += element * b;                                \
  element = laid[4 * i + 3];                        \
  a3 += element * a;                                \
  b3 += element * b;
    EIGHT_TIMES(INPUT)
#undef INPUT
    laid += 32;
    weights += 16;
    STEP_ON(laid);
    STEP_ON(weights);
  } while (weights < end);
  sums[0] = a0;
  sums[1] = a1;
  sums[2] = a2;
  sums[3] = a3;
  sums[4] = b0;
  sums[5] = b1;
  sums[6] = b2;
  sums[7] = b3;
}

static INLINE void sum_gaps_at(const laid_element *laid, const uint8_t *pair, const uint8_t *end, uint32_t *sums, unsigned places) {
  uint32_t sum[EIGHT];
  for (unsigned place = 0; place < places; place++) sum[place] = lot_start((uint32_t)(end - pair) / 2);
  do {
    for (unsigned i = 0; i < 8; i += 2) {
      laid += places * pair[i];
      uint32_t weight = (uint32_t)(int32_t)(int8_t)pair[i + 1];
      for (unsigned place = 0; place < places; place++) sum[place] += laid[place] * weight;
    }
    pair += 8;
  } while (pair < end);
  for (unsigned place = 0; place < places; place++) sums[place] = sum[place];
}

static NOINLINE void sum_gaps_of_eight(const laid_element *laid, const uint8_t *pair, const uint8_t *end, uint32_t *sums) {
  sum_gaps_at(laid, pair, end, sums, EIGHT);
}

static NOINLINE void sum_gaps_of_four(const laid_element *laid, const uint8_t *pair, const uint8_t *end, uint32_t *sums) {
  sum_gaps_at(laid, pair, end, sums, QUAD);
}

static INLINE void sum_gaps(const laid_element *laid, const uint8_t *pairs, uint32_t count, uint32_t sums[EIGHT], bool is_eight) {
  if (is_eight) {
    sum_gaps_of_eight(laid, pairs, pairs + 2 * count, sums);
  } else {
    sum_gaps_of_four(laid, pairs, pairs + 2 * count, sums);
  }
}

#endif

/** Of pairs, a multiple of 4. */
static INLINE uint32_t sum_of_gaps(const uint8_t *pair, const uint8_t *end) {
  uint32_t sum = 0;
#if LOT_HAS_LANES
  while (end - pair > 1024) {
    sum += sum_of_gaps_piece(pair, pair + 1024);
    pair += 1024;
  }
  return sum + sum_of_gaps_piece(pair, end);
#else
  do {
    sum += (uint32_t)pair[0] + pair[2] + pair[4] + pair[6];
    pair += 8;
  } while (pair < end);
  return sum;
#endif
}

#endif
