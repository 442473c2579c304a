/**
 * Models whose input comes by rows, to be built with AddressSanitizer and UBSan.
 * Usage: input-rows-test ROWS.wasm WHOLE.wasm CASES GREEDY.wasm [BAD.wasm STATUS]...
 * CASES: see cases.h. WHOLE: the same model with its input as a whole. GREEDY: a module that asks for more rows than its input has. BAD: modules,
 * sealed like the others, whose opening gives STATUS. ROWS compiled ahead of time is linked in as `rows_source`.
 */
#include "cases.h"
#include "mote-native.h"
#include "rows.h"

/* As where a CPU loads words from any address. */
#define MOTE_KERNEL_LANES 1
#define mote_kernel_lines lines_by_words
int32_t lines_by_words(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
#include "mote-lines.c"
#undef mote_kernel_lines

static uint8_t *memory;
static const size_t plenty = 4u << 20;

/** What gives rows, and what it has been asked for. */
typedef struct giver {
  mote *model;
  const int8_t *input;
  mote_tensor tensor;
  uint32_t row;
  uint32_t channel;
  uint32_t asked;
  /** Every so often there is no row yet. */
  uint32_t misses;
  /** The call that answers this, once. */
  uint32_t odd_call;
  mote_status odd_status;
  bool closes;
} giver;

static mote_status give(void *context, uint32_t channel, uint32_t row, int8_t *values) {
  giver *g = context;
  CHECK(channel == g->channel && row == g->row, "channel %u of row %u, not %u of %u", channel, row, g->channel, g->row);
  CHECK(mote_step(g->model, 1) == MOTE_ERROR_ORDER && mote_reset(g->model) != MOTE_DONE, "calls for its own model");
  if (g->closes) mote_close(g->model);
  if (++g->asked == g->odd_call) return g->odd_status;
  if (g->misses != 0 && g->asked % g->misses == 0) return MOTE_BUSY;
  memcpy(values, g->input + (channel * g->tensor.height + row) * g->tensor.width, g->tensor.width);
  g->channel = (channel + 1) % g->tensor.channels;
  g->row += g->channel == 0;
  return MOTE_DONE;
}

static giver giver_of(mote *model, uint32_t i) {
  return (giver){.model = model, .input = case_inputs(i), .tensor = mote_input_tensor(model, 0)};
}

static void check_outputs(const mote *model, uint32_t i) {
  int8_t *output = malloc(output_bytes);
  CHECK(mote_output(model, output, output_bytes) == MOTE_DONE, "output");
  CHECK(memcmp(output, case_outputs(i), output_bytes) == 0, "case %u", i);
  free(output);
}

/** @param misses see giver */
static void check_by_rows(mote *model, uint32_t i, uint32_t budget, uint32_t misses) {
  giver g = giver_of(model, i);
  g.misses = misses;
  CHECK(mote_input_rows(model, give, &g) == MOTE_DONE, "set");
  mote_status status;
  do status = mote_step(model, budget);
  while (status == MOTE_BUSY);
  CHECK(status == MOTE_DONE, "%s", mote_status_text(status));
  CHECK(g.row == g.tensor.height, "%u rows of %u", g.row, g.tensor.height);
  check_outputs(model, i);
}

/** All cases, whatever the slices and however the rows come. */
static void check_runs(mote *model) {
  for (uint32_t i = 0; i < case_count; i++) check_by_rows(model, i, MOTE_DEFAULT_BUDGET, 0);
  check_by_rows(model, 0, 1, 2);
  check_by_rows(model, 1, 100000000, 3);
}

/** An error of the callback ends the inference, and the next one is as if it had not been. */
static void check_errors(mote *model) {
  giver g = giver_of(model, 0);
  CHECK(mote_input_rows(NULL, give, &g) == MOTE_ERROR_ARGUMENT && mote_input_rows(model, NULL, &g) == MOTE_ERROR_ARGUMENT, "null");
  static const struct { mote_status given, answered; } odd[] = {{-5, -5}, {2, MOTE_ERROR_ARGUMENT}, {INT32_MAX, MOTE_ERROR_ARGUMENT}};
  for (size_t k = 0; k < sizeof odd / sizeof odd[0]; k++) {
    for (uint32_t call = 1; call <= g.tensor.height * g.tensor.channels; call += 5) {
      g = giver_of(model, 0);
      g.odd_call = call;
      g.odd_status = odd[k].given;
      CHECK(mote_input_rows(model, give, &g) == MOTE_DONE, "set");
      mote_status status = mote_run(model);
      CHECK(status == odd[k].answered, "%d at call %u", (int)status, call);
      CHECK(mote_top(model) == MOTE_ERROR_ORDER && mote_step(model, 1) < 0, "no output");
    }
  }
  check_by_rows(model, 1, 1000, 0);
}

static void check_quantizing(const mote *model) {
  uint8_t pixels[256];
  int8_t values[256];
  float reals[256];
  mote_tensor tensor = mote_input_tensor(model, 0);
  for (uint32_t i = 0; i < 256; i++) pixels[i] = (uint8_t)i;
  for (int32_t i = 0; i < 256; i++) reals[i] = tensor.scale * (float)(i - 128 - tensor.zero_point);
  CHECK(mote_quantize_u8(model, 0, pixels, values, 256) == MOTE_DONE, "pixels");
  for (uint32_t i = 0; i < 256; i++) CHECK(values[i] == case_pixels()[i], "pixel %u: %d", i, values[i]);
  CHECK(mote_quantize_f32(model, 0, reals, values, 256) == MOTE_DONE, "reals");
  for (int32_t i = 0; i < 256; i++) CHECK(values[i] == i - 128, "%d: %d", (int)i - 128, values[i]);
  CHECK(mote_quantize_u8(model, 1, pixels, values, 1) == MOTE_ERROR_ARGUMENT, "input 1");
  CHECK(mote_quantize_u8(model, 0, pixels, values, 65536) == MOTE_ERROR_ARGUMENT, "too many");
  CHECK(mote_quantize_u8(model, 0, NULL, values, 1) == MOTE_ERROR_ARGUMENT && mote_quantize_u8(NULL, 0, pixels, values, 1) == MOTE_ERROR_ARGUMENT, "null");
  CHECK(mote_quantize_f32(model, 0, reals, NULL, 1) == MOTE_ERROR_ARGUMENT, "null");
}

static void check_rows(const char *name, const mote_source *source) {
  mote *model;
  mote_status status = mote_begin(&model, source, memory, plenty);
  CHECK(status == MOTE_BUSY && mote_rows_at_once(model) == 0, "%s: begin", name);
  giver early = {0};
  CHECK(mote_input_rows(model, give, &early) == MOTE_ERROR_ORDER, "%s: while loading", name);
  status = mote_run(model);
  CHECK(status == MOTE_DONE, "%s: %s", name, mote_status_text(status));
  if (status != MOTE_DONE) return;
  uint32_t rows = mote_rows_at_once(model);
  printf("%s: %zu bytes, %u rows at a time\n", name, mote_memory_used(model), rows);
  CHECK(rows > 0 && rows < mote_input_tensor(model, 0).height, "%u rows", rows);
  /* As a whole it is refused, and a run without. */
  CHECK(set_inputs(model, 0) == MOTE_ERROR_ROWS && mote_step(model, 1) == MOTE_ERROR_ROWS && mote_run(model) == MOTE_ERROR_ROWS, "%s: whole", name);
  check_runs(model);
  CHECK(mote_step(model, 1) == MOTE_ERROR_ROWS, "%s: rows are set for each inference", name);
  check_errors(model);
  check_quantizing(model);
  CHECK(mote_reset(model) == MOTE_DONE, "%s: reset", name);
  giver g = giver_of(model, 0);
  g.closes = true;
  CHECK(mote_input_rows(model, give, &g) == MOTE_DONE && mote_run(model) == MOTE_ERROR_ORDER && g.asked > 0, "%s: closed meanwhile", name);
  check_needed(name, source, mote_memory_used(model));
}

/** The same calls do for an input that is there as a whole, and the one that was set last counts. */
static void check_whole(const mote_source *source) {
  mote *model;
  CHECK(mote_open(&model, source, memory, plenty) == MOTE_DONE, "open");
  CHECK(mote_rows_at_once(model) == mote_input_tensor(model, 0).height, "all rows");
  check_runs(model);
  check_errors(model);
  giver g = giver_of(model, 0);
  CHECK(mote_input_rows(model, give, &g) == MOTE_DONE && set_inputs(model, 1) == MOTE_DONE && mote_run(model) == MOTE_DONE, "a whole one after rows");
  CHECK(g.asked == 0, "%u calls", g.asked);
  check_outputs(model, 1);
  CHECK(mote_step(model, 1) == MOTE_ERROR_ORDER, "nothing to do");
  CHECK(set_inputs(model, 1) == MOTE_DONE, "whole");
  check_by_rows(model, 0, 1000, 0);
  mote_close(model);
}

/** A module that asks for more rows than there are is no module of ours. */
static void check_greedy(const mote_source *source) {
  mote *model;
  CHECK(mote_open(&model, source, memory, plenty) == MOTE_DONE, "open");
  for (int i = 0; i < 2; i++) {
    giver g = giver_of(model, 0);
    CHECK(mote_input_rows(model, give, &g) == MOTE_DONE, "set");
    mote_status status = mote_run(model);
    CHECK(status == MOTE_ERROR_MODULE && g.row == g.tensor.height, "%d after %u rows", (int)status, g.row);
  }
  mote_close(model);
}

static mote_source source_of(const mote_engine *engine, bytes module) {
  return (mote_source){engine, module.data, module.length, NULL, 0, NULL, NULL};
}

int main(int argc, char **argv) {
  if (argc < 5 || argc % 2 == 0) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  memory = malloc(plenty);
  bytes rows = read_bytes(argv[1]);
  bytes whole = read_bytes(argv[2]);
  read_cases(argv[3]);
  bytes greedy = read_bytes(argv[4]);
  static const mote_engine *const engines[] = {&mote_wasm3, &mote_wasm3_native, &mote_data};
  static const char *const names[] = {"wasm3", "native", "data"};
  for (size_t k = 0; k < 3; k++) {
    mote_source source = source_of(engines[k], rows);
    check_rows(names[k], &source);
    source = source_of(engines[k], whole);
    check_whole(&source);
    source = source_of(engines[k], greedy);
    check_greedy(&source);
    for (int i = 5; i + 1 < argc; i += 2) {
      bytes bad = read_bytes(argv[i]);
      source = source_of(engines[k], bad);
      mote *model;
      mote_status status = mote_open(&model, &source, memory, plenty);
      CHECK(status == (mote_status)strtol(argv[i + 1], NULL, 10) && model == NULL, "%s: %d", argv[i], (int)status);
      free(bad.data);
    }
  }
  mote_kind kinds[MOTE_KIND_END + 1];
  size_t count = 0;
  do kinds[count] = mote_kinds[count];
  while (mote_kinds[count++].run != NULL);
  for (size_t k = 0; k < count; k++) {
    if (kinds[k].run == mote_kernel_lines) kinds[k].run = lines_by_words;
  }
  const mote_engine by_words = MOTE_DATA_ENGINE(kinds);
  mote_source worded = source_of(&by_words, rows);
  check_rows("data by words", &worded);
  check_rows("aot", &(mote_source){&mote_aot, &rows_module, 0, NULL, 0, NULL, NULL});
  free(rows.data);
  free(whole.data);
  free(greedy.data);
  free(cases.data);
  free(memory);
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
