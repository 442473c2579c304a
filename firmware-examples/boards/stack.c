/** What every board does alike: marks the stack and reads how deep it went, and ends where C gives up. */
#include "board.h"

/** From the linker script. */
extern uint32_t stack_low[], stack_high[];

#define PAINT 0xc5c5c5c5u

/* The 64 bytes below this function's frame are left to the loop itself. */
void board_paint_stack(void) {
  uint32_t *end = (uint32_t *)__builtin_frame_address(0) - 16;
  for (uint32_t *p = stack_low; p < end; p++) *p = PAINT;
}

size_t board_stack_used(void) {
  const uint32_t *p = stack_low;
  while (p < stack_high && *p == PAINT) p++;
  return (size_t)(stack_high - p) * sizeof *p;
}

__attribute__((noinline)) size_t board_stack_depth(void) {
  return (size_t)((uint8_t *)stack_high - (uint8_t *)__builtin_frame_address(0));
}

/** wasm3 names it where it meets what cannot be. */
void abort(void) {
  board_print("abort\n");
  board_exit();
}
