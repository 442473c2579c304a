/** What the host links into the bench: the model and what it is run on. */
#ifndef BENCH_H
#define BENCH_H

#include "mote.h"

#ifndef BENCH_BUDGET
#define BENCH_BUDGET MOTE_DEFAULT_BUDGET
#endif

extern const mote_source *const bench_source;
extern const uint32_t bench_input_count;

/** Elements of all outputs. */
extern const uint32_t bench_output_elements;

/** Resets a model with states where inference `index` begins a stream. */
mote_status bench_begin(mote *model, uint32_t index);

/** Hands all inputs of inference `index` to the model, as pixels or as elements. */
mote_status bench_set_inputs(mote *model, uint32_t index);

/** Copies all outputs, one behind the other. */
mote_status bench_get_outputs(const mote *model, int8_t *outputs);

#endif
