/**
 * The native kernel of layers by bits, to be built with AddressSanitizer and UBSan: on layers that a packer may write, whose outputs are those of a plain
 * loop, and on whatever else. Linear memory and stream end where their blocks do.
 */
#define STAGE_FIELDS uint32_t scratch_bytes;
#include "stage.h"

#include "mote-layer.h"

/** What a layer looks at. */
typedef struct patch {
  uint32_t width, height, channels, pool, outputs_down, outputs_across, down, across, pitch, plane, lot, rows;
} patch;

static uint32_t weights_of(const patch *p) { return p->width * p->height * p->channels; }
static uint32_t row_bytes(const patch *p) { return (weights_of(p) + 63) / 64 * MOTE_BITS_WORD_BYTES; }

static patch draw_patch(void) {
  patch p = {0};
  p.width = 1 + below(below(3) == 0 ? 300 : 12);
  p.height = 1 + below(4);
  p.channels = 1 + below(p.width > 100 ? 2 : 9);
  if (below(20) == 0) {
    p.width = 1 + below(8);
    p.channels = MOTE_BITS_LINES / p.height;
  }
  p.pool = below(3) == 0 ? 1 + below(3) : 1;
  while (p.pool * p.pool * row_bytes(&p) > MOTE_BITS_LOT_BYTES) p.pool--;
  p.outputs_down = 1 + below(4);
  p.outputs_across = 1 + below(5);
  p.across = 1 + below(3);
  p.pitch = p.width + p.pool + (p.outputs_across - 1) * p.across + below(4);
  p.down = p.pitch * (1 + below(2));
  p.plane = p.pitch * (p.height + p.pool) + p.down * p.outputs_down;
  p.lot = 1;
  while (p.lot < 6 && below(3) > 0 && (p.lot + 1) * p.pool * p.pool * row_bytes(&p) <= MOTE_BITS_LOT_BYTES) p.lot++;
  p.rows = 1 + below(6);
  return p;
}

static void append_row(stage *s, const patch *p) {
  static const uint32_t multipliers[] = {1u << 30, 1518500250, 1, 0, INT32_MAX};
  uint8_t head[MOTE_ROW_BYTES];
  put_word(head, random_u32());
  put_word(head + 4, below(3) == 0 ? (uint32_t)-(int32_t)below(1u << 20) : below(1u << 12));
  put_word(head + 8, multipliers[below(5)]);
  put_word(head + 12, row_bytes(p) << 8 | (32 + below(20)));
  append(s, head, sizeof head);
  for (uint32_t at = 0; at < row_bytes(p); at++) {
    uint32_t left = weights_of(p) > 8 * at ? weights_of(p) - 8 * at : 0;
    uint8_t byte = (uint8_t)(random_u32() & (left >= 8 ? 255 : (1u << left) - 1));
    append(s, &byte, 1);
  }
}

