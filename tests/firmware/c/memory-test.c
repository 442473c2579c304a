/** Opens and runs the exported model in as many bytes as its header says, and prints how many it took. */
#include <stdio.h>

#include "model.h"

static uint64_t memory[(MODEL_MEMORY_BYTES + 7) / 8];
static uint8_t image[1 << 16];

int main(void) {
  mote *model;
  mote_status status = mote_open(&model, &model_source, memory, sizeof memory);
  for (uint32_t i = 0; status == MOTE_DONE && i < mote_input_count(model); i++) {
    mote_tensor input = mote_input_tensor(model, i);
    status = mote_set_input_u8(model, i, image, (size_t)input.channels * input.height * input.width);
  }
  if (status == MOTE_DONE) status = mote_run(model);
  if (status != MOTE_DONE) {
    printf("%s (%d) in %zu bytes\n", mote_status_text(status), (int)status, sizeof memory);
    return 1;
  }
  printf("%zu of %zu bytes\n", mote_memory_used(model), sizeof memory);
  return 0;
}
