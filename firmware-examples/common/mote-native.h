/**
 * The engine mote_data, and engines like it with fewer kernels, for what one model needs: `mote firmware --export` writes such a one. An engine has a
 * list of the kinds of layers that it runs,
 *
 *   static const mote_kind kinds[] = {MOTE_RUNS_CONV_POOLED, MOTE_RUNS_DENSE, MOTE_RUNS_NO_MORE};
 *   static const mote_engine engine = MOTE_DATA_ENGINE(kinds);
 *
 * and only those kernels are linked.
 */
#ifndef MOTE_NATIVE_H
#define MOTE_NATIVE_H

#include "mote-kernels.h"

/** A kind of layers, MOTE_KIND_CONV_POOLED and so on, and the kernel that runs them. */
struct mote_kind {
  uint32_t kind;
  mote_kernel_function run;
};

/* Kernels of kinds that no host replaces by themselves: those below need the engine mote_data. */
int32_t mote_kernel_places(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_lut(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_resize(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_border(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_copy(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);

/* Entries of a list. KIND_CONCAT, KIND_TURN and KIND_INPUT take none. */
#define MOTE_RUNS_CONV_POOLED {MOTE_KIND_CONV_POOLED, mote_kernel_tiles}
#define MOTE_RUNS_CONV_BLOCKS {MOTE_KIND_CONV_BLOCKS, mote_kernel_blocks}
#define MOTE_RUNS_CONV_PLACES {MOTE_KIND_CONV_PLACES, mote_kernel_places}
#define MOTE_RUNS_DENSE {MOTE_KIND_DENSE, mote_kernel_dense}
#define MOTE_RUNS_MAXPOOL {MOTE_KIND_MAXPOOL, mote_kernel_pool}
#define MOTE_RUNS_AVGPOOL {MOTE_KIND_AVGPOOL, mote_kernel_pool}
#define MOTE_RUNS_ADD {MOTE_KIND_ADD, mote_kernel_sums}
#define MOTE_RUNS_MUL {MOTE_KIND_MUL, mote_kernel_sums}
#define MOTE_RUNS_DEPTHWISE {MOTE_KIND_DEPTHWISE, mote_kernel_depth}
#define MOTE_RUNS_CONV_GAPS {MOTE_KIND_CONV_GAPS, mote_kernel_gaps}
#define MOTE_RUNS_CONV_QUADS {MOTE_KIND_CONV_QUADS, mote_kernel_quads}
#define MOTE_RUNS_DENSE_ROWS {MOTE_KIND_DENSE_ROWS, mote_kernel_rows}
#define MOTE_RUNS_DENSE_VALUES {MOTE_KIND_DENSE_VALUES, mote_kernel_values}
#define MOTE_RUNS_BITS {MOTE_KIND_BITS, mote_kernel_bits}
#define MOTE_RUNS_LUT {MOTE_KIND_LUT, mote_kernel_lut}
#define MOTE_RUNS_RESIZE {MOTE_KIND_RESIZE, mote_kernel_resize}
#define MOTE_RUNS_BORDER {MOTE_KIND_BORDER, mote_kernel_border}
#define MOTE_RUNS_COPY {MOTE_KIND_COPY, mote_kernel_copy}
#define MOTE_RUNS_LINES {MOTE_KIND_LINES, mote_kernel_lines}
/** The end of a list. */
#define MOTE_RUNS_NO_MORE {0, NULL}

/** All kinds: what mote_data has. */
extern const mote_kind mote_kinds[];

/** An engine with a list of kinds. */
#define MOTE_DATA_ENGINE(kinds) \
  {mote_data_measure, mote_data_needs, mote_module_metadata, mote_data_instantiate, mote_data_call, 0, 4096, NULL, kinds}

/* Its functions. */
mote_status mote_data_measure(mote *model);
size_t mote_data_needs(const mote *model);
mote_status mote_data_instantiate(mote *model);
mote_status mote_data_call(mote *model, mote_export which, uint32_t argument);
mote_bytes mote_module_metadata(const mote *model);

/**
 * Bytes behind the progress, where the window begins, that kernels of this engine's own may use as well: nothing is read through the window. What they
 * leave there stands until the layer is done.
 */
#define MOTE_FURTHER_BYTES 12u

#endif
