/**
 * Native kernels of layers that have a row for each channel, to be built with AddressSanitizer and UBSan: on layers that a packer may write,
 * whose outputs are those of a plain loop, and on whatever else. Linear memory and stream end where their blocks do.
 */
#define STAGE_FIELDS const char *kernel;
#include "stage.h"

/* Both ways to add up, whatever this machine has. */
#define mote_kernel_depth pairs_depth
#define MOTE_KERNEL_PAIRS 1
#include "mote-depthwise.c"
#undef mote_kernel_depth

/** A tensor without borders, or part of one that has some. */
typedef struct shape {
  uint32_t channels;
  uint32_t height;
  uint32_t width;
  uint32_t pitch;
  uint32_t plane;
} shape;

/** One of the layer's outputs, by plain loops. */
typedef uint8_t (*output_function)(const stage *s, const uint8_t *linear, const uint8_t *row, uint32_t channel, uint32_t y, uint32_t x);

static uint32_t between(uint32_t least, uint32_t most) { return least + below(most - least + 1); }

static uint32_t get_half(const stage *s, uint32_t word) { return get_word(s, word) & 0xffff; }
static uint32_t get_byte(const stage *s, uint32_t byte) { return s->model.linear[LAYER + byte]; }

static shape random_shape(uint32_t channels, uint32_t height, uint32_t width) {
  uint32_t pitch = width + below(4);
  return (shape){channels, height, width, pitch, pitch * height + below(5)};
}

static uint32_t bytes_of(shape s) { return s.plane * (s.channels - 1) + s.pitch * (s.height - 1) + s.width; }

/** Regions one behind the other in any order, so that each may be the last, at multiples of 4. @returns all bytes */
static uint32_t place(uint32_t *const addresses[], const uint32_t sizes[], uint32_t count) {
  uint32_t at = ARENA;
  uint32_t first = below(count);
  for (uint32_t i = 0; i < count; i++) {
    at = (at + 3) & ~3u;
    *addresses[(first + i) % count] = at;
    at += sizes[(first + i) % count];
  }
  return at;
}

static void begin_linear(stage *s, uint32_t size) {
  s->model.linear_bytes = size;
  s->model.linear = malloc(size);
  for (uint32_t i = 0; i < size; i++) s->model.linear[i] = (uint8_t)(below(4) == 0 ? below(2) * 255 : random_u32());
  memset(s->model.linear + LAYER, 0, MOTE_LAYER_ENTRY_BYTES);
  memset(s->model.linear + PROGRESS, 0, MOTE_PROGRESS_OWN);
}

static void set_output(stage *s, shape output, uint32_t address) {
  uint32_t clamp_min = below(2) == 0 ? 0 : below(128);
  set_word(s, MOTE_LAYER_OUTPUT, address);
  set_word(s, MOTE_LAYER_OUTPUT_PITCH, output.pitch);
  set_word(s, MOTE_LAYER_OUTPUT_PLANE, output.plane);
  set_word(s, MOTE_LAYER_OUTPUT_HEIGHT, output.height);
  set_word(s, MOTE_LAYER_OUTPUT_WIDTH, output.width);
  set_word(s, MOTE_LAYER_ROWS, output.channels);
  set_word(s, MOTE_LAYER_CLAMP_MIN, clamp_min);
  set_word(s, MOTE_LAYER_CLAMP_MAX, clamp_min == 0 && below(2) == 0 ? 255 : clamp_min + below(256 - clamp_min));
  /* A layer before it. */
  uint32_t begin = 4 * below(4);
  for (uint32_t i = 0; i < begin; i += 4) append_u32(s, random_u32());
  set_word(s, MOTE_LAYER_STREAM, begin);
}

static void set_input(stage *s, shape input, uint32_t address) {
  set_word(s, MOTE_LAYER_INPUT, address);
  set_word(s, MOTE_LAYER_INPUT_PITCH, input.pitch);
  set_word(s, MOTE_LAYER_INPUT_PLANE, input.plane);
}

static stage *finish_stage(stage *s) {
  s->model.source.container = s->stream;
  s->model.source.container_bytes = s->stream_bytes;
  return s;
}

