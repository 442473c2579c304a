/** Native kernels for those of a fast module: SPEC.md, "Kernels of the host's own". Internal to the library. */
#ifndef MOTE_KERNELS_H
#define MOTE_KERNELS_H

#include "mote-internal.h"

/** What a kernel answers instead of work when an address, a count or an offset is not what a packer writes. */
#define MOTE_KERNEL_TRAP (-1)

/**
 * Goes on with the layer whose entry is at `layer` of linear memory, as the module's own kernel would. Whatever stands in linear memory
 * and the stream, it touches nothing outside them.
 * @param progress address of the progress
 * @param budget native units of work, of about an instruction each
 * @returns as how many it counts, or MOTE_KERNEL_TRAP
 */
typedef int32_t (*mote_kernel_function)(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);

int32_t mote_kernel_tiles(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_blocks(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_dense(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_quads(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_gaps(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_rows(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_values(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_bits(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_depth(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_pool(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_sums(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);
int32_t mote_kernel_lines(const mote *model, uint32_t layer, uint32_t progress, int32_t budget);

/** A kernel by the name that a fast module exports its own by. */
struct mote_kernel {
  const char *name;
  mote_kernel_function run;
};

/** All of them; behind the last one a name that is null. */
extern const mote_kernel mote_kernels[];

/**
 * Runs a kernel for the model at work.
 * @param shift a unit of the module's work is 2^shift native ones
 * @returns work in the module's units, at least 1, or MOTE_KERNEL_TRAP
 */
int32_t mote_kernel_run(mote_kernel_function run, uint32_t layer, uint32_t progress, uint32_t budget, unsigned shift);

#endif
