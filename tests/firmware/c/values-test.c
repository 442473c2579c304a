/**
 * The native kernel of dense layers by values, to be built with AddressSanitizer and UBSan: on layers that a packer may write, whose outputs are those
 * of a plain loop, and on whatever else. Linear memory and stream end where their blocks do.
 */
#define STAGE_FIELDS
#include "stage.h"

#include "mote-layer.h"

enum { GROUP_BITS = 7 };

/** @param reach of the elements, which are so many from the input's first on */
static void append_row(stage *s, uint32_t reach, bool is_extreme) {
  static const uint32_t multipliers[] = {1u << 30, 1518500250, 1, 0, INT32_MAX};
  uint32_t begin = s->stream_bytes;
  uint8_t head[MOTE_ROW_BYTES];
  put_word(head, random_u32());
  put_word(head + 4, below(3) == 0 ? (uint32_t)-(int32_t)below(1u << 20) : below(1u << 12));
  put_word(head + 8, multipliers[below(5)]);
  append(s, head, sizeof head);
  for (uint32_t groups = 1 + below(below(8) == 0 ? 100 : 8); groups > 0; groups--) {
    uint32_t at = below(reach);
    uint8_t group[MOTE_GROUP_HEAD_BYTES + MOTE_GROUP_GAPS];
    uint32_t most = below(3) == 0 ? MOTE_GROUP_GAPS : below(10);
    uint32_t gaps = 0;
    for (uint32_t last = at; gaps < most; gaps++) {
      uint32_t gap = is_extreme ? 0 : below(below(4) == 0 ? 256 : 9);
      if (last + gap >= reach) break;
      last += gap;
      group[MOTE_GROUP_HEAD_BYTES + gaps] = (uint8_t)gap;
    }
    group[0] = is_extreme ? 128 : (uint8_t)random_u32();
    group[1] = (uint8_t)(at << GROUP_BITS | gaps);
    group[2] = (uint8_t)((at << GROUP_BITS | gaps) >> 8);
    append(s, group, MOTE_GROUP_HEAD_BYTES + gaps);
  }
  put_word(s->stream + begin + 12, (s->stream_bytes - begin - MOTE_ROW_BYTES) << 8 | (32 + below(20)));
}

/** A layer as a packer writes it: its input or its output is the last of linear memory. */
static stage *set_stage(void) {
  stage *s = calloc(1, sizeof(stage));
  bool is_extreme = below(4) == 0;
  bool is_input_last = below(2) == 0;
  uint32_t rows = 1 + below(6);
  uint32_t inputs = 1 + below(1u << (16 - GROUP_BITS));
  uint32_t plane = 1 + below(3);
  uint32_t output_bytes = (rows - 1) * plane + 1;
  uint32_t input = ARENA + (is_input_last ? output_bytes : 0);
  s->model.linear_bytes = ARENA + inputs + output_bytes;
  s->model.linear = malloc(s->model.linear_bytes);
  for (uint32_t i = 0; i < s->model.linear_bytes; i++) s->model.linear[i] = is_extreme ? 255 : (uint8_t)random_u32();
  memset(s->model.linear + LAYER, 0, MOTE_LAYER_ENTRY_BYTES);
  memset(s->model.linear + PROGRESS, 0, MOTE_PROGRESS_OWN);
  uint32_t clamp_min = below(128);
  set_word(s, MOTE_LAYER_INPUT, input);
  set_word(s, MOTE_LAYER_GROUP_BITS, GROUP_BITS);
  set_word(s, MOTE_LAYER_OUTPUT, ARENA + (is_input_last ? 0 : inputs));
  set_word(s, MOTE_LAYER_OUTPUT_PITCH, 1);
  set_word(s, MOTE_LAYER_OUTPUT_PLANE, plane);
  set_word(s, MOTE_LAYER_OUTPUT_HEIGHT, 1);
  set_word(s, MOTE_LAYER_OUTPUT_WIDTH, 1);
  set_word(s, MOTE_LAYER_ROWS, rows);
  set_word(s, MOTE_LAYER_CLAMP_MIN, clamp_min);
  set_word(s, MOTE_LAYER_CLAMP_MAX, clamp_min + below(256 - clamp_min));
  /* A layer before it. */
  uint32_t begin = below(9);
  for (uint32_t i = 0; i < begin; i++) append(s, "", 1);
  set_word(s, MOTE_LAYER_STREAM, begin);
  for (uint32_t row = 0; row < rows; row++) append_row(s, inputs, is_extreme);
  s->model.source.container = s->stream;
  s->model.source.container_bytes = s->stream_bytes;
  return s;
}

