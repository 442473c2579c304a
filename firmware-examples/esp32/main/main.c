/** Recognises one handwritten digit and prints its class. ESP-IDF; the same code runs on ESP32, S3 and C3. */
#include <stdio.h>

#include "digit.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "model.h"

static uint64_t memory[(MODEL_MEMORY_BYTES + 7) / 8];
static uint8_t image[DIGIT_SIDE * DIGIT_SIDE];

/** Slices between two rests of a tick, in which the idle task feeds the watchdog. */
#define SLICES_A_REST 200

void app_main(void) {
  mote *model;
  digit_image(image);
  mote_status status = mote_begin(&model, &model_source, memory, sizeof memory);
  for (int run = 0; status >= 0; run++) {
    for (int slice = 1; status == MOTE_BUSY; slice++) {
      status = mote_step(model, MOTE_DEFAULT_BUDGET);
      if (slice % SLICES_A_REST == 0) vTaskDelay(1);
    }
    if (status != MOTE_DONE) break;
    if (run == 0) {
      printf("open: %u bytes of %u\n", (unsigned)mote_memory_used(model), (unsigned)sizeof memory);
    } else {
      printf("digit %d\n", (int)mote_top(model));
      vTaskDelay(pdMS_TO_TICKS(1000));
    }
    status = mote_input_u8(model, image, sizeof image);
    if (status == MOTE_DONE) status = MOTE_BUSY;
  }
  printf("mote: %s\n", mote_status_text(status));
}
