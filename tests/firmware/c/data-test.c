/**
 * Fast modules as data, to be built with AddressSanitizer and UBSan.
 * Usage: data-test FAST.wasm CASES SHORT.wasm [BAD.wasm STATUS]...
 * CASES: see cases.h. SHORT: a module whose stream ends too early. BAD: modules, sealed like the others, whose opening gives STATUS.
 */
#include "work-limit.h"
#include "mote-native.h"

static mote_source source_of(bytes module) {
  return (mote_source){&mote_data, module.data, module.length, NULL, 0, NULL, NULL};
}

static uint8_t *memory;
static const size_t plenty = 4u << 20;

/** As any fast module: open in one step, then by the rules of any model. */
static void check_order(const mote_source *source) {
  mote *model;
  CHECK(mote_begin(&model, source, memory, plenty) == MOTE_BUSY, "begin");
  CHECK(set_inputs(model, 0) == MOTE_ERROR_ORDER && mote_reset(model) == MOTE_ERROR_ORDER, "input while loading");
  CHECK(mote_step(model, 1) == MOTE_DONE, "one step");
  CHECK(mote_step(model, 1) == MOTE_ERROR_ORDER, "step without an input");
  CHECK(set_inputs(model, 0) == MOTE_DONE, "input");
  mote_status status = mote_step(model, 1);
  CHECK(status == MOTE_BUSY || mote_layer_count(model) == 1, "a slice");
  if (status == MOTE_BUSY) CHECK(mote_reset(model) == MOTE_ERROR_ORDER && mote_run(model) == MOTE_DONE, "the rest");
  mote_close(model);
}

/** Work that a kernel may do beyond its budget: a piece, of records, of pairs or of a line, or a strip. */
enum { MOST_BEYOND = 8192 };

/** Runs the library's kernel for the kind, and looks at what it says of its work. */
static int32_t run_watched(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  const mote_kind *kind = mote_kinds;
  while (kind->kind != mote_linear_u32(model, layer + MOTE_LAYER_KIND)) kind++;
  uint32_t row = mote_linear_u32(model, progress + MOTE_PROGRESS_ROW);
  int32_t work = kind->run(model, layer, progress, budget);
  CHECK(work > 0 && work <= budget + MOST_BEYOND, "kind %u: %d for %d", kind->kind, work, budget);
  bool is_done = mote_linear_u32(model, progress + MOTE_PROGRESS_ROW) == mote_linear_u32(model, layer + MOTE_LAYER_ROWS);
  CHECK(work >= budget || is_done, "kind %u at row %u: %d for %d", kind->kind, row, work, budget);
  return work;
}

/** Slices end with their budget or their layer. */
static void check_slices(mote_source source) {
  mote_kind watched[MOTE_KIND_END + 1];
  size_t count = 0;
  for (const mote_kind *kind = mote_kinds; kind->run != NULL; kind++) watched[count++] = (mote_kind){kind->kind, run_watched};
  watched[count] = (mote_kind)MOTE_RUNS_NO_MORE;
  const mote_engine engine = MOTE_DATA_ENGINE(watched);
  source.engine = &engine;
  mote *model;
  CHECK(mote_open(&model, &source, memory, plenty) == MOTE_DONE, "open");
  check_case(model, 0, 1);
  check_case(model, 0, 700);
  mote_close(model);
}

static mote_status open_and_close(const mote_source *source) {
  mote *model;
  mote_status status = mote_open(&model, source, memory, plenty);
  CHECK((status == MOTE_DONE) == (model != NULL), "%s", mote_status_text(status));
  mote_close(model);
  return status;
}

static void check_container_beside(mote_source source) {
  static const uint8_t container[64];
  source.container = container;
  source.container_bytes = sizeof container;
  CHECK(open_and_close(&source) == MOTE_ERROR_ARGUMENT, "a container beside");
}

/** Rows that are not all there: an error each time, and the model lives on. */
static void check_short_stream(bytes module) {
  mote *model;
  mote_source source = source_of(module);
  CHECK(mote_open(&model, &source, memory, plenty) == MOTE_DONE, "short stream");
  for (int i = 0; model != NULL && i < 3; i++) {
    CHECK(set_inputs(model, 0) == MOTE_DONE, "input");
    CHECK(mote_run(model) == MOTE_ERROR_TRAP, "turn %d", i);
    CHECK(mote_top(model) == MOTE_ERROR_ORDER && mote_reset(model) == MOTE_DONE, "no output");
  }
  mote_close(model);
}

/** Kinds of the module's layers and of no others open it; without any one of them it is refused, and which is told. */
static void check_kinds(mote_source source) {
  mote *model;
  mote_kind used[MOTE_KIND_END + 1];
  size_t count = 0;
  CHECK(mote_open(&model, &source, memory, plenty) == MOTE_DONE, "open");
  for (const mote_kind *kind = mote_kinds; kind->run != NULL; kind++) {
    uint32_t entry = mote_linear_u32(model, MOTE_CONTROL_TENSORS_PTR) + mote_linear_u32(model, MOTE_CONTROL_TENSOR_COUNT) * MOTE_TENSOR_ENTRY_BYTES;
    uint32_t found;
    do found = mote_linear_u32(model, entry);
    while (found != kind->kind && found != MOTE_KIND_END && (entry += MOTE_LAYER_ENTRY_BYTES) != 0);
    if (found == kind->kind) used[count++] = *kind;
  }
  mote_close(model);
  used[count] = (mote_kind)MOTE_RUNS_NO_MORE;
  const mote_engine engine = MOTE_DATA_ENGINE(used);
  source.engine = &engine;
  CHECK(count > 0 && open_and_close(&source) == MOTE_DONE, "%zu kinds", count);
  for (size_t i = 0; i < count; i++) {
    mote_kind lacking = used[i];
    used[i].kind = MOTE_KIND_CONCAT;
    CHECK(mote_begin(&model, &source, memory, plenty) == MOTE_BUSY && mote_run(model) == MOTE_ERROR_KERNEL, "kind %u", lacking.kind);
    CHECK(mote_error_offset(model) == lacking.kind, "%u, not %u", mote_error_offset(model), lacking.kind);
    CHECK(strcmp(mote_lacking(MOTE_ERROR_KERNEL, lacking.kind), "unknown") != 0, "kind %u", lacking.kind);
    CHECK(open_and_close(&source) == MOTE_ERROR_KERNEL, "kind %u", lacking.kind);
    used[i] = lacking;
  }
}

int main(int argc, char **argv) {
  if (argc < 4 || argc % 2 != 0) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  memory = malloc(plenty);
  bytes module = read_bytes(argv[1]);
  read_cases(argv[2]);
  mote_source source = source_of(module);
  check_source("data", &source);
  check_work_limit("data", &source);
  check_alignment(&source);
  check_order(&source);
  check_pixels(&source);
  check_floats(&source);
  check_container_beside(source);
  check_damaged_module(module, source);
  check_one_after_another(&source, &source);
  check_kinds(source);
  check_slices(source);
  bytes cut = read_bytes(argv[3]);
  check_short_stream(cut);
  for (int i = 4; i < argc; i += 2) {
    bytes refused = read_bytes(argv[i]);
    source = source_of(refused);
    mote_status status = open_and_close(&source);
    CHECK(status == (mote_status)strtol(argv[i + 1], NULL, 10), "%s: %s", argv[i], mote_status_text(status));
    free(refused.data);
  }
  free(cut.data);
  free(module.data);
  free(cases.data);
  free(memory);
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
