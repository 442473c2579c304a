/** Recognises one handwritten digit again and again, and prints its class. For boards with 32 KB of RAM or more. */
#include <digit.h>
#include <model.h>
#include <mote.h>

static uint64_t memory[(MODEL_MEMORY_BYTES + 7) / 8];
static uint8_t image[DIGIT_SIDE * DIGIT_SIDE];
static mote *model;

static void stop(mote_status status) {
  Serial.print("mote: ");
  Serial.println(mote_status_text(status));
  for (;;) delay(1000);
}

void setup() {
  Serial.begin(115200);
  while (!Serial && millis() < 3000) delay(10);
  digit_image(image);
  mote_status status = mote_open(&model, &model_source, memory, sizeof memory);
  if (status != MOTE_DONE) stop(status);
  Serial.print("open, bytes of memory: ");
  Serial.println((unsigned)mote_memory_used(model));
}

void loop() {
  unsigned long start = micros();
  mote_status status = mote_input_u8(model, image, sizeof image);
  if (status == MOTE_DONE) status = mote_run(model);
  if (status != MOTE_DONE) stop(status);
  Serial.print("digit ");
  Serial.print(mote_top(model));
  Serial.print(", microseconds ");
  Serial.println(micros() - start);
  delay(1000);
}
