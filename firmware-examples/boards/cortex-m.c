/** Reset code for Cortex-M0 to M4 without a vendor's files: vectors, RAM, the clock, semihosting. */
#include "board.h"

extern uint32_t data_load[], data_low[], data_high[], bss_low[], bss_high[], stack_high[];
int main(void);
void reset_handler(void);
static void fault_handler(void);

#define SYST_CSR (*(volatile uint32_t *)0xe000e010)
#define SYST_RVR (*(volatile uint32_t *)0xe000e014)
#define SYST_CVR (*(volatile uint32_t *)0xe000e018)

#define SEMIHOSTING_WRITE0 0x04u
#define SEMIHOSTING_EXIT 0x18u
#define APPLICATION_EXIT 0x20026u

typedef void (*vector)(void);

/* Stack pointer, reset, then the 14 system exceptions: none is expected. */
__attribute__((section(".vectors"), used)) static const struct {
  uint32_t *stack;
  vector handlers[15];
} vectors = {stack_high,
             {reset_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, 0, 0, 0, 0,
              fault_handler, fault_handler, 0, fault_handler, fault_handler}};

static uint32_t semihosting(uint32_t operation, uintptr_t argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register uintptr_t r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void board_print(const char *text) { semihosting(SEMIHOSTING_WRITE0, (uintptr_t)text); }

void board_exit(void) {
  semihosting(SEMIHOSTING_EXIT, APPLICATION_EXIT);
  for (;;) {
  }
}

static void fault_handler(void) {
  board_print("fault\n");
  board_exit();
}

const uint32_t board_clock_bits = 24;

/* SysTick counts down. */
uint32_t board_clock(void) { return 0xffffffu - SYST_CVR; }

__attribute__((noinline)) void board_spin(uint32_t turns) {
  __asm__ volatile(".syntax unified\n1: subs %0, %0, #1\n   bne 1b" : "+l"(turns) : : "cc");
}

/* Nothing here may need RAM before it is set up. */
__attribute__((used)) void reset_handler(void) {
  for (uint32_t *to = data_low, *from = data_load; to < data_high;) *to++ = *from++;
  for (uint32_t *p = bss_low; p < bss_high;) *p++ = 0;
  SYST_RVR = 0xffffff;
  SYST_CVR = 0;
  SYST_CSR = 5; /* on, by the CPU's clock, no interrupt */
  main();
  board_exit();
}
