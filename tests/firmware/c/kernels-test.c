/**
 * Native kernels, to be built with AddressSanitizer and UBSan: on layers that a packer may write, whose outputs are those of a plain loop, and
 * on whatever else. Linear memory and stream end where their blocks do.
 * Usage: kernels-test CALLER.wasm ODD.wasm: see support/kernel-caller.ts; the first one ahead of time is linked in.
 */
#include "caller.h"
#include "check.h"
#include "lots.h"

/* Both ways to add up a convolution, whatever this machine has. */
#define mote_kernel_tiles lanes_tiles
#define mote_kernel_blocks lanes_blocks
#define MOTE_KERNEL_LANES 1
#include "mote-convolution.c"
#undef mote_kernel_tiles
#undef mote_kernel_blocks
#define mote_kernel_quads lanes_quads
#define mote_kernel_gaps lanes_gaps
#define MOTE_LOT_LANES 1
#include "mote-quads.c"
#undef mote_kernel_quads
#undef mote_kernel_gaps

/** A chunk that keeps to what its kernel may be given. */
static void append_chunk(stage *s, uint32_t records, uint32_t magnitude, uint32_t most_offset) {
  uint32_t weights[64];
  uint32_t negative = 0;
  for (uint32_t i = 0; i < records; i++) {
    uint32_t weight = below(1 + (magnitude < 128 ? magnitude : 128));
    magnitude -= weight;
    bool is_negative = weight == 128 || below(2) == 0;
    if (is_negative) negative += weight;
    weights[i] = (is_negative ? (uint32_t)-(int32_t)weight : weight) & 255;
  }
  append_u32(s, records | 255 * negative << 16);
  for (uint32_t i = 0; i < records; i++) append_u32(s, below(most_offset + 1) << 8 | weights[i]);
}

static void append_conv_row(stage *s, uint32_t most_offset) {
  uint32_t chunks = s->kernel == TILES ? 1 : 1 + below(3);
  uint32_t head = s->stream_bytes;
  append_head(s, 0);
  for (; chunks > 0; chunks--) {
    append_chunk(s, 1 + below(s->kernel == TILES ? 20 : 30), s->kernel == TILES ? MOTE_TILE_MAGNITUDE : MOTE_CHUNK_MAGNITUDE, most_offset);
  }
  put_u32(s->stream + head + 12, (s->stream_bytes - head - MOTE_ROW_BYTES) << 8 | s->stream[head + 12]);
}

static void append_dense_row(stage *s, uint32_t most_offset) {
  uint32_t pairs = MOTE_PAIRS_AT_ONCE * (1 + below(below(8) == 0 ? 400 : 6));
  append_head(s, pairs);
  for (; pairs > 0; pairs--) {
    uint32_t gap = below(most_offset < 255 ? most_offset + 1 : 256);
    if (below(3) == 0) gap = 0;
    most_offset -= gap;
    uint8_t pair[2] = {(uint8_t)gap, (uint8_t)random_u32()};
    append(s, pair, 2);
  }
}