/** A layer as a packer writes it: its scratch, then its outputs, then its input and the bytes that a packer leaves behind it. */
static stage *set_stage(patch *p) {
  stage *s = calloc(1, sizeof(stage));
  *p = draw_patch();
  uint32_t places = p->pool * p->pool;
  s->scratch_bytes = p->lot * places * row_bytes(p);
  uint32_t plane = p->outputs_down * p->outputs_across + below(3);
  uint32_t output = ARENA + s->scratch_bytes;
  uint32_t input = output + p->rows * plane;
  uint32_t last = p->down * (p->outputs_down - 1) + p->across * (p->outputs_across - 1) + p->pool + p->pitch * (p->height + p->pool - 2) +
                  p->plane * (p->channels - 1) + p->width - 1;
  s->model.linear_bytes = input + last + 3;
  s->model.linear = malloc(s->model.linear_bytes);
  for (uint32_t i = 0; i < s->model.linear_bytes; i++) s->model.linear[i] = (uint8_t)(128 + below(2));
  put_u32(s->model.linear + MOTE_CONTROL_WINDOW_PTR, ARENA - 8);
  put_u32(s->model.linear + MOTE_CONTROL_WINDOW_BYTES, 8);
  memset(s->model.linear + LAYER, 0, MOTE_LAYER_ENTRY_BYTES);
  memset(s->model.linear + PROGRESS, 0, MOTE_PROGRESS_OWN);
  uint32_t clamp_min = below(128);
  set_word(s, MOTE_LAYER_INPUT, input);
  set_word(s, MOTE_LAYER_BITS_WIDTH, p->width | p->height << 16);
  set_word(s, MOTE_LAYER_BITS_CHANNELS, p->channels | p->pool << 16 | p->lot << 24);
  set_word(s, MOTE_LAYER_BITS_PITCH, p->pitch);
  set_word(s, MOTE_LAYER_BITS_PLANE, p->plane);
  set_word(s, MOTE_LAYER_DOWN, p->down);
  set_word(s, MOTE_LAYER_ACROSS, p->across);
  set_word(s, MOTE_LAYER_OUTPUT, output);
  set_word(s, MOTE_LAYER_OUTPUT_PITCH, p->outputs_across);
  set_word(s, MOTE_LAYER_OUTPUT_PLANE, plane);
  set_word(s, MOTE_LAYER_OUTPUT_HEIGHT, p->outputs_down);
  set_word(s, MOTE_LAYER_OUTPUT_WIDTH, p->outputs_across);
  set_word(s, MOTE_LAYER_ROWS, p->rows);
  set_word(s, MOTE_LAYER_CLAMP_MIN, clamp_min);
  set_word(s, MOTE_LAYER_CLAMP_MAX, clamp_min + below(256 - clamp_min));
  /* A layer before it. */
  uint32_t begin = below(9);
  for (uint32_t i = 0; i < begin; i++) append(s, "", 1);
  set_word(s, MOTE_LAYER_STREAM, begin);
  for (uint32_t row = 0; row < p->rows; row++) append_row(s, p);
  s->model.source.container = s->stream;
  s->model.source.container_bytes = s->stream_bytes;
  return s;
}

static int64_t differing(const stage *s, const patch *p, const uint8_t *weights, uint32_t first) {
  int64_t count = 0;
  for (uint32_t at = 0; at < weights_of(p); at++) {
    uint32_t line = at / p->width;
    uint32_t element = first + at % p->width + line % p->height * p->pitch + line / p->height * p->plane;
    count += (weights[at / 8] >> at % 8 & 1) != (s->model.linear[element] & 1);
  }
  return count;
}

/** What linear memory is once the layer is done, but for its scratch: plain loops. */
static void expect_layer(const stage *s, const patch *p, uint8_t *linear) {
  const uint8_t *head = s->stream + get_word(s, MOTE_LAYER_STREAM);
  for (uint32_t row = 0; row < p->rows; row++, head += MOTE_ROW_BYTES + row_bytes(p)) {
    for (uint32_t output = 0; output < p->outputs_down * p->outputs_across; output++) {
      uint32_t first = get_word(s, MOTE_LAYER_INPUT) + output / p->outputs_across * p->down + output % p->outputs_across * p->across;
      int64_t least = INT64_MAX;
      for (uint32_t place = 0; place < p->pool * p->pool; place++) {
        int64_t sum = differing(s, p, head + MOTE_ROW_BYTES, first + place / p->pool * p->pitch + place % p->pool);
        if (sum < least) least = sum;
      }
      int64_t constant = (int64_t)((uint64_t)u32_at(head + 4) << 32 | u32_at(head));
      int64_t scaled = (int64_t)((uint64_t)(-least * u32_at(head + 8)) + (uint64_t)constant);
      int32_t value = (int32_t)(scaled >> (head[12] & 63));
      int32_t low = (int32_t)get_word(s, MOTE_LAYER_CLAMP_MIN);
      int32_t high = (int32_t)get_word(s, MOTE_LAYER_CLAMP_MAX);
      uint32_t target = get_word(s, MOTE_LAYER_OUTPUT) + row * get_word(s, MOTE_LAYER_OUTPUT_PLANE) + output;
      linear[target] = (uint8_t)(value < low ? low : value > high ? high : value);
    }
  }
}