/** A row of a depthwise convolution. */
static void append_channel(stage *s, uint32_t taps) {
  static const uint32_t multipliers[] = {1u << 30, 1518500250, 1u << 24, 0, INT32_MAX};
  uint32_t multiplier = multipliers[below(5)];
  uint32_t shift = below(12);
  /* About what takes sums to bytes. */
  uint64_t constant = (uint64_t)below(256) << (32 + shift);
  constant -= (uint64_t)multiplier << (MOTE_LANE_BITS - 1);
  constant += random_u32();
  append_u32(s, (uint32_t)constant);
  append_u32(s, (uint32_t)(constant >> 32));
  append_u32(s, multiplier);
  append_u32(s, taps << 8 | shift);
  uint32_t kind = below(4);
  for (; taps > 0; taps--) {
    uint8_t weight = kind == 0 ? 128 : kind == 1 ? (uint8_t)(127 + taps % 2) : (uint8_t)random_u32();
    append(s, &weight, 1);
  }
}

static stage *set_depth(void) {
  stage *s = calloc(1, sizeof(stage));
  s->kernel = MOTE_DEPTH_KERNEL;
  bool is_usual = below(2) == 0;
  uint32_t kernel_y = is_usual ? 3 : between(1, 8);
  uint32_t kernel_x = is_usual ? 3 : between(1, MOTE_QUAD_STRETCH / kernel_y < 8 ? MOTE_QUAD_STRETCH / kernel_y : 8);
  uint32_t stride_y = below(3) == 0 ? between(1, 5) : between(1, 2);
  uint32_t stride_x = below(3) == 0 ? between(1, 5) : stride_y;
  uint32_t top = is_usual ? below(3) : below(MOTE_DEPTH_LEFT);
  uint32_t left = is_usual ? below(3) : below(MOTE_DEPTH_LEFT);
  shape output = random_shape(between(1, 4), between(1, below(8) == 0 ? 60 : 13), between(1, below(8) == 0 ? 60 : 13));
  shape input = random_shape(output.channels, between(1, 20), between(1, 20));
  uint32_t lines = below(3) == 0 ? between(1, output.height) : (output.height + 1) / 2;
  bool is_down = below(2) == 0;
  uint32_t words = (output.width - 1) * stride_x + kernel_x;
  if (input.width > words) input.width = words;
  uint32_t laid_out = (lines - 1) * stride_y + kernel_y;
  uint32_t behind = (MOTE_DEPTH_BLOCK - 1) * (is_down ? stride_y : stride_x);
  uint32_t at_input, at_output, scratch;
  /* Outputs may be written over a channel that is laid out in one piece. */
  bool is_in_place = 2 * lines >= output.height && bytes_of(output) <= bytes_of(input) && output.plane <= input.plane && below(2) == 0;
  uint32_t *const addresses[] = {&at_input, &scratch, &at_output};
  const uint32_t sizes[] = {bytes_of(input), MOTE_DEPTH_WORD_BYTES * (words * laid_out + behind), bytes_of(output)};
  begin_linear(s, place(addresses, sizes, is_in_place ? 2 : 3));
  if (is_in_place) at_output = at_input;
  uint32_t window = below(40);
  put_u32(s->model.linear + MOTE_CONTROL_WINDOW_PTR, scratch - window);
  put_u32(s->model.linear + MOTE_CONTROL_WINDOW_BYTES, window);
  set_output(s, output, at_output);
  set_input(s, input, at_input);
  set_word(s, MOTE_LAYER_DEPTH_HEIGHT, kernel_y | kernel_x << 8 | stride_y << 16 | stride_x << 24);
  set_word(s, MOTE_LAYER_DEPTH_LINES, lines | input.height << 16);
  set_word(s, MOTE_LAYER_DEPTH_INPUT_WIDTH, input.width | (is_down ? MOTE_DEPTH_IS_DOWN : 0) | top << 16 | left * MOTE_DEPTH_LEFT << 16 | below(256) << 24);
  for (uint32_t row = 0; row < output.channels; row++) append_channel(s, kernel_y * kernel_x);
  return finish_stage(s);
}

