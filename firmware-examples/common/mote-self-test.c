/** mote_self_test: see mote.h; SPEC.md, "Certificate". */
#include "mote-internal.h"

/** Where the self-test is: elements of the inputs in front of the one that is filled, and of all runs before. */
typedef struct filling {
  const mote_end *end;
  uint32_t before;
} filling;

/** An element of the inputs, by its number among those of all runs. */
static uint8_t element_of(uint32_t number) {
  uint32_t x = number * 0x9e3779b1u;
  return (uint8_t)((((x ^ (x >> 15)) * 0x85ebca77u) >> 24) - 128u);
}

/** A mote_row. */
static mote_status give_row(void *context, uint32_t channel, uint32_t row, int8_t *values) {
  const filling *f = context;
  uint32_t width = f->end->width;
  uint32_t number = f->before + (channel * f->end->height + row) * width;
  for (uint32_t x = 0; x < width; x++) values[x] = (int8_t)element_of(number + x);
  return MOTE_DONE;
}

/** Writes an input that is there as a whole. */
static void fill_input(mote *model, uint32_t input, filling *f) {
  for (uint32_t c = 0; c < f->end->channels; c++) {
    for (uint32_t y = 0; y < f->end->height; y++) {
      uint8_t *values = mote_row_at(model, f->end, c, y);
      give_row(f, c, y, (int8_t *)values);
      for (uint32_t x = 0; x < f->end->width; x++) values[x] = (uint8_t)(values[x] + model->element_bias);
    }
  }
  mote_input_is_set(model, input);
}

static uint32_t outputs_crc_on(const mote *model, uint32_t crc) {
  for (uint32_t at = model->input_count; at < model->end_count; at++) {
    const mote_end *end = &model->ends[at];
    for (uint32_t row = 0; row < (uint32_t)end->channels * end->height; row++) {
      const uint8_t *values = mote_row_at(model, end, row / end->height, row % end->height);
      for (uint32_t x = 0; x < end->width; x++) {
        uint8_t value = (uint8_t)(values[x] - model->element_bias);
        crc = mote_crc32_on(crc, &value, 1);
      }
    }
  }
  return crc;
}

/** One run. @param number of the first element of its inputs; receives that of the next run's */
static mote_status run_on(mote *model, uint32_t *number) {
  filling f = {model->ends, *number};
  for (uint32_t input = 0; input < model->input_count; input++) {
    f.end = &model->ends[input];
    /* One that comes by rows is the only one. */
    if (model->coming_lines == 0) fill_input(model, input, &f);
    else (void)mote_input_rows(model, give_row, &f);
    f.before += (uint32_t)f.end->channels * f.end->height * f.end->width;
  }
  /* While the run is under way it is the first input's rows that are asked for. */
  uint32_t next = f.before;
  f.before = *number;
  *number = next;
  return mote_run(model);
}

mote_status mote_self_test(mote *model) {
  uint32_t vectors = 0;
  uint32_t outputs_crc = 0;
  if (model == NULL) return MOTE_ERROR_ARGUMENT;
  mote_status status = mote_certificate(model, &vectors, &outputs_crc);
  if (status != MOTE_DONE) return status;
  status = mote_reset(model);
  uint32_t crc = 0;
  uint32_t number = 0;
  for (; status == MOTE_DONE && vectors > 0; vectors--) {
    status = run_on(model, &number);
    if (status == MOTE_DONE) crc = outputs_crc_on(model, crc);
  }
  model->has_output = false;
  /* Also of a run that has failed, whose error is the one to report. */
  mote_status reset = mote_reset(model);
  if (status == MOTE_DONE) status = reset;
  if (status != MOTE_DONE) return status;
  return crc == outputs_crc ? MOTE_DONE : MOTE_ERROR_SELF_TEST;
}
