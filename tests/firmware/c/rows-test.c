/**
 * The native kernel of dense layers by six rows, to be built with AddressSanitizer and UBSan: on layers that a packer may write, whose outputs are
 * those of a plain loop, and on whatever else. Linear memory and stream end where their blocks do.
 */
#define STAGE_FIELDS
#define STAGE_LAYER MOTE_PLAN_BASE
#include "stage.h"

/* Both ways to add up, whatever this machine has. */
#define mote_kernel_rows lanes_rows
#define MOTE_KERNEL_LANES 1
#include "mote-dense-rows.c"
#undef mote_kernel_rows

static uint32_t filled_inputs(uint32_t inputs) { return (inputs + MOTE_DENSE_TURN - 1) / MOTE_DENSE_TURN * MOTE_DENSE_TURN; }

static void append_head(stage *s) {
  static const uint32_t multipliers[] = {1u << 30, 1518500250, 1, 0, INT32_MAX};
  uint8_t head[MOTE_ROW_BYTES];
  put_word(head, random_u32());
  put_word(head + 4, below(3) == 0 ? (uint32_t)-(int32_t)below(1u << 20) : below(1u << 12));
  put_word(head + 8, multipliers[below(5)]);
  put_word(head + 12, below(20));
  append(s, head, sizeof head);
}

/** @param is_extreme whether all weights are the most, so that sums are the largest */
static void append_six_rows(stage *s, uint32_t inputs, bool is_extreme) {
  static uint8_t weights[MOTE_DENSE_ROWS * 1200];
  memset(weights, is_extreme ? 255 : 0, sizeof weights);
  for (uint32_t i = 0; i < MOTE_DENSE_ROWS * inputs && !is_extreme; i++) weights[i] = (uint8_t)random_u32();
  memset(weights + MOTE_DENSE_ROWS * inputs, 0, MOTE_DENSE_ROWS * (filled_inputs(inputs) - inputs));
  append(s, weights, MOTE_DENSE_ROWS * filled_inputs(inputs));
  for (uint32_t row = 0; row < MOTE_DENSE_ROWS; row++) append_head(s);
}

/** A layer as a packer writes it, with elements behind its input that are no inputs, perhaps its outputs. Either is the last of linear memory. */
static stage *set_stage(void) {
  stage *s = calloc(1, sizeof(stage));
  bool is_extreme = below(4) == 0;
  bool is_input_last = below(2) == 0;
  uint32_t rows = 1 + below(15);
  uint32_t inputs = 1 + below(below(8) == 0 ? 1200 : 40);
  uint32_t plane = 1 + below(3);
  uint32_t output_bytes = (rows - 1) * plane + 1;
  uint32_t input = ARENA + (is_input_last ? output_bytes : 0);
  uint32_t output = ARENA + (is_input_last ? 0 : inputs);
  uint32_t end = input + filled_inputs(inputs);
  if (end < output + output_bytes) end = output + output_bytes;
  s->model.linear_bytes = end;
  s->model.linear = malloc(end);
  for (uint32_t i = 0; i < end; i++) s->model.linear[i] = is_extreme ? 255 : (uint8_t)random_u32();
  memset(s->model.linear + LAYER, 0, MOTE_LAYER_ENTRY_BYTES);
  memset(s->model.linear + PROGRESS, 0, MOTE_PROGRESS_OWN);
  uint32_t clamp_min = below(128);
  set_word(s, MOTE_LAYER_INPUT, input);
  set_word(s, MOTE_LAYER_DENSE_INPUTS, inputs);
  set_word(s, MOTE_LAYER_OUTPUT, output);
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
  for (uint32_t row = 0; row < rows; row += MOTE_DENSE_ROWS) append_six_rows(s, inputs, is_extreme);
  s->model.source.container = s->stream;
  s->model.source.container_bytes = s->stream_bytes;
  return s;
}

static uint8_t byte_for(const stage *s, const uint8_t *head, int64_t sum) {
  int64_t constant = (int64_t)((uint64_t)u32_at(head + 4) << 32 | u32_at(head));
  int64_t scaled = (int64_t)((uint64_t)(sum * u32_at(head + 8)) + (uint64_t)constant);
  int32_t value = (int32_t)(scaled >> 32) >> head[12];
  int32_t least = (int32_t)get_word(s, MOTE_LAYER_CLAMP_MIN);
  int32_t most = (int32_t)get_word(s, MOTE_LAYER_CLAMP_MAX);
  return (uint8_t)(value < least ? least : value > most ? most : value);
}