/** A head for kernels that begin with all of the product. */
static void append_head(stage *s, uint32_t count) {
  static const uint32_t multipliers[] = {1, 1u << 30, 1518500250, 0, INT32_MAX};
  uint32_t multiplier = multipliers[below(5)];
  uint32_t shift = multiplier == 1 ? below(20) : 24 + below(20);
  uint64_t constant = ((uint64_t)below(256) << shift) + random_u32() % (1u << 20) - (below(2) << 28);
  append_u32(s, (uint32_t)constant);
  append_u32(s, (uint32_t)(constant >> 32));
  append_u32(s, multiplier);
  append_u32(s, count << 8 | shift);
}

static stage *set_pool(void) {
  stage *s = calloc(1, sizeof(stage));
  s->kernel = MOTE_POOL_KERNEL;
  bool is_long = below(8) == 0;
  uint32_t height = between(1, is_long ? 40 : 5);
  uint32_t width = between(1, is_long ? 1200 : 5);
  uint32_t stride_y = between(1, 4);
  uint32_t stride_x = between(1, 4);
  shape output = random_shape(between(1, 4), between(1, 9), between(1, 9));
  shape input = random_shape(output.channels, (output.height - 1) * stride_y + height, (output.width - 1) * stride_x + width);
  uint32_t at_input, at_output;
  uint32_t *const addresses[] = {&at_input, &at_output};
  const uint32_t sizes[] = {bytes_of(input), bytes_of(output)};
  begin_linear(s, place(addresses, sizes, 2));
  set_output(s, output, at_output);
  set_input(s, input, at_input);
  set_word(s, MOTE_LAYER_KIND, below(2) == 0 ? MOTE_KIND_MAXPOOL : MOTE_KIND_AVGPOOL);
  set_word(s, MOTE_LAYER_DOWN, input.pitch * stride_y);
  set_word(s, MOTE_LAYER_ACROSS, stride_x);
  set_word(s, MOTE_LAYER_POOL_WIDTH, width | height << 16);
  for (uint32_t row = 0; row < output.channels; row++) append_head(s, 0);
  return finish_stage(s);
}

static stage *set_sums(void) {
  stage *s = calloc(1, sizeof(stage));
  s->kernel = MOTE_SUMS_KERNEL;
  shape output = random_shape(between(1, 4), between(1, 9), between(1, below(8) == 0 ? 600 : 9));
  shape one = random_shape(output.channels, output.height, output.width);
  shape other = random_shape(output.channels, output.height, output.width);
  bool is_gate = below(3) == 0;
  if (is_gate) other = (shape){output.channels, 1, 1, 1, 1 + below(3)};
  uint32_t at_one, at_other, at_output;
  uint32_t *const addresses[] = {&at_one, &at_other, &at_output};
  const uint32_t sizes[] = {bytes_of(one), bytes_of(other), bytes_of(output)};
  begin_linear(s, place(addresses, sizes, 3));
  set_output(s, output, at_output);
  set_input(s, one, at_one);
  set_word(s, MOTE_LAYER_KIND, below(2) == 0 ? MOTE_KIND_ADD : MOTE_KIND_MUL);
  set_word(s, MOTE_LAYER_OTHER, at_other);
  set_word(s, MOTE_LAYER_OTHER_PITCH, is_gate ? 0 : other.pitch);
  set_word(s, MOTE_LAYER_OTHER_PLANE, other.plane);
  for (uint32_t row = 0; row < output.channels; row++) {
    append_head(s, MOTE_FACTOR_BYTES);
    for (unsigned i = 0; i < 2; i++) append_u32(s, below(2) == 0 ? random_u32() >> 10 : (uint32_t)-(int32_t)(random_u32() >> 10));
  }
  return finish_stage(s);
}

