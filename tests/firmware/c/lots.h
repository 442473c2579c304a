/** Layers by lots of places, for kernels-test: as a packer writes them, and what plain loops make of them. */
#ifndef LOTS_H
#define LOTS_H

enum { TILES, BLOCKS, DENSE, QUADS, GAPS, KERNELS };

#define STAGE_FIELDS                                                   \
  uint32_t kernel;                                                     \
  uint32_t pool;                                                       \
  /** The last element is so far behind the last place. */             \
  uint32_t most_offset;
#include "stage.h"

/** @param count of pairs, or bytes of chunks */
static void append_head(stage *s, uint32_t count) {
  static const uint32_t multipliers[] = {1u << 30, 1518500250, 1, 0, INT32_MAX};
  uint32_t shift = below(4) == 0 ? below(32) : 30 + below(14);
  append_u32(s, below(3) == 0 ? random_u32() : 0x80000000u);
  append_u32(s, below(3) == 0 ? (uint32_t)-(int32_t)below(1u << 20) : below(1u << 12));
  append_u32(s, multipliers[below(5)]);
  append_u32(s, count << 8 | shift);
}

/** Elements and weights at their ends, whose sums are the largest. */
static void make_extreme(stage *s, uint32_t from) {
  memset(s->model.linear + from, below(2) == 0 ? 255 : 0, s->model.linear_bytes - from);
}

static uint8_t lot_weight(bool is_extreme) { return is_extreme ? (below(8) == 0 ? 127 : 128) : (uint8_t)random_u32(); }

/** Two rows of inputs, or the last one and nothing beside it. */
static void append_pair(stage *s, uint32_t inputs, uint32_t filled, bool is_single, bool is_extreme) {
  static const uint8_t nothing[MOTE_ROW_BYTES];
  append_head(s, 0);
  if (is_single) {
    append(s, nothing, MOTE_ROW_BYTES);
  } else {
    append_head(s, 0);
  }
  for (uint32_t i = 0; i < filled; i++) {
    uint8_t both[2] = {0, 0};
    if (i < inputs) both[0] = lot_weight(is_extreme);
    if (i < inputs && !is_single) both[1] = lot_weight(is_extreme);
    append(s, both, 2);
  }
}

static void append_gaps(stage *s, uint32_t inputs, bool is_extreme) {
  uint32_t pairs = MOTE_PAIRS_AT_ONCE * (1 + below((inputs + 3) / 4));
  uint32_t left = inputs - 1;
  append_head(s, pairs);
  for (uint32_t i = 0; i < pairs; i++) {
    uint32_t most = left < 255 ? left : 255;
    uint32_t gap = below(3) == 0 ? 0 : most > 3 && below(8) > 0 ? below(4) : below(most + 1);
    left -= gap;
    uint8_t pair[2] = {(uint8_t)gap, lot_weight(is_extreme)};
    append(s, pair, 2);
  }
}

