/** QEMU's `virt` machine: semihosting for text, mcycle for the clock. See board.h. */
#include "board.h"

void fault_handler(void);

#define SEMIHOSTING_WRITE0 0x04u
#define SEMIHOSTING_EXIT 0x18u
#define APPLICATION_EXIT 0x20026u

/* The three instructions are the mark of a semihosting call: uncompressed and in one page. */
static uint32_t semihosting(uint32_t operation, uintptr_t argument) {
  register uint32_t a0 __asm__("a0") = operation;
  register uintptr_t a1 __asm__("a1") = argument;
  __asm__ volatile(
      ".balign 16\n"
      ".option push\n"
      ".option norvc\n"
      "slli zero, zero, 0x1f\n"
      "ebreak\n"
      "srai zero, zero, 7\n"
      ".option pop"
      : "+r"(a0)
      : "r"(a1)
      : "memory");
  return a0;
}

void board_print(const char *text) { semihosting(SEMIHOSTING_WRITE0, (uintptr_t)text); }

void board_exit(void) {
  semihosting(SEMIHOSTING_EXIT, APPLICATION_EXIT);
  for (;;) {
  }
}

__attribute__((aligned(4))) void fault_handler(void) {
  board_print("fault\n");
  board_exit();
}

const uint32_t board_clock_bits = 32;

uint32_t board_clock(void) {
  uint32_t cycles;
  __asm__ volatile(".option push\n.option arch, +zicsr\ncsrr %0, mcycle\n.option pop" : "=r"(cycles));
  return cycles;
}

__attribute__((noinline)) void board_spin(uint32_t turns) {
  __asm__ volatile("1: addi %0, %0, -1\n   bnez %0, 1b" : "+r"(turns));
}