/** An element of a channel, or the byte for what is outside. */
static uint32_t depth_element(const stage *s, const uint8_t *linear, uint32_t channel, int32_t line, int32_t column) {
  int32_t height = (int32_t)get_half(s, MOTE_LAYER_DEPTH_INPUT_HEIGHT);
  int32_t width = (int32_t)(get_half(s, MOTE_LAYER_DEPTH_INPUT_WIDTH) & ~MOTE_DEPTH_IS_DOWN);
  if (line < 0 || line >= height || column < 0 || column >= width) return get_byte(s, MOTE_LAYER_DEPTH_ZERO);
  uint32_t plane = get_word(s, MOTE_LAYER_INPUT) + channel * get_word(s, MOTE_LAYER_INPUT_PLANE);
  return linear[plane + (uint32_t)line * get_word(s, MOTE_LAYER_INPUT_PITCH) + (uint32_t)column];
}

static uint8_t clamped(const stage *s, int32_t value) {
  int32_t least = (int32_t)get_word(s, MOTE_LAYER_CLAMP_MIN);
  int32_t most = (int32_t)get_word(s, MOTE_LAYER_CLAMP_MAX);
  return (uint8_t)(value < least ? least : value > most ? most : value);
}

/** The output byte for a sum by a head that begins with all of the product. */
static uint8_t byte_for(const stage *s, const uint8_t *head, int64_t sum, bool is_average) {
  int64_t constant = (int64_t)((uint64_t)u32_at(head + 4) << 32 | u32_at(head));
  int64_t scaled = sum * u32_at(head + 8) + constant;
  if (is_average && (int32_t)(scaled >> head[12]) <= 128) scaled--;
  return clamped(s, (int32_t)(scaled >> head[12]));
}

static uint8_t pool_output(const stage *s, const uint8_t *linear, const uint8_t *row, uint32_t channel, uint32_t y, uint32_t x) {
  const uint8_t *first = linear + get_word(s, MOTE_LAYER_INPUT) + channel * get_word(s, MOTE_LAYER_INPUT_PLANE);
  first += y * get_word(s, MOTE_LAYER_DOWN) + x * get_word(s, MOTE_LAYER_ACROSS);
  int64_t sum = 0;
  int64_t best = 0;
  for (uint32_t line = 0; line < get_half(s, MOTE_LAYER_POOL_HEIGHT); line++) {
    for (uint32_t column = 0; column < get_half(s, MOTE_LAYER_POOL_WIDTH); column++) {
      uint8_t element = first[line * get_word(s, MOTE_LAYER_INPUT_PITCH) + column];
      sum += element;
      if (element > best) best = element;
    }
  }
  bool is_average = get_word(s, MOTE_LAYER_KIND) == MOTE_KIND_AVGPOOL;
  return byte_for(s, row, is_average ? sum : best, is_average);
}

static uint8_t sums_output(const stage *s, const uint8_t *linear, const uint8_t *row, uint32_t channel, uint32_t y, uint32_t x) {
  uint32_t one = get_word(s, MOTE_LAYER_INPUT) + channel * get_word(s, MOTE_LAYER_INPUT_PLANE) + y * get_word(s, MOTE_LAYER_INPUT_PITCH) + x;
  uint32_t pitch = get_word(s, MOTE_LAYER_OTHER_PITCH);
  uint32_t other = get_word(s, MOTE_LAYER_OTHER) + channel * get_word(s, MOTE_LAYER_OTHER_PLANE) + (pitch == 0 ? 0 : y * pitch + x);
  int64_t sum = linear[one] * (int64_t)(int32_t)u32_at(row + 16) + linear[other] * (int64_t)(int32_t)u32_at(row + 20);
  if (get_word(s, MOTE_LAYER_KIND) == MOTE_KIND_MUL) sum += linear[one] * linear[other];
  return byte_for(s, row, sum, false);
}

