/** What the host links into the bench: the model and what it is run on. */
#ifndef BENCH_H
#define BENCH_H

#include "mote.h"

#ifndef BENCH_BUDGET
#define BENCH_BUDGET MOTE_DEFAULT_BUDGET
#endif

extern const mote_source *const bench_source;
extern const uint32_t bench_input_count;

/** Hands input `index` to the model, as pixels or as elements. */
mote_status bench_set_input(mote *model, uint32_t index);

#endif
