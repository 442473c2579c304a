/**
 * QEMU's `sim` machine with an lx106 core, the ESP8266's: simulator calls for text, CCOUNT for the clock. See board.h. Here because
 * this compiler makes no tail calls: what wasm3's stack then grows to is measured.
 */
#include "board.h"

extern uint32_t data_load[], data_low[], data_high[], bss_low[], bss_high[];
int main(void);
void start(void) __attribute__((used));

#define SIMCALL_EXIT 1
#define SIMCALL_WRITE 4
#define STDOUT 1

__asm__(
    "  .section .text.vector, \"ax\"\n"
    "  j reset_handler\n"
    "  .section .text.reset, \"ax\"\n"
    "  .literal_position\n"
    "  .align 4\n"
    "  .global reset_handler\n"
    "reset_handler:\n"
    "  movi a1, stack_high\n"
    "  movi a0, 0\n"
    "  j.l start, a2\n"
    "  .text\n");

static int32_t simcall(int32_t operation, int32_t a, uintptr_t b, size_t c) {
  register int32_t a2 __asm__("a2") = operation;
  register int32_t a3 __asm__("a3") = a;
  register uintptr_t a4 __asm__("a4") = b;
  register size_t a5 __asm__("a5") = c;
  __asm__ volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
  return a2;
}

void board_print(const char *text) {
  size_t length = 0;
  while (text[length] != '\0') length++;
  simcall(SIMCALL_WRITE, STDOUT, (uintptr_t)text, length);
}

void board_exit(void) {
  simcall(SIMCALL_EXIT, 0, 0, 0);
  for (;;) {
  }
}

const uint32_t board_clock_bits = 32;

uint32_t board_clock(void) {
  uint32_t count;
  __asm__ volatile("rsr.ccount %0" : "=r"(count));
  return count;
}

__attribute__((noinline)) void board_spin(uint32_t turns) {
  __asm__ volatile("1: addi %0, %0, -1\n   bnez %0, 1b" : "+r"(turns));
}

void start(void) {
  for (uint32_t *to = data_low, *from = data_load; to < data_high;) *to++ = *from++;
  for (uint32_t *p = bss_low; p < bss_high;) *p++ = 0;
  main();
  board_exit();
}
