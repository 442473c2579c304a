/** What mote_run_within is held to, by any engine. Behind cases.h. */
#ifndef WORK_LIMIT_H
#define WORK_LIMIT_H

#include "cases.h"

/** A run of the first case, from the states' start on. */
static inline mote_status run_within(mote *model, uint32_t work) {
  CHECK(mote_reset(model) == MOTE_DONE && set_inputs(model, 0) == MOTE_DONE, "inputs");
  mote_status status = mote_run_within(model, work);
  CHECK(status == MOTE_DONE || status == MOTE_ERROR_WORK, "%u: %s", work, mote_status_text(status));
  int8_t *output = malloc(output_bytes);
  mote_status read = mote_output(model, output, output_bytes);
  if (status == MOTE_DONE) CHECK(read == MOTE_DONE && memcmp(output, case_outputs(0), output_bytes) == 0, "%u: another output", work);
  else CHECK(read == MOTE_ERROR_ORDER && mote_step(model, 1) == MOTE_ERROR_ORDER, "%u: the run has not ended", work);
  free(output);
  return status;
}

/** Finds the least that a run takes; the runs that are stopped leave nothing behind that later ones see, reset as they are. */
static inline void check_work_limit(const char *name, const mote_source *source) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  mote *model;
  CHECK(mote_begin(&model, source, memory, plenty) == MOTE_BUSY && mote_run_within(model, UINT32_MAX) == MOTE_DONE, "%s: open", name);
  CHECK(mote_run_within(model, 100) == MOTE_ERROR_ORDER, "%s: without inputs", name);
  CHECK(mote_run_within(model, 0) == MOTE_ERROR_ARGUMENT && mote_run_within(NULL, 1) == MOTE_ERROR_ARGUMENT, "%s: arguments", name);
  uint32_t low = 0;
  uint32_t high = 1u << 30;
  CHECK(run_within(model, high) == MOTE_DONE, "%s: plenty", name);
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    if (run_within(model, middle) == MOTE_DONE) high = middle;
    else low = middle;
  }
  /* A model may be done in one slice, which any limit allows. */
  CHECK(run_within(model, high) == MOTE_DONE && (low == 0 || run_within(model, low) == MOTE_ERROR_WORK), "%s: %u", name, high);
  check_case(model, 0, 1000);
  printf("%s: a run within %u, mote_work says %u\n", name, high, mote_work(model));
  mote_close(model);
  if (source->engine != &mote_data && mote_begin(&model, source, memory, plenty) == MOTE_BUSY && model->form != MOTE_FORM_FAST) {
    CHECK(mote_run_within(model, 1) == MOTE_ERROR_WORK && mote_step(model, 1) == MOTE_ERROR_ORDER, "%s: loading", name);
  }
  free(memory);
}

#endif
