/**
 * The program that `npm run firmware` runs on each board: opens a model, runs it on each input, counts instructions and bytes, tries
 * damaged files. Prints lines of words for the host to read; all numbers are decimal, times are ticks of board_clock.
 */
#include "bench.h"

#include <stdbool.h>

#include "board.h"
#include "mote.h"

/** Damaged copies of the container, and of the module, that are tried. */
#define DAMAGES 12u

static void print_number(int64_t value) {
  char text[24];
  char *p = text + sizeof text;
  *--p = '\0';
  uint64_t rest = value < 0 ? (uint64_t)-value : (uint64_t)value;
  do {
    *--p = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (value < 0) *--p = '-';
  board_print(" ");
  board_print(p);
}

static uint32_t last_clock;
static uint64_t total_clock;

/** Ticks since the start. Right as long as it is called once in a turn of the clock. */
static uint64_t now(void) {
  uint32_t clock = board_clock();
  uint32_t mask = board_clock_bits >= 32 ? UINT32_MAX : (1u << board_clock_bits) - 1;
  total_clock += (clock - last_clock) & mask;
  last_clock = clock;
  return total_clock;
}

static void calibrate(void) {
  board_print("calibrate");
  for (uint32_t turns = 1000000; turns <= 2000000; turns += 1000000) {
    uint64_t start = now();
    board_spin(turns);
    print_number((int64_t)(now() - start));
  }
  board_print("\n");
}

/** Steps to the end. @param layers ticks of each layer are added up here, or null */
static mote_status run_slices(mote *model, uint64_t *longest, uint64_t *layers) {
  mote_status status;
  uint64_t start = now();
  /* Until the first slice of a run is done, mote_layers_done tells of the run before. */
  uint32_t layer = 0;
  do {
    status = mote_step(model, BENCH_BUDGET);
    uint64_t end = now();
    if (end - start > *longest) *longest = end - start;
    if (layers != NULL) layers[layer] += end - start;
    layer = layers == NULL ? 0 : mote_layers_done(model);
    start = end;
  } while (status == MOTE_BUSY);
  return status;
}

static mote *open_model(const mote_source *source) {
  mote *model;
  size_t bytes = (size_t)(board_memory_high - board_memory_low);
  uint64_t longest = 0;
  uint64_t start = now();
  mote_status status = mote_begin(&model, source, board_memory_low, bytes);
  uint64_t begun = now();
  size_t begin_stack = board_stack_used();
  board_paint_stack();
  if (status == MOTE_BUSY) status = run_slices(model, &longest, NULL);
  uint64_t end = now();
  if (status != MOTE_DONE) {
    board_print("error");
    print_number(status);
    print_number((int64_t)mote_error_offset(model));
    board_print("\n");
    return NULL;
  }
  board_print("open");
  print_number((int64_t)(begun - start));
  print_number((int64_t)(end - begun));
  print_number((int64_t)longest);
  board_print("\nmemory");
  print_number((int64_t)mote_memory_used(model));
  print_number((int64_t)mote_linear_bytes(model));
  print_number((int64_t)begin_stack);
  board_print("\n");
  return model;
}

/** What one run leaves, in the memory behind the model: an open model takes no more of it. */
typedef struct results {
  uint64_t *layers;
  uint32_t layer_count;
  int8_t *outputs;
} results;

/** Finds room for any model's results. @returns whether there is; prints how much is missing where not */
static bool place_results(const mote *model, results *r) {
  r->layer_count = mote_layer_count(model);
  size_t used = (mote_memory_used(model) + 7u) & ~(size_t)7u;
  size_t left = (size_t)(board_memory_high - board_memory_low) - used;
  size_t needed = r->layer_count * sizeof(uint64_t) + bench_output_elements;
  if (used > (size_t)(board_memory_high - board_memory_low) || needed > left) {
    board_print("room");
    print_number((int64_t)needed);
    print_number((int64_t)left);
    board_print("\n");
    return false;
  }
  r->layers = (uint64_t *)(void *)(board_memory_low + used);
  r->outputs = (int8_t *)(r->layers + r->layer_count);
  return true;
}

/** run STATUS CLASS, ticks of the inputs, of the run and of its longest slice; layers with ticks each; logits. */
static void run_once(mote *model, uint32_t index, const results *r) {
  uint64_t longest = 0;
  for (uint32_t i = 0; i < r->layer_count; i++) r->layers[i] = 0;
  uint64_t start = now();
  mote_status status = bench_set_inputs(model, index);
  uint64_t ready = now();
  if (status == MOTE_DONE) status = run_slices(model, &longest, r->layers);
  uint64_t end = now();
  if (status == MOTE_DONE) status = bench_get_outputs(model, r->outputs);
  board_print("run");
  print_number(status);
  print_number(mote_top(model));
  print_number((int64_t)(ready - start));
  print_number((int64_t)(end - ready));
  print_number((int64_t)longest);
  board_print("\nlayers");
  for (uint32_t i = 0; i < r->layer_count; i++) print_number((int64_t)r->layers[i]);
  board_print("\nlogits");
  for (uint32_t i = 0; status == MOTE_DONE && i < bench_output_elements; i++) print_number(r->outputs[i]);
  board_print("\n");
}

/** A container with one bit wrong, at the offset in `context`. */
static int32_t read_damaged(void *context, uint32_t offset, void *target, uint32_t length) {
  uint32_t at = *(const uint32_t *)context;
  uint8_t *bytes = target;
  for (uint32_t i = 0; i < length; i++) bytes[i] = bench_source->container[offset + i];
  if (at >= offset && at - offset < length) bytes[at - offset] ^= (uint8_t)(1u << (at & 7));
  return 0;
}

static void open_and_print(const mote_source *source, size_t bytes) {
  mote *model;
  print_number(mote_open(&model, source, board_memory_low, bytes));
}

static void open_damaged_containers(mote_source source, size_t bytes) {
  uint32_t at;
  source.container = NULL;
  source.read = read_damaged;
  source.read_context = &at;
  for (uint32_t i = 0; i < DAMAGES; i++) {
    at = (uint32_t)((uint64_t)source.container_bytes * i / DAMAGES);
    open_and_print(&source, bytes);
  }
}

/** The module, copied to RAM, with one bit wrong. Where it does not fit, the copy is cut short. */
static void open_damaged_modules(mote_source source, size_t bytes) {
  uint32_t copied = source.module_bytes < bytes / 2 ? source.module_bytes : (uint32_t)(bytes / 2);
  uint8_t *copy = board_memory_high - copied;
  for (uint32_t i = 0; i < copied; i++) copy[i] = ((const uint8_t *)source.module)[i];
  source.module = copy;
  source.module_bytes = copied;
  for (uint32_t i = 0; i < DAMAGES; i++) {
    uint32_t at = (uint32_t)((uint64_t)copied * i / DAMAGES);
    copy[at] ^= (uint8_t)(1u << (at & 7));
    open_and_print(&source, bytes - copied);
    copy[at] ^= (uint8_t)(1u << (at & 7));
  }
}

/** Statuses of opening what is damaged, or in a byte less than it takes: each must be an error. */
static void open_damaged(size_t used) {
  size_t bytes = (size_t)(board_memory_high - board_memory_low);
  board_print("damaged");
  open_and_print(bench_source, used - 1);
  if (bench_source->container_bytes != 0) open_damaged_containers(*bench_source, bytes);
  if (bench_source->module_bytes != 0) open_damaged_modules(*bench_source, bytes);
  board_print("\n");
}

int main(void) {
  results r;
  board_paint_stack();
  board_print("bench\n");
  last_clock = board_clock();
  calibrate();
  mote *model = open_model(bench_source);
  bool runs = model != NULL && place_results(model, &r);
  size_t used = 0;
  if (runs) {
    used = mote_memory_used(model);
    for (uint32_t i = 0; i < bench_input_count; i++) run_once(model, i, &r);
    mote_close(model);
  }
  board_print("stack");
  print_number((int64_t)board_stack_used());
  board_print("\n");
  if (runs) {
    open_damaged(used);
    /* The board lives on. */
    model = open_model(bench_source);
    if (model != NULL) run_once(model, 0, &r);
  }
  board_print("end\n");
  return 0;
}
