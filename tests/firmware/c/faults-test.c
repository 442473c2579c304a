/**
 * All that a model is opened and run with fails once, each time: allocations, reads, calls of the engine, rows of the input. To be built with
 * AddressSanitizer, UBSan and guarded-heap.c. The call under way ends with that error's status; the next try gives the right bytes.
 * Usage: faults-test CASES CORE.wasm MODEL.mote PACKED.wasm FAST.wasm...
 * All of the same model, which has names, and a certificate that says what mote_self_test is to find.
 */
#include "cases.h"
#include "core.h"
#include "fault.h"

#define MEMORY_BYTES (1u << 20)
/** What a row that cannot be had answers. */
#define ROW_FAILED (-77)

static uint8_t memory[MEMORY_BYTES];
static bytes container;
static fault reads;
static fault calls;
static fault rows;
/** The engine of the source at hand, and the same with calls that fail. */
static const mote_engine *whole_engine;
static mote_engine faulty_engine;

static int32_t read_container(void *context, uint32_t offset, void *target, uint32_t length) {
  (void)context;
  if (fails(&reads)) return 1;
  memcpy(target, container.data + offset, length);
  return 0;
}

static mote_status call(mote *model, mote_export which, uint32_t argument) {
  return fails(&calls) ? MOTE_ERROR_TRAP : whole_engine->call(model, which, argument);
}

typedef struct picture {
  mote_tensor shape;
  const int8_t *values;
} picture;

static mote_status give_row(void *context, uint32_t channel, uint32_t row, int8_t *values) {
  const picture *from = context;
  if (fails(&rows)) return ROW_FAILED;
  memcpy(values, from->values + (channel * from->shape.height + row) * from->shape.width, from->shape.width);
  return MOTE_DONE;
}

/** One run, its first input by rows. Outputs are looked at where there are any. */
static mote_status run(mote *model, uint32_t i) {
  picture first = {mote_input_tensor(model, 0), case_inputs(i)};
  mote_status status = mote_input_rows(model, give_row, &first);
  const int8_t *values = case_inputs(i) + end_elements(0);
  for (uint32_t input = 1; status == MOTE_DONE && input < input_count; input++) {
    status = mote_set_input_i8(model, input, values, end_elements(input));
    values += end_elements(input);
  }
  if (status == MOTE_DONE) status = mote_run(model);
  const int8_t *expected = case_outputs(i);
  for (uint32_t k = 0; status == MOTE_DONE && k < output_count; k++) {
    uint32_t count = end_elements(input_count + k);
    int8_t *output = malloc(count);
    CHECK(mote_get_output_i8(model, k, output, count) == MOTE_DONE && memcmp(output, expected, count) == 0, "case %u, output %u", i, k);
    expected += count;
    free(output);
  }
  return status;
}

/** All that may be done with an open model, two runs so that states matter. @returns the first error */
static mote_status use(mote *model) {
  char text[MOTE_LABEL_BYTES];
  mote_status status = mote_reset(model);
  for (uint32_t i = 0; status == MOTE_DONE && i < 2; i++) status = run(model, i);
  if (status == MOTE_DONE) status = mote_output_name(model, 0, text, sizeof text);
  return status == MOTE_DONE ? mote_self_test(model) : status;
}

static mote_status open_and_use(const mote_source *source, mote **model) {
  mote_status status = mote_open(model, source, memory, sizeof memory);
  return status == MOTE_DONE ? use(*model) : status;
}

/** @returns how many calls there were to fail */
static uint32_t fail_each(const mote_source *source, fault *f, mote_status expected, const char *name) {
  for (uint32_t k = 1;; k++) {
    mote *model = NULL;
    *f = (fault){0, k};
    mote_status status = open_and_use(source, &model);
    bool has_failed = f->calls >= k;
    *f = (fault){0, 0};
    if (!has_failed) {
      CHECK(status == MOTE_DONE, "%s, without a fault: %s", name, mote_status_text(status));
      return k - 1;
    }
    CHECK(status == expected, "%s, fault %u: %d, expected %d", name, k, (int)status, (int)expected);
    status = model == NULL ? open_and_use(source, &model) : use(model);
    CHECK(status == MOTE_DONE, "%s, fault %u, the next try: %s", name, k, mote_status_text(status));
    mote_close(model);
  }
}

/** What is read to know how much memory it takes. */
static void fail_measuring(const mote_source *source) {
  reads = (fault){0, 0};
  size_t needed = mote_memory_needed(source);
  uint32_t count = reads.calls;
  CHECK(needed > 0 && count > 0, "%zu bytes, %u reads", needed, count);
  for (uint32_t k = 1; k <= count; k++) {
    reads = (fault){0, k};
    CHECK(mote_memory_needed(source) == 0, "read %u", k);
  }
  reads = (fault){0, 0};
  CHECK(mote_memory_needed(source) == needed, "the next try");
}

static void check_faults(const char *name, mote_source source, bool is_read) {
  uint32_t read_count = 0;
  if (is_read) {
    fail_measuring(&source);
    read_count = fail_each(&source, &reads, MOTE_STATUS_READ, name);
    CHECK(read_count > 0, "%s: nothing is read", name);
  }
  uint32_t allocation_count = fail_each(&source, &allocations, MOTE_ERROR_MEMORY, name);
  whole_engine = source.engine;
  faulty_engine = *whole_engine;
  faulty_engine.call = call;
  source.engine = &faulty_engine;
  uint32_t call_count = fail_each(&source, &calls, MOTE_ERROR_TRAP, name);
  source.engine = whole_engine;
  uint32_t row_count = fail_each(&source, &rows, ROW_FAILED, name);
  CHECK(allocation_count > 1 && call_count > 0 && row_count > 0, "%s: %u, %u, %u", name, allocation_count, call_count, row_count);
  printf("%s: %u allocations, %u reads, %u calls, %u rows failed\n", name, allocation_count, read_count, call_count, row_count);
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  read_cases(argv[1]);
  bytes core = read_bytes(argv[2]);
  container = read_bytes(argv[3]);
  check_faults("wasm3", (mote_source){&mote_wasm3, core.data, core.length, NULL, container.length, read_container, NULL}, true);
  check_faults("aot", (mote_source){&mote_aot, &core_module, 0, NULL, container.length, read_container, NULL}, true);
  bytes packed = read_bytes(argv[4]);
  check_faults("packed", (mote_source){&mote_wasm3, packed.data, packed.length, NULL, 0, NULL, NULL}, false);
  static const mote_engine *const fast_engines[] = {&mote_wasm3, &mote_wasm3_native, &mote_data};
  static const char *const names[] = {"fast", "native", "data"};
  for (int at = 5; at < argc; at++) {
    bytes fast = read_bytes(argv[at]);
    for (int i = 0; i < 3; i++) check_faults(names[i], (mote_source){fast_engines[i], fast.data, fast.length, NULL, 0, NULL, NULL}, false);
    free(fast.data);
  }
  free(cases.data);
  free(core.data);
  free(container.data);
  free(packed.data);
  mote_heap nothing;
  mote_heap_init(&nothing, memory, 0); /* The last model's blocks. */
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed > 0;
}
