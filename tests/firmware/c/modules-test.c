/**
 * Opens and runs modules by wasm3, hostile ones among them, to be built with AddressSanitizer and UBSan. What mote_module_check lets through may
 * do nonsense, trap or run without end, but touches no memory but its own.
 * Usage: modules-test MODEL.mote BATCH
 * BATCH: each module as a u32 length and its bytes. MODEL.mote stands beside those that are neither packed nor fast.
 * Prints a letter a module: - refused by the check, e an error afterwards, r ran, w without end; then what failed.
 */
/* For sigsetjmp, sigaction and setitimer. */
#define _XOPEN_SOURCE 600

#include "check.h"
#include "mote-module.h"
#include "patience.h"

#define MEMORY_BYTES (192u << 10)
#define MAX_STEPS 40
#define STEP_BUDGET 20000u
/** Of processor time, for a call that does not come back. */
#define PATIENCE_US 100000

static mote_status steps(mote *model) {
  mote_status status = MOTE_BUSY;
  for (int step = 0; status == MOTE_BUSY && step < MAX_STEPS; step++) status = mote_step(model, STEP_BUDGET);
  return status;
}

static mote_status run(const mote_source *source, uint8_t *memory) {
  mote *model;
  mote_status status = mote_begin(&model, source, memory, MEMORY_BYTES);
  if (status == MOTE_BUSY) status = steps(model);
  if (status != MOTE_DONE) return status;
  for (uint32_t i = 0; status == MOTE_DONE && i < mote_input_count(model); i++) {
    mote_tensor shape = mote_input_tensor(model, i);
    size_t elements = (size_t)shape.channels * shape.height * shape.width;
    int8_t *input = calloc(elements, 1);
    for (size_t k = 0; input != NULL && k < elements; k += 3) input[k] = (int8_t)random_u32();
    status = input == NULL ? MOTE_ERROR_MEMORY : mote_set_input_i8(model, i, input, elements);
    free(input);
  }
  if (status == MOTE_DONE) status = steps(model);
  if (status == MOTE_DONE) status = mote_reset(model);
  mote_close(model);
  return status;
}

/** By native kernels, where the module has any, and as data: whatever comes of it. */
static void run_natively(mote_source source, uint8_t *memory) {
  source.engine = &mote_data;
  CHECK(run(&source, memory) <= MOTE_BUSY, "as data");
  source.engine = &mote_wasm3_native;
  if (sigsetjmp(endless, 1) != 0) return;
  set_patience(PATIENCE_US);
  (void)run(&source, memory);
  set_patience(0);
}

/** In a block of its own length, so that a read behind it is found. */
static char open_and_run(bytes container, const uint8_t *wasm, uint32_t length, uint8_t *memory) {
  static uint8_t *module;
  free(module);
  module = memcpy(malloc(length), wasm, length);
  mote_bytes all = {module, length};
  bool passes = mote_module_check(all);
  mote_source source = {&mote_wasm3, module, length, NULL, 0, NULL, NULL};
  if (mote_module_section(all, MOTE_STREAM_SECTION).data == NULL && mote_module_initial_u32(all, MOTE_CONTROL_MODEL_PTR) == 0) {
    source.container = container.data;
    source.container_bytes = container.length;
  }
  run_natively(source, memory);
  if (sigsetjmp(endless, 1) != 0) return 'w';
  set_patience(PATIENCE_US);
  mote_status status = run(&source, memory);
  set_patience(0);
  CHECK(passes || status == MOTE_ERROR_MODULE, "refused, but %s", mote_status_text(status));
  if (!passes) return '-';
  return status == MOTE_DONE || status == MOTE_BUSY ? 'r' : 'e';
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  bytes container = read_bytes(argv[1]);
  bytes batch = read_bytes(argv[2]);
  uint8_t *memory = malloc(MEMORY_BYTES);
  struct sigaction action = {.sa_handler = give_up};
  sigaction(SIGVTALRM, &action, NULL);
  for (uint32_t at = 0; at + 4 <= batch.length;) {
    uint32_t length = u32_at(batch.data + at);
    putchar(open_and_run(container, batch.data + at + 4, length, memory));
    at += 4 + length;
  }
  free(memory);
  free(batch.data);
  free(container.data);
  printf("\n%d checks failed\n", checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