/** A layer by lots. Scratch, input or output may end where linear memory does; an input of 1 × 1 may be the output. */
static stage *set_lots(uint32_t kernel) {
  stage *s = calloc(1, sizeof(stage));
  s->kernel = kernel;
  bool is_extreme = below(6) == 0;
  bool is_long = below(8) == 0;
  bool is_in_place = below(4) == 0;
  uint32_t rows = 1 + below(5);
  uint32_t width = 1 + below(11);
  uint32_t height = 1 + below(6);
  uint32_t pitch = width + (below(2) == 0 ? 0 : below(4));
  uint32_t plane = pitch * height + below(3);
  uint32_t count[3] = {is_long ? 1 + below(MOTE_QUAD_INPUTS) : 1 + below(12), 1, 1};
  uint32_t step[3] = {is_in_place ? plane : 1 + below(is_long ? 4 : 20), below(20), below(20)};
  if (!is_long && !is_in_place) count[1] = 1 + below(4);
  if (!is_long && !is_in_place) count[2] = 1 + below(4);
  uint32_t across = is_in_place ? 1 : below(4);
  uint32_t down = is_in_place ? pitch : below(30);
  uint32_t inputs = count[0] * count[1] * count[2];
  uint32_t filled = (inputs + MOTE_QUAD_TURN - 1) / MOTE_QUAD_TURN * MOTE_QUAD_TURN;
  uint32_t span = 1 + down * (height - 1) + across * (width - 1);
  for (unsigned i = 0; i < 3; i++) span += step[i] * (count[i] - 1);
  uint32_t output_bytes = plane * (rows - 1) + pitch * (height - 1) + width;
  uint32_t lot = 1 + below(is_long ? 2 : 12);
  uint32_t scratch_bytes = lot * (MOTE_QUAD_HEAD_BYTES + MOTE_QUAD_INPUT_BYTES * filled);
  uint32_t own_bytes = is_in_place ? (span > output_bytes ? span : output_bytes) : span + output_bytes;
  bool is_scratch_last = below(2) == 0;
  bool is_input_last = below(2) == 0;
  uint32_t window_bytes = 4 * below(10);
  uint32_t arena = ARENA + window_bytes + (is_scratch_last ? 0 : scratch_bytes);
  uint32_t scratch = is_scratch_last ? (arena + own_bytes + 3) / 4 * 4 : ARENA + window_bytes;
  uint32_t input = arena + (is_in_place || !is_input_last ? 0 : output_bytes);
  uint32_t output = arena + (is_in_place || is_input_last ? 0 : span);
  s->model.linear_bytes = is_scratch_last ? scratch + scratch_bytes : arena + own_bytes;
  s->model.linear = malloc(s->model.linear_bytes);
  for (uint32_t i = 0; i < s->model.linear_bytes; i++) s->model.linear[i] = (uint8_t)(below(4) == 0 ? below(2) * 255 : random_u32());
  if (is_extreme) make_extreme(s, ARENA);
  memset(s->model.linear + PROGRESS, 0, MOTE_PROGRESS_OWN);
  put_u32(s->model.linear + MOTE_CONTROL_WINDOW_PTR, scratch - window_bytes);
  put_u32(s->model.linear + MOTE_CONTROL_WINDOW_BYTES, window_bytes);
  bool is_full_range = below(2) == 0;
  uint32_t clamp_min = is_full_range ? 0 : below(128);
  set_word(s, MOTE_LAYER_INPUT, input);
  set_word(s, MOTE_LAYER_DOWN, down);
  set_word(s, MOTE_LAYER_QUAD_STEP_0, step[0]);
  set_word(s, MOTE_LAYER_QUAD_STEP_1, step[1]);
  set_word(s, MOTE_LAYER_QUAD_STEP_2, step[2]);
  set_word(s, MOTE_LAYER_QUAD_COUNT_0, count[0] | count[1] << 16);
  set_word(s, MOTE_LAYER_QUAD_COUNT_2, count[2] | across << 16 | lot << 24);
  set_word(s, MOTE_LAYER_OUTPUT, output);
  set_word(s, MOTE_LAYER_OUTPUT_PITCH, pitch);
  set_word(s, MOTE_LAYER_OUTPUT_PLANE, plane);
  set_word(s, MOTE_LAYER_OUTPUT_HEIGHT, height);
  set_word(s, MOTE_LAYER_OUTPUT_WIDTH, width);
  set_word(s, MOTE_LAYER_ROWS, rows);
  set_word(s, MOTE_LAYER_CLAMP_MIN, clamp_min);
  set_word(s, MOTE_LAYER_CLAMP_MAX, is_full_range ? 255 : clamp_min + below(256 - clamp_min));
  uint32_t begin = below(9);
  for (uint32_t i = 0; i < begin; i++) append(s, "", 1);
  set_word(s, MOTE_LAYER_STREAM, begin);
  for (uint32_t row = 0; row < rows; row += kernel == QUADS ? 2 : 1) {
    if (kernel == QUADS) {
      append_pair(s, inputs, filled, row + 1 == rows, is_extreme);
    } else {
      append_gaps(s, inputs, is_extreme);
    }
  }
  s->model.source.container = s->stream;
  s->model.source.container_bytes = s->stream_bytes;
  return s;
}

static uint32_t half_at(const stage *s, uint32_t word) { return get_word(s, word & ~3u) >> 8 * (word & 3) & 0xffff; }

/** Address of an input of the place at (0, 0). */
static uint32_t lot_input(const stage *s, uint32_t input) {
  uint32_t inner = half_at(s, MOTE_LAYER_QUAD_COUNT_0);
  uint32_t middle = half_at(s, MOTE_LAYER_QUAD_COUNT_1);
  return get_word(s, MOTE_LAYER_INPUT) + input % inner * get_word(s, MOTE_LAYER_QUAD_STEP_0) +
         input / inner % middle * get_word(s, MOTE_LAYER_QUAD_STEP_1) + input / (inner * middle) * get_word(s, MOTE_LAYER_QUAD_STEP_2);
}