/** What linear memory is once the layer is done: plain loops. */
static void expect_layer(const stage *s, uint8_t *linear) {
  uint32_t inputs = get_word(s, MOTE_LAYER_DENSE_INPUTS);
  uint32_t filled = filled_inputs(inputs);
  const uint8_t *elements = s->model.linear + get_word(s, MOTE_LAYER_INPUT);
  for (uint32_t row = 0; row < get_word(s, MOTE_LAYER_ROWS); row++) {
    uint32_t six = row / MOTE_DENSE_ROWS;
    uint32_t of_six = row % MOTE_DENSE_ROWS;
    const uint8_t *weights = s->stream + get_word(s, MOTE_LAYER_STREAM) + six * MOTE_DENSE_ROWS * (filled + MOTE_ROW_BYTES);
    int64_t sum = 0;
    for (uint32_t i = 0; i < inputs; i++) sum += (weights[MOTE_DENSE_ROWS * i + of_six] - (int32_t)MOTE_WEIGHT_BIAS) * elements[i];
    const uint8_t *head = weights + MOTE_DENSE_ROWS * filled + of_six * MOTE_ROW_BYTES;
    linear[get_word(s, MOTE_LAYER_OUTPUT) + row * get_word(s, MOTE_LAYER_OUTPUT_PLANE)] = byte_for(s, head, sum);
  }
}

/** Work that a call may do beyond its budget: a piece, and the outputs of six rows. */
enum { MOST_BEYOND = 8192 };

/** To the end in slices: outputs, progress and the bounds of slices are right. */
static void check_layer(mote_kernel_function run, int32_t budget) {
  stage *s = set_stage();
  uint8_t *expected = malloc(s->model.linear_bytes);
  memcpy(expected, s->model.linear, s->model.linear_bytes);
  expect_layer(s, expected);
  uint32_t rows = get_word(s, MOTE_LAYER_ROWS);
  bool is_right = true;
  for (int slice = 0; is_right && get_progress(s, MOTE_PROGRESS_ROW) < rows; slice++) {
    int32_t work = run(&s->model, LAYER, PROGRESS, budget);
    is_right = work > 0 && work <= budget + MOST_BEYOND && slice < 10000;
  }
  CHECK(is_right, "budget %d", (int)budget);
  CHECK(get_progress(s, MOTE_PROGRESS_POSITION) == s->stream_bytes + 1 && get_progress(s, MOTE_PROGRESS_ROW) == rows, "progress");
  memcpy(expected + PROGRESS, s->model.linear + PROGRESS, MOTE_PROGRESS_BYTES);
  memcpy(expected + MOTE_DENSE_SUMS, s->model.linear + MOTE_DENSE_SUMS, SUMS_BYTES + 4);
  CHECK(memcmp(expected, s->model.linear, s->model.linear_bytes) == 0, "%u inputs", get_word(s, MOTE_LAYER_DENSE_INPUTS));
  CHECK(run(&s->model, LAYER, PROGRESS, budget) == MOTE_KERNEL_TRAP, "a layer that is done");
  free(expected);
  strike(s);
}

/** Inputs that end where linear memory does, and a turn later; a stream that lacks its last byte. */
static void check_edges(mote_kernel_function run) {
  stage *s = set_stage();
  uint32_t most = (s->model.linear_bytes - get_word(s, MOTE_LAYER_INPUT)) / MOTE_DENSE_TURN * MOTE_DENSE_TURN;
  s->model.source.container_bytes--;
  CHECK(run(&s->model, LAYER, PROGRESS, INT32_MAX / 2) == MOTE_KERNEL_TRAP, "a stream without its end");
  s->model.source.container_bytes++;
  memset(s->model.linear + PROGRESS, 0, MOTE_PROGRESS_OWN);
  set_word(s, MOTE_LAYER_DENSE_INPUTS, most + 1);
  CHECK(run(&s->model, LAYER, PROGRESS, 1) == MOTE_KERNEL_TRAP, "%u inputs", most + 1);
  strike(s);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  static const mote_kernel_function ways[] = {mote_kernel_rows, lanes_rows};
  uint32_t refused = 0;
  enum { LAYERS = 3000, WILD = 10000 };
  for (uint32_t i = 0; i < LAYERS; i++) check_layer(ways[i % 2], i % 3 == 0 ? 1 << 20 : 1 + (int32_t)below(3000));
  for (uint32_t i = 0; i < 200; i++) check_edges(ways[i % 2]);
  for (uint32_t i = 0; i < WILD; i++) refused += run_wild(set_stage(), ways[i % 2]);
  CHECK(refused > WILD / 4 && refused < WILD * 9 / 10, "%u of %u refused", refused, WILD);
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