/** A layer as a packer writes it, its last input and output perhaps at the very end of linear memory. */
static stage *set_stage(uint32_t kernel) {
  if (kernel >= QUADS) return set_lots(kernel);
  stage *s = calloc(1, sizeof(stage));
  s->kernel = kernel;
  s->pool = kernel == TILES ? 2 : 1 + below(2);
  uint32_t rows = 1 + below(4);
  uint32_t width = kernel == DENSE ? 1 : 8 / s->pool + below(12);
  uint32_t height = kernel == DENSE ? 1 : (kernel == TILES ? 4 : (3 + s->pool) / s->pool) + below(8);
  uint32_t pitch = width * s->pool + below(5);
  uint32_t span = kernel == DENSE ? 1 : pitch * (height * s->pool - 1) + width * s->pool;
  uint32_t most_offset = below(500);
  uint32_t output_pitch = width + below(3);
  uint32_t output_plane = output_pitch * height + below(3);
  uint32_t output_bytes = output_plane * (rows - 1) + output_pitch * (height - 1) + width;
  /* Either may be the last there is. */
  bool is_input_last = below(2) == 0;
  uint32_t input = ARENA + (is_input_last ? output_bytes : 0);
  uint32_t output = ARENA + (is_input_last ? 0 : span + most_offset);
  s->model.linear_bytes = ARENA + span + most_offset + output_bytes;
  s->most_offset = s->model.linear_bytes - input - span;
  s->model.linear = malloc(s->model.linear_bytes);
  for (uint32_t i = 0; i < s->model.linear_bytes; i++) s->model.linear[i] = (uint8_t)(below(4) == 0 ? below(2) * 255 : random_u32());
  memset(s->model.linear + PROGRESS, 0, MOTE_PROGRESS_OWN);
  uint32_t clamp_min = below(128);
  set_word(s, MOTE_LAYER_INPUT, input);
  set_word(s, MOTE_LAYER_INPUT_PITCH, pitch);
  set_word(s, MOTE_LAYER_OUTPUT, output);
  set_word(s, MOTE_LAYER_OUTPUT_PITCH, output_pitch);
  set_word(s, MOTE_LAYER_OUTPUT_PLANE, output_plane);
  set_word(s, MOTE_LAYER_OUTPUT_HEIGHT, height);
  set_word(s, MOTE_LAYER_OUTPUT_WIDTH, width);
  set_word(s, MOTE_LAYER_ROWS, rows);
  set_word(s, MOTE_LAYER_POOL_WIDTH, s->pool);
  set_word(s, MOTE_LAYER_CLAMP_MIN, clamp_min);
  set_word(s, MOTE_LAYER_CLAMP_MAX, clamp_min + below(256 - clamp_min));
  /* A layer before it. */
  uint32_t begin = 4 * below(4);
  for (uint32_t i = 0; i < begin; i += 4) append_u32(s, random_u32());
  set_word(s, MOTE_LAYER_STREAM, begin);
  for (uint32_t row = 0; row < rows; row++) {
    if (kernel == DENSE) {
      append_dense_row(s, most_offset);
    } else {
      append_conv_row(s, most_offset);
    }
  }
  s->model.source.container = s->stream;
  s->model.source.container_bytes = s->stream_bytes;
  return s;
}

static uint8_t byte_for(const stage *s, const uint8_t *head, int64_t sum) {
  int64_t constant = (int64_t)((uint64_t)u32_at(head + 4) << 32 | u32_at(head));
  int64_t scaled = (int64_t)((uint64_t)(sum * u32_at(head + 8)) + (uint64_t)constant);
  int32_t value = (int32_t)(scaled >> (head[12] & 63));
  int32_t least = (int32_t)get_word(s, MOTE_LAYER_CLAMP_MIN);
  int32_t most = (int32_t)get_word(s, MOTE_LAYER_CLAMP_MAX);
  return (uint8_t)(value < least ? least : value > most ? most : value);
}

static int64_t place_sum(const stage *s, const uint8_t *chunk, const uint8_t *end, uint32_t place) {
  int64_t sum = 0;
  while (chunk < end) {
    uint32_t head = u32_at(chunk);
    sum += head >> 16;
    chunk += 4;
    for (uint32_t i = 0; i < (head & 0xffff); i++, chunk += 4) {
      sum += (int8_t)chunk[0] * s->model.linear[place + (u32_at(chunk) >> 8)];
    }
  }
  return sum;
}

static int64_t dense_sum(const stage *s, const uint8_t *pair, const uint8_t *end) {
  int64_t sum = 0;
  uint32_t at = get_word(s, MOTE_LAYER_INPUT);
  for (; pair < end; pair += 2) {
    at += pair[0];
    sum += (int8_t)pair[1] * s->model.linear[at];
  }
  return sum;
}

/** What linear memory is once the layer is done: plain loops. */
static void expect_layer(const stage *s, uint8_t *linear) {
  if (s->kernel >= QUADS) {
    expect_lots(s, linear);
    return;
  }
  const uint8_t *head = s->stream + get_word(s, MOTE_LAYER_STREAM);
  for (uint32_t row = 0; row < get_word(s, MOTE_LAYER_ROWS); row++) {
    uint32_t unit = s->kernel == DENSE ? 2 : 1;
    const uint8_t *body = head + MOTE_ROW_BYTES;
    const uint8_t *end = body + (u32_at(head + 12) >> 8) * unit;
    uint8_t *plane = linear + get_word(s, MOTE_LAYER_OUTPUT) + row * get_word(s, MOTE_LAYER_OUTPUT_PLANE);
    for (uint32_t y = 0; y < get_word(s, MOTE_LAYER_OUTPUT_HEIGHT); y++) {
      for (uint32_t x = 0; x < get_word(s, MOTE_LAYER_OUTPUT_WIDTH); x++) {
        int64_t best = s->kernel == DENSE ? dense_sum(s, body, end) : INT64_MIN;
        for (uint32_t i = 0; s->kernel != DENSE && i < s->pool * s->pool; i++) {
          uint32_t line = y * s->pool + i / s->pool;
          uint32_t place = get_word(s, MOTE_LAYER_INPUT) + line * get_word(s, MOTE_LAYER_INPUT_PITCH) + x * s->pool + i % s->pool;
          int64_t sum = place_sum(s, body, end, place);
          if (sum > best) best = sum;
        }
        plane[y * get_word(s, MOTE_LAYER_OUTPUT_PITCH) + x] = byte_for(s, head, best);
      }
    }
    head = end;
  }
}