static uint8_t depth_output(const stage *s, const uint8_t *linear, const uint8_t *row, uint32_t channel, uint32_t y, uint32_t x) {
  uint32_t kernel_y = get_byte(s, MOTE_LAYER_DEPTH_HEIGHT);
  uint32_t kernel_x = get_byte(s, MOTE_LAYER_DEPTH_WIDTH);
  uint32_t pads = get_byte(s, MOTE_LAYER_DEPTH_PADS);
  int32_t top = (int32_t)(y * get_byte(s, MOTE_LAYER_DEPTH_STRIDE_Y)) - (int32_t)(pads % MOTE_DEPTH_LEFT);
  int32_t left = (int32_t)(x * get_byte(s, MOTE_LAYER_DEPTH_STRIDE_X)) - (int32_t)(pads / MOTE_DEPTH_LEFT);
  int64_t sum = 1 << (MOTE_LANE_BITS - 1);
  for (uint32_t tap = 0; tap < kernel_y * kernel_x; tap++) {
    int32_t line = top + (int32_t)(tap / kernel_x);
    int32_t column = left + (int32_t)(tap % kernel_x);
    sum += (int8_t)row[MOTE_ROW_BYTES + tap] * (int64_t)depth_element(s, linear, channel, line, column);
  }
  int64_t scaled = (int64_t)((uint64_t)(sum * u32_at(row + 8)) + ((uint64_t)u32_at(row + 4) << 32 | u32_at(row)));
  return clamped(s, (int32_t)(scaled >> 32) >> row[12]);
}

/** What linear memory is once the layer is done but for the scratch: plain loops. */
static void expect_layer(const stage *s, output_function output, const uint8_t *linear, uint8_t *expected) {
  const uint8_t *row = s->stream + get_word(s, MOTE_LAYER_STREAM);
  for (uint32_t channel = 0; channel < get_word(s, MOTE_LAYER_ROWS); channel++) {
    uint8_t *plane = expected + get_word(s, MOTE_LAYER_OUTPUT) + channel * get_word(s, MOTE_LAYER_OUTPUT_PLANE);
    for (uint32_t y = 0; y < get_word(s, MOTE_LAYER_OUTPUT_HEIGHT); y++) {
      for (uint32_t x = 0; x < get_word(s, MOTE_LAYER_OUTPUT_WIDTH); x++) {
        plane[y * get_word(s, MOTE_LAYER_OUTPUT_PITCH) + x] = output(s, linear, row, channel, y, x);
      }
    }
    row += MOTE_ROW_BYTES + (u32_at(row + 12) >> 8);
  }
}

/** The scratch may hold anything. */
static void forget_scratch(const stage *s, uint8_t *expected) {
  uint32_t begin = u32_at(s->model.linear + MOTE_CONTROL_WINDOW_PTR) + u32_at(s->model.linear + MOTE_CONTROL_WINDOW_BYTES);
  uint32_t words = (get_word(s, MOTE_LAYER_OUTPUT_WIDTH) - 1) * get_byte(s, MOTE_LAYER_DEPTH_STRIDE_X) + get_byte(s, MOTE_LAYER_DEPTH_WIDTH);
  uint32_t lines = (get_half(s, MOTE_LAYER_DEPTH_LINES) - 1) * get_byte(s, MOTE_LAYER_DEPTH_STRIDE_Y) + get_byte(s, MOTE_LAYER_DEPTH_HEIGHT);
  memcpy(expected + begin, s->model.linear + begin, MOTE_DEPTH_WORD_BYTES * words * lines);
}

/** Work that a call may do beyond its budget. */
enum { MOST_BEYOND = 8192 };

/** To the end in slices: outputs, progress and the bounds of slices are right. */
static void check_layer(stage *s, mote_kernel_function run, output_function output, int32_t budget) {
  uint8_t *expected = malloc(s->model.linear_bytes);
  memcpy(expected, s->model.linear, s->model.linear_bytes);
  expect_layer(s, output, s->model.linear, expected);
  uint32_t rows = get_word(s, MOTE_LAYER_ROWS);
  bool is_right = true;
  for (int slice = 0; is_right && get_progress(s, MOTE_PROGRESS_ROW) < rows; slice++) {
    int32_t work = run(&s->model, LAYER, PROGRESS, budget);
    is_right = work > 0 && work <= budget + MOST_BEYOND && slice < 100000;
  }
  CHECK(is_right, "%s", s->kernel);
  CHECK(get_progress(s, MOTE_PROGRESS_POSITION) == s->stream_bytes + 1 && get_progress(s, MOTE_PROGRESS_ROW) == rows, "progress");
  memcpy(expected + PROGRESS, s->model.linear + PROGRESS, MOTE_PROGRESS_BYTES);
  if (output == depth_output) forget_scratch(s, expected);
  CHECK(memcmp(expected, s->model.linear, s->model.linear_bytes) == 0, "%s", s->kernel);
  CHECK(run(&s->model, LAYER, PROGRESS, budget) == MOTE_KERNEL_TRAP, "a layer that is done");
  free(expected);
  strike(s);
}

