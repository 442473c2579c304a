/**
 * The program that `npm run firmware` runs on each board: opens a model, classifies digits, counts instructions and bytes, tries
 * damaged files. Prints lines of words for the host to read; all numbers are decimal, times are ticks of board_clock.
 */
#include "bench.h"

#include "board.h"
#include "mote.h"

/** The longest output that is printed. */
#define MAX_OUTPUT 64u
#define MAX_LAYERS 16u
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
  do {
    uint32_t layer = layers == NULL ? 0 : mote_layers_done(model);
    status = mote_step(model, BENCH_BUDGET);
    uint64_t end = now();
    if (end - start > *longest) *longest = end - start;
    if (layers != NULL && layer < MAX_LAYERS) layers[layer] += end - start;
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
    print_number((int64_t)bytes);
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

/** digit LABEL CLASS, ticks of the input, of the run and of its longest slice; layers with ticks each; logits. */
static void classify(mote *model, uint32_t digit) {
  uint64_t layers[MAX_LAYERS] = {0};
  uint64_t longest = 0;
  int8_t output[MAX_OUTPUT];
  mote_tensor shape = mote_output_tensor(model);
  uint32_t outputs = shape.channels * shape.height * shape.width;
  uint64_t start = now();
  mote_status status = mote_input_u8(model, bench_digits + digit * BENCH_DIGIT_BYTES, BENCH_DIGIT_BYTES);
  uint64_t ready = now();
  if (status == MOTE_DONE) status = run_slices(model, &longest, layers);
  uint64_t end = now();
  if (status == MOTE_DONE) status = mote_output(model, output, outputs);
  board_print("digit");
  print_number(status);
  print_number(mote_top(model));
  print_number((int64_t)(ready - start));
  print_number((int64_t)(end - ready));
  print_number((int64_t)longest);
  board_print("\nlayers");
  for (uint32_t i = 0; i < mote_layer_count(model) && i < MAX_LAYERS; i++) print_number((int64_t)layers[i]);
  board_print("\nlogits");
  for (uint32_t i = 0; status == MOTE_DONE && i < outputs; i++) print_number(output[i]);
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
  board_paint_stack();
  board_print("bench\n");
  last_clock = board_clock();
  calibrate();
  mote *model = open_model(bench_source);
  size_t used = 0;
  if (model != NULL) {
    used = mote_memory_used(model);
    for (uint32_t i = 0; i < bench_digit_count; i++) classify(model, i);
    mote_close(model);
  }
  board_print("stack");
  print_number((int64_t)board_stack_used());
  board_print("\n");
  if (model != NULL) {
    open_damaged(used);
    /* The board lives on. */
    model = open_model(bench_source);
    if (model != NULL) classify(model, 0);
  }
  board_print("end\n");
  return 0;
}