static mote_kernel_function function_of(uint32_t kernel, bool lanes) {
  static const mote_kernel_function functions[KERNELS][2] = {
      {mote_kernel_tiles, lanes_tiles}, {mote_kernel_blocks, lanes_blocks}, {mote_kernel_dense, mote_kernel_dense},
      {mote_kernel_quads, lanes_quads}, {mote_kernel_gaps, lanes_gaps},
  };
  return functions[kernel][lanes];
}

/** Work that a call may do beyond its budget: a strip of the longest row, a piece of pairs, four places of the most inputs that are laid out. */
enum { MOST_BEYOND = 8192, MOST_BEYOND_OF_LOTS = 32768 };

/** To the end in slices: outputs, progress and the bounds of slices are right. */
static void check_layer(uint32_t kernel, bool lanes, int32_t budget) {
  stage *s = set_stage(kernel);
  uint8_t *expected = malloc(s->model.linear_bytes);
  memcpy(expected, s->model.linear, s->model.linear_bytes);
  expect_layer(s, expected);
  uint32_t rows = get_word(s, MOTE_LAYER_ROWS);
  bool is_right = true;
  for (int slice = 0; is_right && get_progress(s, MOTE_PROGRESS_ROW) < rows; slice++) {
    int32_t work = function_of(kernel, lanes)(&s->model, LAYER, PROGRESS, budget);
    is_right = work > 0 && work <= budget + (kernel < QUADS ? MOST_BEYOND : MOST_BEYOND_OF_LOTS) && slice < 10000;
  }
  CHECK(is_right, "kernel %u", kernel);
  CHECK(get_progress(s, MOTE_PROGRESS_POSITION) == s->stream_bytes + 1 && get_progress(s, MOTE_PROGRESS_ROW) == rows, "progress");
  memcpy(expected + PROGRESS, s->model.linear + PROGRESS, MOTE_PROGRESS_BYTES);
  if (kernel >= QUADS) copy_scratch(s, expected);
  CHECK(memcmp(expected, s->model.linear, s->model.linear_bytes) == 0, "kernel %u, %s", kernel, lanes ? "lanes" : "places");
  CHECK(function_of(kernel, lanes)(&s->model, LAYER, PROGRESS, budget) == MOTE_KERNEL_TRAP, "a layer that is done");
  free(expected);
  strike(s);
}

/** One record's offset at the end of linear memory, and one beyond. */
static void check_edge(uint32_t kernel, bool lanes) {
  stage *s = set_stage(kernel);
  uint8_t *record = s->stream + get_word(s, MOTE_LAYER_STREAM) + MOTE_ROW_BYTES + MOTE_CHUNK_HEAD_BYTES;
  put_u32(record, s->most_offset << 8 | 1);
  CHECK(function_of(kernel, lanes)(&s->model, LAYER, PROGRESS, 1) > 0, "kernel %u", kernel);
  put_u32(record, (s->most_offset + 1) << 8 | 1);
  CHECK(function_of(kernel, lanes)(&s->model, LAYER, PROGRESS, 1 << 20) == MOTE_KERNEL_TRAP, "kernel %u", kernel);
  strike(s);
}

static void expect_trap(stage *s, bool lanes, const char *what) {
  CHECK(function_of(s->kernel, lanes)(&s->model, LAYER, PROGRESS, 1 << 20) == MOTE_KERNEL_TRAP, "kernel %u: %s", s->kernel, what);
  strike(s);
}

