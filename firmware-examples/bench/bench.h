/** What the host links into the bench: the model and the digits. */
#ifndef BENCH_H
#define BENCH_H

#include "mote.h"

#define BENCH_DIGIT_BYTES 784u

#ifndef BENCH_BUDGET
#define BENCH_BUDGET MOTE_DEFAULT_BUDGET
#endif

extern const mote_source *const bench_source;
/** bench_digit_count images of 28 * 28 bytes. */
extern const uint8_t bench_digits[];
extern const uint32_t bench_digit_count;

#endif
