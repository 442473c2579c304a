/** Runs a model on a picture of a digit, kept in digit.h: make run */
#include <stdio.h>

#include "digit.h"
#include "model.h" /* made by the export: model_source and MODEL_MEMORY_BYTES */

#define OUTPUTS 10

/** All that the model ever takes: nothing is allocated. */
static uint64_t memory[(MODEL_MEMORY_BYTES + 7) / 8];
static uint8_t image[DIGIT_SIDE * DIGIT_SIDE];

int main(void) {
  mote *model;
  int8_t outputs[OUTPUTS];
  digit_image(image);
  mote_status status = mote_open(&model, &model_source, memory, sizeof memory);
  if (status == MOTE_DONE) status = mote_input_u8(model, image, sizeof image);
  if (status == MOTE_DONE) status = mote_run(model); /* or mote_step, slice by slice */
  if (status == MOTE_DONE) status = mote_output(model, outputs, OUTPUTS);
  if (status != MOTE_DONE) {
    fprintf(stderr, "classify: %s\n", mote_status_text(status));
    return 1;
  }
  printf("class %d\noutputs", (int)mote_top(model));
  for (int i = 0; i < OUTPUTS; i++) printf(" %d", outputs[i]);
  printf("\nbytes of memory %lu\n", (unsigned long)mote_memory_used(model));
  mote_close(model);
  return 0;
}
