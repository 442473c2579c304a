/** What an example or the bench needs of a board: text out, an end, a clock, the stack and the free memory. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

/** Sends text to the debugger or the emulator. */
void board_print(const char *text);

/** Ends the program: under an emulator it returns to the shell, on hardware it stops here. */
void board_exit(void) __attribute__((noreturn));

/** A clock that counts up and wraps at 2^board_clock_bits. */
uint32_t board_clock(void);
extern const uint32_t board_clock_bits;

/** Runs 2 * turns instructions, give or take a few that do not depend on turns. */
void board_spin(uint32_t turns);

/** Marks the unused part of the stack. */
void board_paint_stack(void);

/** Most bytes of stack used since it was painted; the whole stack when it overflowed. */
size_t board_stack_used(void);

/** Bytes of stack that the functions under way take. */
size_t board_stack_depth(void);

/** RAM that neither static data nor the stack takes. */
extern uint8_t board_memory_low[];
extern uint8_t board_memory_high[];

#endif