/** What lots reach ends with linear memory, and so does their scratch; one more, or elsewhere, is refused. */
static void check_lot_edges(uint32_t kernel, bool lanes) {
  stage *s = set_lots(kernel);
  uint32_t span = lot_input(s, lot_inputs(s) - 1) + (get_word(s, MOTE_LAYER_OUTPUT_HEIGHT) - 1) * get_word(s, MOTE_LAYER_DOWN) +
                  (get_word(s, MOTE_LAYER_OUTPUT_WIDTH) - 1) * (half_at(s, MOTE_LAYER_QUAD_ACROSS) & 255);
  set_word(s, MOTE_LAYER_INPUT, get_word(s, MOTE_LAYER_INPUT) + s->model.linear_bytes - 1 - span);
  CHECK(function_of(kernel, lanes)(&s->model, LAYER, PROGRESS, 1) > 0, "kernel %u", kernel);
  set_word(s, MOTE_LAYER_INPUT, get_word(s, MOTE_LAYER_INPUT) + 1);
  expect_trap(s, lanes, "an input beyond the end");
  s = set_lots(kernel);
  put_u32(s->model.linear + MOTE_CONTROL_WINDOW_PTR, 0);
  put_u32(s->model.linear + MOTE_CONTROL_WINDOW_BYTES, s->model.linear_bytes - scratch_bytes_of(s) + 4);
  expect_trap(s, lanes, "scratch beyond the end");
  s = set_lots(kernel);
  put_u32(s->model.linear + MOTE_CONTROL_WINDOW_BYTES, 0xfffffffc);
  expect_trap(s, lanes, "scratch beyond 32 bits");
  s = set_lots(kernel);
  put_u32(s->model.linear + MOTE_CONTROL_WINDOW_PTR, u32_at(s->model.linear + MOTE_CONTROL_WINDOW_PTR) - 1);
  expect_trap(s, lanes, "scratch at an odd address");
  s = set_lots(kernel);
  set_word(s, MOTE_LAYER_QUAD_COUNT_2, get_word(s, MOTE_LAYER_QUAD_COUNT_2) & 0xffffff);
  expect_trap(s, lanes, "a lot of nothing");
  s = set_lots(kernel);
  s->stream_bytes--;
  s->model.source.container_bytes--;
  expect_trap(s, lanes, "a stream that ends before");
  if (kernel != GAPS) return;
  s = set_lots(kernel);
  uint8_t *head = s->stream + get_word(s, MOTE_LAYER_STREAM);
  uint32_t gaps = 0;
  for (uint32_t i = 0; i < u32_at(head + 12) >> 8; i++) gaps += head[MOTE_ROW_BYTES + 2 * i];
  if (lot_inputs(s) - gaps + head[MOTE_ROW_BYTES] > 255) {
    strike(s);
    return;
  }
  head[MOTE_ROW_BYTES] = (uint8_t)(lot_inputs(s) - gaps + head[MOTE_ROW_BYTES]);
  expect_trap(s, lanes, "a weight behind the last input");
}

/** Anything may be wrong: nothing outside linear memory and stream is touched, and a call ends. @returns whether one was refused */
static bool check_wild(uint32_t kernel, bool lanes) {
  stage *s = set_stage(kernel);
  /* Now and then in the middle. */
  for (uint32_t slices = below(3); slices > 0; slices--) (void)function_of(kernel, lanes)(&s->model, LAYER, PROGRESS, 1);
  for (uint32_t changes = 1 + below(3); changes > 0; changes--) {
    switch (below(s->kernel < QUADS ? 4 : 5)) {
      case 0:
        s->stream[below(s->stream_bytes)] = (uint8_t)random_u32();
        break;
      case 1: {
        uint32_t word = 4 * below(MOTE_PROGRESS_BYTES / 4);
        put_u32(s->model.linear + PROGRESS + word, wild(u32_at(s->model.linear + PROGRESS + word)));
        break;
      }
      case 2: {
        cut_stream(s);
        if (s->stream_bytes == 0) changes = 1;
        break;
      }
      case 3: {
        uint32_t word = below(2) == 0 ? MOTE_CONTROL_WINDOW_PTR : MOTE_CONTROL_WINDOW_BYTES;
        put_u32(s->model.linear + word, wild(u32_at(s->model.linear + word)));
        break;
      }
      default: {
        uint32_t word = 4 * below(MOTE_LAYER_ENTRY_BYTES / 4);
        set_word(s, word, wild(get_word(s, word)));
      }
    }
  }
  uint32_t layer = below(20) == 0 ? wild(LAYER) : LAYER;
  uint32_t progress = below(20) == 0 ? wild(PROGRESS) : PROGRESS;
  int32_t work = 1;
  for (int slice = 0; work >= 0 && slice < 3; slice++) work = function_of(kernel, lanes)(&s->model, layer, progress, 2000);
  strike(s);
  return work == MOTE_KERNEL_TRAP;
}