/** Work that a call may do beyond its budget: a place that is laid out, or a row at a lot. 5,700 of step's. */
enum { MOST_BEYOND = 4 * 5700 };

/** To the end in slices: outputs, progress and the bounds of slices are right. */
static void check_layer(int32_t budget) {
  patch p;
  stage *s = set_stage(&p);
  uint8_t *expected = malloc(s->model.linear_bytes);
  memcpy(expected, s->model.linear, s->model.linear_bytes);
  expect_layer(s, &p, expected);
  bool is_right = true;
  for (int slice = 0; is_right && get_progress(s, MOTE_PROGRESS_ROW) < p.rows; slice++) {
    int32_t work = mote_kernel_bits(&s->model, LAYER, PROGRESS, budget);
    is_right = work > 0 && work <= budget + MOST_BEYOND && slice < 10000;
  }
  CHECK(is_right, "budget %d", (int)budget);
  CHECK(get_progress(s, MOTE_PROGRESS_POSITION) == s->stream_bytes + 1 && get_progress(s, MOTE_PROGRESS_ROW) == p.rows, "progress");
  memcpy(expected + PROGRESS, s->model.linear + PROGRESS, MOTE_PROGRESS_BYTES);
  memcpy(expected + ARENA, s->model.linear + ARENA, s->scratch_bytes);
  CHECK(memcmp(expected, s->model.linear, s->model.linear_bytes) == 0, "%u rows of %u weights", p.rows, weights_of(&p));
  CHECK(mote_kernel_bits(&s->model, LAYER, PROGRESS, budget) == MOTE_KERNEL_TRAP, "a layer that is done");
  free(expected);
  strike(s);
}

static void expect_trap(stage *s, const char *what) {
  CHECK(mote_kernel_bits(&s->model, LAYER, PROGRESS, INT32_MAX / 2) == MOTE_KERNEL_TRAP, "%s", what);
  strike(s);
}

/** An input that ends a byte too late; a stream that lacks its last byte; rows, windows and scratch that no packer writes. */
static void check_edges(void) {
  patch p;
  stage *s = set_stage(&p);
  set_word(s, MOTE_LAYER_INPUT, get_word(s, MOTE_LAYER_INPUT) + 1);
  expect_trap(s, "elements beyond the end");
  s = set_stage(&p);
  s->model.source.container_bytes--;
  expect_trap(s, "a stream without its end");
  s = set_stage(&p);
  put_word(s->stream + get_word(s, MOTE_LAYER_STREAM) + 12, (row_bytes(&p) + 8) << 8 | 32);
  expect_trap(s, "a row of another length");
  s = set_stage(&p);
  set_word(s, MOTE_LAYER_BITS_WIDTH, (8 * MOTE_BITS_PLACE_BYTES + 1) | 1u << 16);
  expect_trap(s, "more weights than a place has");
  s = set_stage(&p);
  set_word(s, MOTE_LAYER_BITS_CHANNELS, p.channels | p.lot << 24);
  expect_trap(s, "no place under a pool");
  s = set_stage(&p);
  set_word(s, MOTE_LAYER_BITS_CHANNELS, p.channels | p.pool << 16);
  expect_trap(s, "no output at a time");
  s = set_stage(&p);
  put_u32(s->model.linear + MOTE_CONTROL_WINDOW_BYTES, s->model.linear_bytes);
  expect_trap(s, "scratch beyond the end");
}

/** Whatever a layer may say. @returns whether it was refused */
static bool check_wild(void) {
  patch p;
  return run_wild(set_stage(&p), mote_kernel_bits);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  uint32_t refused = 0;
  enum { LAYERS = 3000, WILD = 10000 };
  for (uint32_t i = 0; i < LAYERS; i++) check_layer(i % 3 == 0 ? 1 << 20 : 1 + (int32_t)below(3000));
  for (uint32_t i = 0; i < 200; i++) check_edges();
  for (uint32_t i = 0; i < WILD; i++) refused += check_wild();
  CHECK(refused > WILD / 4 && refused < WILD * 9 / 10, "%u of %u refused", refused, WILD);
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
