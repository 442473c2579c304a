/** A digit on a CH32V003, 16 KB of flash and 2 KB of SRAM: the net tests itself, then reads a digit that comes row by row. */
#ifdef EMULATED
#include "board.h"
static void begin(void) {}
static void print(const char *text) { board_print(text); }
static void end(void) { board_exit(); }
#else
#include "ch32fun.h"
#include <stdio.h>
static void begin(void) { SystemInit(); }
/* By the debug wire of the programmer: make monitor shows it. */
static void print(const char *text) { printf("%s", text); }
static void end(void) {
  for (;;) {
  }
}
#endif
#include "digit.h"
#include "lenet5.h"

int main(void) {
  begin();
  print(lenet5_selftest());
  uint8_t row[LENET5_INPUT_WIDTH];
  lenet5_begin();
  for (int y = 0; y < DIGIT_SIDE; y++) {
    digit_row(y, row); /* from a camera or a touch pad in a program of yours */
    lenet5_push_row(row);
  }
  unsigned best = 0;
  for (unsigned digit = 1; digit < LENET5_OUTPUT_CHANNELS; digit++) {
    if (lenet5_output[digit] > lenet5_output[best]) best = digit;
  }
  const char text[] = {'\n', 'd', 'i', 'g', 'i', 't', ' ', (char)('0' + best), '\n', 0};
  print(text);
  end();
}