/** The module's own kernels trap; where to and with what they are called stands at 1,024. */
static void check_caller(const mote_source *source, bool is_native) {
  static uint64_t memory[8192];
  static const uint8_t image[4];
  static const uint32_t calls[][3] = {
      {256, 320, 100}, {0, 0, 0}, {0xffffffff, 320, 1}, {256, 0xffffffff, 1}, {2000, 2000, 0xffffffff}, {256, 320, 0x80000000},
  };
  mote *model;
  mote_status opened = mote_open(&model, source, memory, sizeof memory);
  CHECK(opened == MOTE_DONE, "%s", mote_status_text(opened));
  if (opened != MOTE_DONE) return;
  for (uint32_t kernel = 0; kernel < KERNELS; kernel++) {
    for (size_t call = 0; call < sizeof calls / sizeof calls[0]; call++) {
      mote_input_u8(model, image, sizeof image);
      put_u32(model->linear + 1024, kernel + 1);
      for (uint32_t i = 0; i < 3; i++) put_u32(model->linear + 1028 + 4 * i, calls[call][i]);
      CHECK(mote_run(model) == MOTE_ERROR_TRAP, "kernel %u, call %zu", kernel, call);
    }
  }
  /* A layer of one weight, which the library's kernel alone computes. */
  static const uint32_t entry[16] = {3, 600, 1, 0, 601, 1, 1, 1, 1, 1, 0, 1, 0, 0, 255, 0};
  mote_input_u8(model, image, sizeof image);
  for (uint32_t i = 0; i < 16; i++) put_u32(model->linear + 256 + 4 * i, entry[i]);
  memset(model->linear + 320, 0, MOTE_PROGRESS_BYTES);
  model->linear[600] = 77;
  put_u32(model->linear + 1024, DENSE + 1);
  put_u32(model->linear + 1028, 256);
  put_u32(model->linear + 1032, 320);
  put_u32(model->linear + 1036, 1000);
  mote_status status = mote_run(model);
  CHECK(status == (is_native ? MOTE_DONE : MOTE_ERROR_TRAP), "%s", mote_status_text(status));
  CHECK((model->linear[601] == 77) == is_native, "%u", model->linear[601]);
  mote_close(model);
}

/** An export with a kernel's name and another type. */
static void check_odd(const char *path) {
  static uint64_t memory[8192];
  bytes module = read_bytes(path);
  mote_source source = {&mote_wasm3, module.data, module.length, NULL, 0, NULL, NULL};
  mote *model;
  CHECK(mote_open(&model, &source, memory, sizeof memory) == MOTE_DONE, "open");
  source.engine = &mote_wasm3_native;
  CHECK(mote_open(&model, &source, memory, sizeof memory) == MOTE_ERROR_MODULE, "refuse");
  free(module.data);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  uint32_t refused = 0;
  enum { LAYERS = 1500, WILD = 20000 };
  for (uint32_t i = 0; i < LAYERS; i++) {
    for (uint32_t kernel = 0; kernel < KERNELS; kernel++) check_layer(kernel, i % 2 == 0, i % 3 == 0 ? 1 << 20 : 1 + (int32_t)below(3000));
  }
  for (uint32_t i = 0; i < 100; i++) {
    check_edge(TILES, i % 2 == 0);
    check_edge(BLOCKS, i % 2 == 0);
    check_lot_edges(QUADS, i % 2 == 0);
    check_lot_edges(GAPS, i % 2 == 0);
  }
  for (uint32_t i = 0; i < WILD; i++) refused += check_wild(i % KERNELS, i / KERNELS % 2 == 0);
  CHECK(refused > WILD / 4 && refused < WILD * 9 / 10, "%u of %u refused", refused, WILD);
  bytes module = read_bytes(argv[1]);
  mote_source source = {&mote_wasm3, module.data, module.length, NULL, 0, NULL, NULL};
  check_caller(&source, false);
  source.engine = &mote_wasm3_native;
  check_caller(&source, true);
  check_caller(&caller_source, true);
  check_odd(argv[2]);
  free(module.data);
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