static void change(stage *s) {
  static const uint32_t control[] = {MOTE_CONTROL_WINDOW_PTR, MOTE_CONTROL_WINDOW_BYTES};
  uint8_t *linear = s->model.linear;
  switch (below(5)) {
    case 0:
      if (s->stream_bytes > 0) s->stream[below(s->stream_bytes)] = (uint8_t)random_u32();
      return;
    case 1: {
      uint32_t word = PROGRESS + 4 * below(MOTE_PROGRESS_BYTES / 4);
      put_u32(linear + word, wild(u32_at(linear + word)));
      return;
    }
    case 2:
      cut_stream(s);
      return;
    case 3: {
      uint32_t word = control[below(2)];
      put_u32(linear + word, wild(u32_at(linear + word)));
      return;
    }
    default: {
      uint32_t byte = below(MOTE_LAYER_ENTRY_BYTES);
      if (below(3) == 0) linear[LAYER + byte] = (uint8_t)random_u32();
      set_word(s, byte & ~3u, wild(get_word(s, byte & ~3u)));
    }
  }
}

/** Anything may be wrong: nothing outside linear memory and stream is touched, and a call ends. @returns whether one was refused */
static bool check_wild(stage *s, mote_kernel_function run) {
  /* Now and then in the middle. */
  for (uint32_t slices = below(3); slices > 0; slices--) (void)run(&s->model, LAYER, PROGRESS, 1);
  for (uint32_t changes = 1 + below(3); changes > 0; changes--) change(s);
  uint32_t layer = below(20) == 0 ? wild(LAYER) : LAYER;
  uint32_t progress = below(20) == 0 ? wild(PROGRESS) : PROGRESS;
  int32_t work = 1;
  for (int slice = 0; work >= 0 && slice < 3; slice++) {
    work = run(&s->model, layer, progress, 2000);
    CHECK(work <= 2000 + MOST_BEYOND, "%s: %d", s->kernel, work);
  }
  strike(s);
  return work == MOTE_KERNEL_TRAP;
}

/** One byte of linear memory fewer than the scratch, or any other region, ends with. */
static void check_end(stage *s, mote_kernel_function run) {
  s->model.linear_bytes--;
  CHECK(run(&s->model, LAYER, PROGRESS, 1) == MOTE_KERNEL_TRAP, "%s", s->kernel);
  strike(s);
}

typedef struct way {
  stage *(*set)(void);
  mote_kernel_function run;
  output_function output;
} way;

static const way ways[] = {
    {set_depth, mote_kernel_depth, depth_output},
    {set_depth, pairs_depth, depth_output},
    {set_pool, mote_kernel_pool, pool_output},
    {set_sums, mote_kernel_sums, sums_output},
};

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  enum { LAYERS = 3000, WILD = 20000, WAYS = sizeof ways / sizeof ways[0] };
  for (const way *w = ways; w < ways + WAYS; w++) {
    for (uint32_t i = 0; i < LAYERS; i++) check_layer(w->set(), w->run, w->output, (int32_t)(i % 3 == 0 ? 1 << 20 : between(1, 3000)));
    for (uint32_t i = 0; i < 100; i++) check_end(w->set(), w->run);
    uint32_t refused = 0;
    for (uint32_t i = 0; i < WILD; i++) refused += check_wild(w->set(), w->run);
    CHECK(refused > WILD / 4 && refused < WILD * 19 / 20, "%u of %u refused", refused, WILD);
  }
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