static uint32_t lot_inputs(const stage *s) {
  return half_at(s, MOTE_LAYER_QUAD_COUNT_0) * half_at(s, MOTE_LAYER_QUAD_COUNT_1) * half_at(s, MOTE_LAYER_QUAD_COUNT_2);
}

/** The byte for a sum that begins as the packer says, of so many inputs or weights. */
static uint8_t lot_byte(const stage *s, const uint8_t *head, int64_t sum, uint32_t inputs) {
  sum += (int64_t)((inputs + MOTE_QUAD_STRETCH - 1) / MOTE_QUAD_STRETCH) << (MOTE_LANE_BITS - 1);
  int64_t constant = (int64_t)((uint64_t)u32_at(head + 4) << 32 | u32_at(head));
  int32_t value = (int32_t)((sum * u32_at(head + 8) + constant) >> 32) >> (head[12] & 31);
  int32_t least = (int32_t)get_word(s, MOTE_LAYER_CLAMP_MIN);
  int32_t most = (int32_t)get_word(s, MOTE_LAYER_CLAMP_MAX);
  return (uint8_t)(value < least ? least : value > most ? most : value);
}

static uint8_t expect_lot_output(const stage *s, const uint8_t *head, uint32_t row, uint32_t place) {
  int64_t sum = 0;
  if (s->kernel == QUADS) {
    uint32_t filled = (lot_inputs(s) + MOTE_QUAD_TURN - 1) / MOTE_QUAD_TURN * MOTE_QUAD_TURN;
    const uint8_t *weights = head + 2 * MOTE_ROW_BYTES + row % 2;
    for (uint32_t i = 0; i < lot_inputs(s); i++) sum += (int8_t)weights[2 * i] * s->model.linear[place + lot_input(s, i)];
    return lot_byte(s, head + row % 2 * MOTE_ROW_BYTES, sum, filled);
  }
  uint32_t pairs = u32_at(head + 12) >> 8;
  uint32_t input = 0;
  for (uint32_t i = 0; i < pairs; i++) {
    const uint8_t *pair = head + MOTE_ROW_BYTES + 2 * i;
    input += pair[0];
    sum += (int8_t)pair[1] * s->model.linear[place + lot_input(s, input)];
  }
  return lot_byte(s, head, sum, pairs);
}

static void expect_lots(const stage *s, uint8_t *linear) {
  const uint8_t *head = s->stream + get_word(s, MOTE_LAYER_STREAM);
  uint32_t filled = (lot_inputs(s) + MOTE_QUAD_TURN - 1) / MOTE_QUAD_TURN * MOTE_QUAD_TURN;
  for (uint32_t row = 0; row < get_word(s, MOTE_LAYER_ROWS); row++) {
    uint8_t *plane = linear + get_word(s, MOTE_LAYER_OUTPUT) + row * get_word(s, MOTE_LAYER_OUTPUT_PLANE);
    for (uint32_t y = 0; y < get_word(s, MOTE_LAYER_OUTPUT_HEIGHT); y++) {
      for (uint32_t x = 0; x < get_word(s, MOTE_LAYER_OUTPUT_WIDTH); x++) {
        uint32_t place = y * get_word(s, MOTE_LAYER_DOWN) + x * (half_at(s, MOTE_LAYER_QUAD_ACROSS) & 255);
        plane[y * get_word(s, MOTE_LAYER_OUTPUT_PITCH) + x] = expect_lot_output(s, head, row, place);
      }
    }
    if (s->kernel == GAPS) head += MOTE_ROW_BYTES + 2 * (u32_at(head + 12) >> 8);
    if (s->kernel == QUADS && row % 2 == 1) head += 2 * (MOTE_ROW_BYTES + filled);
  }
}

static uint32_t scratch_of(const stage *s) {
  return u32_at(s->model.linear + MOTE_CONTROL_WINDOW_PTR) + u32_at(s->model.linear + MOTE_CONTROL_WINDOW_BYTES);
}

static uint32_t scratch_bytes_of(const stage *s) {
  uint32_t filled = (lot_inputs(s) + MOTE_QUAD_TURN - 1) / MOTE_QUAD_TURN * MOTE_QUAD_TURN;
  return (get_word(s, MOTE_LAYER_QUAD_COUNT_2) >> 24) * (MOTE_QUAD_HEAD_BYTES + MOTE_QUAD_INPUT_BYTES * filled);
}

/** What kernels lay out is theirs. */
static void copy_scratch(const stage *s, uint8_t *linear) { memcpy(linear + scratch_of(s), s->model.linear + scratch_of(s), scratch_bytes_of(s)); }

#endif
