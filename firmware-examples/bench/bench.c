/**
 * The program that `npm run firmware` runs on each board: opens a model, runs it on each input, counts instructions and bytes, tries
 * damaged files. Prints lines of words for the host to read. Numbers are hexadecimal, so that the bench divides nothing; times are ticks of
 * board_clock. What the bench itself takes is in no figure: it says what an empty measurement takes, counts stack from where it calls the
 * library, and has no static data.
 */
#include "bench.h"

#include <stdbool.h>

#include "board.h"
#include "mote.h"

/** Damaged copies of the container, and of the module, that are tried. */
#define DAMAGES 12u

/** Ticks are coarse: so many empty measurements tell what one takes. */
#define EMPTY_MEASUREMENTS 1024u

static void print_number(int64_t value) {
  char text[20];
  char *p = text + sizeof text;
  *--p = '\0';
  uint64_t rest = value < 0 ? (uint64_t)-value : (uint64_t)value;
  do {
    *--p = "0123456789abcdef"[rest & 15];
    rest >>= 4;
  } while (rest != 0);
  if (value < 0) *--p = '-';
  board_print(" ");
  board_print(p);
}

/** Ticks since `start`: right within a turn of the clock. */
static __attribute__((noinline)) uint32_t ticks_since(uint32_t start) {
  uint32_t mask = board_clock_bits >= 32 ? UINT32_MAX : (1u << board_clock_bits) - 1;
  return (board_clock() - start) & mask;
}

/** Ticks of a short and of a long loop, then of the empty measurements. */
static void calibrate(void) {
  board_print("calibrate");
  for (uint32_t turns = 1000000; turns <= 2000000; turns += 1000000) {
    uint32_t start = board_clock();
    board_spin(turns);
    print_number(ticks_since(start));
  }
  uint32_t empty = 0;
  for (uint32_t i = 0; i < EMPTY_MEASUREMENTS; i++) {
    uint32_t start = board_clock();
    empty += ticks_since(start);
  }
  board_print("\nempty");
  print_number(EMPTY_MEASUREMENTS);
  print_number(empty);
  board_print("\n");
}

/** Ticks of the slices of a layer, and how many there were. */
typedef struct layer_ticks {
  uint64_t ticks;
  uint32_t slices;
} layer_ticks;

/** What one run leaves, in the memory behind the model: an open model takes no more of it. */
typedef struct results {
  /** One more than the model has: behind the last layer a run may go on to keep states. */
  layer_ticks *layers;
  uint32_t layer_count;
  int8_t *outputs;
} results;

/** What slices took in all. */
typedef struct slices_taken {
  layer_ticks all;
  uint32_t longest;
  /** Bytes of stack below the bench's own. */
  uint32_t stack;
} slices_taken;

/** Steps to the end. @param r where the ticks of each layer are added up, or null */
static mote_status run_slices(mote *model, slices_taken *taken, const results *r) {
  mote_status status;
  /* Until the first slice of a run is done, mote_layers_done tells of the run before. */
  uint32_t layer = 0;
  board_paint_stack();
  do {
    uint32_t start = board_clock();
    status = mote_step(model, BENCH_BUDGET);
    uint32_t ticks = ticks_since(start);
    if (ticks > taken->longest) taken->longest = ticks;
    taken->all.ticks += ticks;
    taken->all.slices++;
    if (r == NULL) continue;
    r->layers[layer].ticks += ticks;
    r->layers[layer].slices++;
    layer = mote_layers_done(model);
  } while (status == MOTE_BUSY);
  taken->stack = (uint32_t)(board_stack_used() - board_stack_depth());
  return status;
}

static void print_ticks(const layer_ticks *of) {
  print_number((int64_t)of->ticks);
  print_number(of->slices);
}

static void print_slices(const slices_taken *taken) {
  print_ticks(&taken->all);
  print_number(taken->longest);
  print_number(taken->stack);
}

/** open, ticks and stack of beginning, then of the slices ticks, how many, ticks of the longest, stack; memory used, and linear. */
static mote *open_model(const mote_source *source) {
  mote *model;
  size_t bytes = (size_t)(board_memory_high - board_memory_low);
  slices_taken loading = {{0, 0}, 0, 0};
  board_paint_stack();
  uint32_t start = board_clock();
  mote_status status = mote_begin(&model, source, board_memory_low, bytes);
  uint32_t begin = ticks_since(start);
  size_t begin_stack = board_stack_used() - board_stack_depth();
  if (status == MOTE_BUSY) status = run_slices(model, &loading, NULL);
  if (status != MOTE_DONE) {
    board_print("error");
    print_number(status);
    print_number((int64_t)mote_error_offset(model));
    board_print("\n");
    return NULL;
  }
  board_print("open");
  print_number(begin);
  print_number((int64_t)begin_stack);
  print_slices(&loading);
  board_print("\nmemory");
  print_number((int64_t)mote_memory_used(model));
  print_number((int64_t)mote_linear_bytes(model));
  board_print("\n");
  return model;
}

/** Finds room for any model's results. @returns whether there is; prints how much is missing where not */
static bool place_results(const mote *model, results *r) {
  r->layer_count = mote_layer_count(model);
  size_t used = (mote_memory_used(model) + 7u) & ~(size_t)7u;
  size_t left = (size_t)(board_memory_high - board_memory_low) - used;
  size_t needed = (r->layer_count + 1) * sizeof(layer_ticks) + bench_output_elements;
  if (used > (size_t)(board_memory_high - board_memory_low) || needed > left) {
    board_print("room");
    print_number((int64_t)needed);
    print_number((int64_t)left);
    board_print("\n");
    return false;
  }
  r->layers = (layer_ticks *)(void *)(board_memory_low + used);
  r->outputs = (int8_t *)(r->layers + r->layer_count + 1);
  return true;
}

/** run STATUS CLASS, ticks of the inputs, the slices as of opening; layers with ticks and slices each; logits. */
static void run_once(mote *model, uint32_t index, const results *r) {
  slices_taken taken = {{0, 0}, 0, 0};
  for (uint32_t i = 0; i <= r->layer_count; i++) r->layers[i] = (layer_ticks){0, 0};
  mote_status status = bench_begin(model, index);
  uint32_t start = board_clock();
  if (status == MOTE_DONE) status = bench_set_inputs(model, index);
  uint32_t input = ticks_since(start);
  if (status == MOTE_DONE) status = run_slices(model, &taken, r);
  if (status == MOTE_DONE) status = bench_get_outputs(model, r->outputs);
  board_print("run");
  print_number(status);
  print_number(mote_top(model));
  print_number(input);
  print_slices(&taken);
  board_print("\nlayers");
  for (uint32_t i = 0; i < r->layer_count; i++) print_ticks(&r->layers[i]);
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
    at = source.container_bytes / DAMAGES * i;
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
    uint32_t at = copied / DAMAGES * i;
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
  board_print("bench\n");
  calibrate();
  mote *model = open_model(bench_source);
  bool runs = model != NULL && place_results(model, &r);
  size_t used = 0;
  if (runs) {
    used = mote_memory_used(model);
    for (uint32_t i = 0; i < bench_input_count; i++) run_once(model, i, &r);
    mote_close(model);
  }
  if (runs) {
    open_damaged(used);
    /* The board lives on. */
    model = open_model(bench_source);
    if (model != NULL) run_once(model, 0, &r);
  }
  board_print("end\n");
  return 0;
}
