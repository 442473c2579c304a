/** What libFuzzer's targets share: memory, runs in slices, and what is a finding. */
#ifndef TARGET_H
#define TARGET_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mote-internal.h"

#define MEMORY_BYTES (192u << 10)
/** What is hostile may ask for hours of honest work: whoever steps it may stop at any time. */
#define MAX_STEPS 64
#define STEP_BUDGET 100u

#define EXPECT(condition, ...)   \
  do {                           \
    if (!(condition)) {          \
      fprintf(stderr, __VA_ARGS__); \
      abort();                   \
    }                            \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static inline mote_status take_steps(mote *model) {
  mote_status status = MOTE_BUSY;
  for (int step = 0; status == MOTE_BUSY && step < MAX_STEPS; step++) status = mote_step(model, STEP_BUDGET);
  return status;
}

static inline mote_status give_row(void *context, uint32_t channel, uint32_t row, int8_t *values) {
  const mote *model = context;
  memset(values, (int)(channel + row), mote_input_tensor(model, 0).width);
  return MOTE_DONE;
}

static inline mote_status set_inputs(mote *model) {
  static uint8_t image[MEMORY_BYTES];
  if (mote_rows_at_once(model) < mote_input_tensor(model, 0).height) return mote_input_rows(model, give_row, model);
  mote_status status = MOTE_DONE;
  for (uint32_t i = 0; status == MOTE_DONE && i < mote_input_count(model); i++) {
    mote_tensor shape = mote_input_tensor(model, i);
    size_t elements = (size_t)shape.channels * shape.height * shape.width;
    EXPECT(elements <= sizeof image, "input %u has %zu elements\n", i, elements);
    for (size_t k = 0; k < elements; k++) image[k] = (uint8_t)(k * 37);
    status = mote_set_input_u8(model, i, image, elements);
  }
  return status;
}

/** Opens, runs, reads all that can be read. @returns the last status */
static inline mote_status open_and_run(const mote_source *source) {
  static uint64_t memory[MEMORY_BYTES / 8];
  mote *model;
  char text[MOTE_LABEL_BYTES];
  mote_status status = mote_begin(&model, source, memory, sizeof memory);
  if (status == MOTE_BUSY) status = take_steps(model);
  if (status != MOTE_DONE) return status;
  (void)mote_label(model, 1, text, sizeof text);
  status = set_inputs(model);
  EXPECT(status == MOTE_DONE, "inputs: %d\n", (int)status);
  status = take_steps(model);
  if (status != MOTE_DONE) return status;
  (void)mote_top(model);
  status = mote_reset(model);
  mote_close(model);
  return status;
}

#endif
