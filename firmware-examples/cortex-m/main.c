/** Recognises one handwritten digit and prints its class and the ten outputs. */
#include "board.h"
#include "digit.h"
#include "model.h"

static uint64_t memory[(MODEL_MEMORY_BYTES + 7) / 8];
static uint8_t image[DIGIT_SIDE * DIGIT_SIDE];

static void print_number(int32_t value) {
  char text[16];
  char *p = text + sizeof text;
  uint32_t rest = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
  *--p = '\0';
  do {
    *--p = (char)('0' + rest % 10);
  } while ((rest /= 10) != 0);
  if (value < 0) *--p = '-';
  *--p = ' ';
  board_print(p);
}

int main(void) {
  mote *model;
  int8_t outputs[10];
  digit_image(image);
  mote_status status = mote_open(&model, &model_source, memory, sizeof memory);
  if (status == MOTE_DONE) status = mote_input_u8(model, image, sizeof image);
  if (status == MOTE_DONE) {
    do {
      status = mote_step(model, MOTE_DEFAULT_BUDGET);
      /* Here other work goes on. */
    } while (status == MOTE_BUSY);
  }
  if (status == MOTE_DONE) status = mote_output(model, outputs, sizeof outputs);
  if (status == MOTE_DONE) {
    board_print("digit");
    print_number(mote_top(model));
    board_print("\noutputs");
    for (int i = 0; i < 10; i++) print_number(outputs[i]);
    board_print("\nbytes of memory");
    print_number((int32_t)mote_memory_used(model));
    board_print("\n");
  } else {
    board_print(mote_status_text(status));
    board_print("\n");
  }
  board_exit();
}