/** What linear memory is once the layer is done: plain loops. */
static void expect_layer(const stage *s, uint8_t *linear) {
  const uint8_t *head = s->stream + get_word(s, MOTE_LAYER_STREAM);
  for (uint32_t row = 0; row < get_word(s, MOTE_LAYER_ROWS); row++) {
    const uint8_t *group = head + MOTE_ROW_BYTES;
    const uint8_t *end = group + (u32_at(head + 12) >> 8);
    int64_t sum = 0;
    while (group < end) {
      uint32_t word = group[1] | (uint32_t)group[2] << 8;
      uint32_t at = get_word(s, MOTE_LAYER_INPUT) + (word >> GROUP_BITS);
      uint32_t gaps = word & ((1u << GROUP_BITS) - 1);
      sum += (int8_t)group[0] * s->model.linear[at];
      for (uint32_t i = 0; i < gaps; i++) sum += (int8_t)group[0] * s->model.linear[at += group[MOTE_GROUP_HEAD_BYTES + i]];
      group += MOTE_GROUP_HEAD_BYTES + gaps;
    }
    int64_t constant = (int64_t)((uint64_t)u32_at(head + 4) << 32 | u32_at(head));
    int64_t scaled = (int64_t)((uint64_t)(sum * u32_at(head + 8)) + (uint64_t)constant);
    int32_t value = (int32_t)(scaled >> (head[12] & 63));
    int32_t least = (int32_t)get_word(s, MOTE_LAYER_CLAMP_MIN);
    int32_t most = (int32_t)get_word(s, MOTE_LAYER_CLAMP_MAX);
    uint32_t target = get_word(s, MOTE_LAYER_OUTPUT) + row * get_word(s, MOTE_LAYER_OUTPUT_PLANE);
    linear[target] = (uint8_t)(value < least ? least : value > most ? most : value);
    head = end;
  }
}

/** Work that a call may do beyond its budget: a piece of groups. */
enum { MOST_BEYOND = 8192 };

/** To the end in slices: outputs, progress and the bounds of slices are right. */
static void check_layer(int32_t budget) {
  stage *s = set_stage();
  uint8_t *expected = malloc(s->model.linear_bytes);
  memcpy(expected, s->model.linear, s->model.linear_bytes);
  expect_layer(s, expected);
  uint32_t rows = get_word(s, MOTE_LAYER_ROWS);
  bool is_right = true;
  for (int slice = 0; is_right && get_progress(s, MOTE_PROGRESS_ROW) < rows; slice++) {
    int32_t work = mote_kernel_values(&s->model, LAYER, PROGRESS, budget);
    is_right = work > 0 && work <= budget + MOST_BEYOND && slice < 10000;
  }
  CHECK(is_right, "budget %d", (int)budget);
  CHECK(get_progress(s, MOTE_PROGRESS_POSITION) == s->stream_bytes + 1 && get_progress(s, MOTE_PROGRESS_ROW) == rows, "progress");
  memcpy(expected + PROGRESS, s->model.linear + PROGRESS, MOTE_PROGRESS_BYTES);
  CHECK(memcmp(expected, s->model.linear, s->model.linear_bytes) == 0, "%u rows", rows);
  CHECK(mote_kernel_values(&s->model, LAYER, PROGRESS, budget) == MOTE_KERNEL_TRAP, "a layer that is done");
  free(expected);
  strike(s);
}

static void expect_trap(stage *s, const char *what) {
  CHECK(mote_kernel_values(&s->model, LAYER, PROGRESS, INT32_MAX / 2) == MOTE_KERNEL_TRAP, "%s", what);
  strike(s);
}

/** One element at the end of linear memory, and one beyond; a stream that lacks its last byte; groups that no packer writes. */
static void check_edges(void) {
  stage *s = set_stage();
  set_word(s, MOTE_LAYER_ROWS, 1);
  uint8_t *head = s->stream + get_word(s, MOTE_LAYER_STREAM);
  put_word(head + 12, MOTE_GROUP_HEAD_BYTES << 8 | 32);
  memset(head + MOTE_ROW_BYTES, 1, 1);
  memset(head + MOTE_ROW_BYTES + 1, 0, 2);
  set_word(s, MOTE_LAYER_INPUT, s->model.linear_bytes - 1);
  CHECK(mote_kernel_values(&s->model, LAYER, PROGRESS, 1) > 0, "the last element");
  memset(s->model.linear + PROGRESS, 0, MOTE_PROGRESS_OWN);
  set_word(s, MOTE_LAYER_INPUT, s->model.linear_bytes);
  expect_trap(s, "an element beyond the end");
  s = set_stage();
  s->model.source.container_bytes--;
  expect_trap(s, "a stream without its end");
  s = set_stage();
  head = s->stream + get_word(s, MOTE_LAYER_STREAM);
  put_word(head + 12, head[12]);
  expect_trap(s, "a row without groups");
  s = set_stage();
  set_word(s, MOTE_LAYER_GROUP_BITS, 17);
  expect_trap(s, "more bits than a head has");
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  uint32_t refused = 0;
  enum { LAYERS = 3000, WILD = 10000 };
  for (uint32_t i = 0; i < LAYERS; i++) check_layer(i % 3 == 0 ? 1 << 20 : 1 + (int32_t)below(3000));
  for (uint32_t i = 0; i < 200; i++) check_edges();
  for (uint32_t i = 0; i < WILD; i++) refused += run_wild(set_stage(), mote_kernel_values);
  CHECK(refused > WILD / 4 && refused < WILD * 9 / 10, "%u of %u refused", refused, WILD);
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
