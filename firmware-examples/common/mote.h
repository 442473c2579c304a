/**
 * Mote: runs a packed integer neural network on a microcontroller, bit for bit as on the host.
 *
 *   static uint64_t memory[16 * 1024 / 8];
 *   mote *model;
 *   mote_source source = {.engine = &mote_wasm3, .module = lenet5_wasm, .module_bytes = sizeof lenet5_wasm};
 *   if (mote_open(&model, &source, memory, sizeof memory) != MOTE_DONE) ...
 *   mote_input_u8(model, image, 28 * 28);
 *   if (mote_run(model) == MOTE_DONE) printf("%d\n", mote_top(model));
 *
 * The library allocates nothing and prints nothing: a model lives in the memory given to `mote_open` and is gone with it. C99, 32- or
 * 64-bit, little-endian or big-endian (the latter by gcc or clang).
 *
 * Threads: one call at a time, whatever its model, since the library keeps a pointer to the model at work. Between two calls anything may
 * happen, such as a step of another model. The same holds within a source's `read` or a mote_row, while its own model waits: it may open, step, run
 * and close others; for its own, calls that would change it answer MOTE_ERROR_ORDER.
 *
 * What is trusted: this library, the caller, and a module that was compiled ahead of time. What is not: a container. Whatever its bytes are,
 * every call returns, with a status, and touches no memory but its own. Between the two, a module for wasm3: it is checked (SPEC.md,
 * "Modules") and touches no memory but its own, and what it leaves in its linear memory misleads nobody, since the library goes by a copy that
 * it has checked; but what it answers is up to who made it, and so is whether a call returns. As data (mote_data) every call returns.
 */
#ifndef MOTE_H
#define MOTE_H

#include <stddef.h>
#include <stdint.h>

#include "mote-format.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A status: MOTE_DONE (0), MOTE_BUSY (1), or an error below 0: one of the core's, MOTE_STATUS_READ (-1) and so on as listed in
 * mote-format.h, or one of these of the library.
 */
typedef int32_t mote_status;

#define MOTE_DONE MOTE_STATUS_DONE
#define MOTE_BUSY MOTE_STATUS_BUSY
/** The memory given to mote_open is too small: mote_memory_needed tells how much it takes. */
#define MOTE_ERROR_MEMORY (-101)
/** The module is damaged, has another interface version, or the engine refuses it. */
#define MOTE_ERROR_MODULE (-102)
/** The engine stopped inside the module. */
#define MOTE_ERROR_TRAP (-103)
/** A null pointer, or a count that is not the tensor's. */
#define MOTE_ERROR_ARGUMENT (-104)
/** Called when the model is not ready for it: see the function. */
#define MOTE_ERROR_ORDER (-105)
/** The engine mote_data has no kernel for a layer of the module: mote_lacking tells which. */
#define MOTE_ERROR_KERNEL (-106)
/** The model takes its input by rows, during an inference: mote_input_rows. */
#define MOTE_ERROR_ROWS (-107)
/** mote_self_test: the outputs are not those that the model's certificate states. */
#define MOTE_ERROR_SELF_TEST (-108)
/** mote_run_within: the model is not done with the work that it was allowed. */
#define MOTE_ERROR_WORK (-109)

/** An opened model. It stands at the head of the caller's memory. */
typedef struct mote mote;

/** What runs a module: `mote_wasm3`, `mote_wasm3_native`, `mote_data`, or `mote_aot` for what `mote pack --format aot` wrote. */
typedef struct mote_engine mote_engine;

/** Interprets a WebAssembly module by wasm3. Linked only where it is named. */
extern const mote_engine mote_wasm3;

/**
 * The same, with native kernels in the place of a fast module's: as fast as ahead of time, in less memory, for 3 KB of flash. Results are the
 * same. Linked only where it is named.
 */
extern const mote_engine mote_wasm3_native;

/**
 * Takes a fast module for data, and runs its layers by native kernels over the stream where it lies: no interpreter, no code of the module's. As fast as
 * ahead of time in no more memory, and the module is a file that may come later. Results are the same. Linked only where it is named, with all kernels;
 * mote-native.h makes an engine of those that a model needs.
 */
extern const mote_engine mote_data;

/** Runs a module that was compiled ahead of time to C. Linked only where it is named. */
extern const mote_engine mote_aot;

/**
 * Copies `length` bytes of the container from `offset` to `target`. Never asked for bytes beyond the container's end.
 * @returns 0, or anything else for failure: the call under way then ends with MOTE_STATUS_READ
 */
typedef int32_t (*mote_read)(void *context, uint32_t offset, void *target, uint32_t length);

/**
 * Where a model comes from. Copied by mote_open; what it points to MUST stay as it is until mote_close.
 *
 * Four ways:
 * - A fast module (`mote pack --format wasm --optimize speed`): the model laid out for its kernels, its weights read where they
 *   stand in the module. The fastest by far, the least RAM, opened at once; two or three bytes of flash for one of a container.
 * - A core and a container, both where the CPU can read them: the least flash, and any number of models, from any source, by one core.
 * - A core and a container behind `read`, in external flash or wherever.
 * - A packed module (`mote pack --format wasm`), container inside: one file, and the container takes RAM.
 */
typedef struct mote_source {
  const mote_engine *engine;
  /** wasm3, data: a .wasm file; aot: the `mote_aot_module` of the generated file. */
  const void *module;
  /** wasm3, data: length of the file; aot: not used. */
  uint32_t module_bytes;
  /** The .mote file. Null: behind `read`, or there is none. */
  const uint8_t *container;
  /** Length of the .mote file; 0 when the model is inside the module. */
  uint32_t container_bytes;
  /** Null: the container is at `container`. */
  mote_read read;
  /** Handed to `read`. */
  void *read_context;
} mote_source;

/**
 * A tensor of `channels` planes, each `height` rows of `width` elements; a vector of n features is [n, 1, 1]. An int8 element q stands for
 * scale * (q - zero_point).
 */
typedef struct mote_tensor {
  uint32_t channels;
  uint32_t height;
  uint32_t width;
  /** -128 .. 127. */
  int32_t zero_point;
  /** Finite, above 0. */
  float scale;
} mote_tensor;

/**
 * The engine's own budget for mote_step: with a container 128 by wasm3 and 1024 ahead of time, with a fast module 2048 and 4096. It
 * keeps slices below 100,000 instructions of a Cortex-M4, where they can be, without costing more than 3 % of speed; `npm run firmware`
 * prints the longest.
 */
#define MOTE_DEFAULT_BUDGET 0u

/** Bytes that an input or an output takes beside its elements. The macros below have room for one of each: add so many to `linear` for each more. */
#define MOTE_END_BYTES 24u

/**
 * Bytes that surely hold a model run by wasm3: linear memory, and what wasm3 makes of a core that `mote pack` made, which is twice as much on a
 * 64-bit CPU.
 * @param linear bytes of linear memory, as `mote inspect` prints them: the plan, and the container where it is inside the module
 * @param module length of the .wasm file, without the container inside
 */
#define MOTE_WASM3_BYTES(linear, module) ((size_t)(linear) + ((size_t)(module) * 23u / 4u + 3072u) * (sizeof(void *) / 4u))

/**
 * The same for a fast module.
 * @param module length of the .wasm file, without the stream inside: `mote inspect` prints both. With native kernels the code that they stand
 *   in for may be left out, as mote_memory_needed does
 */
#define MOTE_WASM3_FAST_BYTES(linear, module) ((size_t)(linear) + ((size_t)(module) * 4u + 2112u) * (sizeof(void *) / 4u))

/**
 * Bytes that hold a model compiled ahead of time.
 * @param linear bytes of linear memory: the plan
 */
#define MOTE_AOT_BYTES(linear) ((size_t)(linear) + 544u + 64u * sizeof(void *))

/** The same for a fast module as data. */
#define MOTE_DATA_BYTES(linear) ((size_t)(linear) + 144u + 20u * sizeof(void *))

/**
 * Bytes of memory that open this model, whatever their alignment. Ahead of time and for data: exactly, but for up to 7 that alignment may take. By wasm3
 * they depend on its code pages, which only opening tells, so that this is MOTE_WASM3_BYTES or MOTE_WASM3_FAST_BYTES: enough, and up to
 * a third too much. Looks at the module's checksum and the container's head, not further: what is enough may still be refused.
 * @returns 0 where mote_open would find a mistake in these first
 */
size_t mote_memory_needed(const mote_source *source);

/**
 * Opens a model: checks it from end to end and makes it ready to run. Calls `mote_begin`, then `mote_step` until it is done.
 * @param model receives the model; null after an error
 * @param source what to open
 * @param memory where the model lives until mote_close; any alignment
 * @param memory_bytes see mote_memory_needed, and for arrays MOTE_WASM3_BYTES, MOTE_AOT_BYTES and MOTE_DATA_BYTES; `mote_memory_used` tells the exact
 *   number afterwards
 * @returns MOTE_DONE; MOTE_ERROR_MEMORY when memory_bytes is too small; MOTE_ERROR_ARGUMENT for a null pointer or a container beside a
 *   fast module; or what is wrong with the module or the container
 */
mote_status mote_open(mote **model, const mote_source *source, void *memory, size_t memory_bytes);

/**
 * The first part of mote_open, for callers that must not be kept waiting: starts the engine, reads the container's first bytes.
 * The caller then calls mote_step until it returns MOTE_DONE; with a fast module it does so at once.
 * @returns MOTE_BUSY, or an error as mote_open
 */
mote_status mote_begin(mote **model, const mote_source *source, void *memory, size_t memory_bytes);

/** Bytes of the caller's memory that this model took: with as many and the same alignment it opens again, with one less it does not. */
size_t mote_memory_used(const mote *model);

/** Bytes of linear memory among them. */
size_t mote_linear_bytes(const mote *model);

/** Inputs of the model: 1 or more. 0 before it is open. */
uint32_t mote_input_count(const mote *model);

/** Outputs of the model: 1 or more. 0 before it is open. */
uint32_t mote_output_count(const mote *model);

/** An input. All zeros before the model is open, and where there is no such input. @param input 0 .. mote_input_count - 1 */
mote_tensor mote_input_tensor(const mote *model, uint32_t input);

/** An output; otherwise as mote_input_tensor. */
mote_tensor mote_output_tensor(const mote *model, uint32_t output);

/**
 * The work of one inference, as mote_step counts its budget: an upper bound, 2^32 - 1 where it is more. 0 before the model is open. A
 * container may ask for hours of work in a few bytes: an application that takes models from elsewhere may refuse what is too much for it.
 */
uint32_t mote_work(const mote *model);

/**
 * Sets an input from an image: 0 stands for 0.0 and 255 for 1.0, as in training. All inputs are to be set before each inference, which may
 * overwrite them, in their order: one that is set again makes those behind it wait to be set again.
 * @param input 0 .. mote_input_count - 1
 * @param image [channels, height, width]
 * @param count channels * height * width
 * @returns MOTE_DONE; MOTE_ERROR_ARGUMENT for another count, or where there is no such input; MOTE_ERROR_ORDER while loading or running, or when an
 *   input before it is not set; MOTE_ERROR_ROWS where the model takes it by rows
 */
mote_status mote_set_input_u8(mote *model, uint32_t input, const uint8_t *image, size_t count);

/** Sets an input from int8 values of its tensor's own scale and zero point; otherwise as mote_set_input_u8. */
mote_status mote_set_input_i8(mote *model, uint32_t input, const int8_t *values, size_t count);

/**
 * Sets an input from real numbers: each becomes the int8 nearest to zero_point + value / scale, the greater of two, at most 127 and at
 * least -128; not a number becomes zero_point. Otherwise as mote_set_input_u8.
 */
mote_status mote_set_input_f32(mote *model, uint32_t input, const float *values, size_t count);

/* The same for the first input, which is the only one of most models. */
static inline mote_status mote_input_u8(mote *model, const uint8_t *image, size_t count) {
  return mote_set_input_u8(model, 0, image, count);
}
static inline mote_status mote_input_i8(mote *model, const int8_t *values, size_t count) {
  return mote_set_input_i8(model, 0, values, count);
}
static inline mote_status mote_input_f32(mote *model, const float *values, size_t count) {
  return mote_set_input_f32(model, 0, values, count);
}

/**
 * Gives a row of a channel of the first input, as int8 values of its tensor's own scale and zero point.
 * @param context as mote_input_rows got it
 * @param channel,row rows come in their order, of each the channels in theirs
 * @param values receives as many as the input is wide
 * @returns MOTE_DONE; MOTE_BUSY where there is no such row yet: mote_step answers the same, and the next one asks again; below 0 an error, with
 *   which the inference ends
 */
typedef mote_status (*mote_row)(void *context, uint32_t channel, uint32_t row, int8_t *values);

/**
 * Sets the first input by a callback, which mote_step calls for each row of it. A model that was packed with --input-rows asks for some rows
 * at a time, as the inference comes to need them, and never holds all of them; any other model for all rows at its first slice.
 * @returns MOTE_DONE; MOTE_ERROR_ARGUMENT for a null pointer; MOTE_ERROR_ORDER while loading or running
 */
mote_status mote_input_rows(mote *model, mote_row give, void *context);

/** Rows of the first input that an inference asks for at a time: all of them, or of a model that was packed with --input-rows some. 0 before it is open. */
uint32_t mote_rows_at_once(const mote *model);

/**
 * Makes int8 values of an input from an image's, as mote_set_input_u8 does: for rows.
 * @param count up to 65,535
 * @returns MOTE_DONE; MOTE_ERROR_ARGUMENT for a null pointer, too many, or where there is no such input; MOTE_ERROR_ORDER before the model is open
 */
mote_status mote_quantize_u8(const mote *model, uint32_t input, const uint8_t *image, int8_t *values, size_t count);

/** The same from real numbers, as mote_set_input_f32. */
mote_status mote_quantize_f32(const mote *model, uint32_t input, const float *reals, int8_t *values, size_t count);

/**
 * Does one slice of work: of loading after mote_begin, of an inference after its inputs were set. Slices end at each layer's end.
 * @param budget about how many multiplications or decoded bits, at least one indivisible piece; or MOTE_DEFAULT_BUDGET.
 *   Results do not depend on it
 * @returns MOTE_BUSY; MOTE_DONE when the model is open or the output stands; MOTE_ERROR_ORDER when there is nothing to do, or MOTE_ERROR_ROWS where
 *   rows of the input are to be set; the core's or a mote_row's error otherwise. After an error during an inference new inputs may be set; after one while loading, only mote_close helps
 */
mote_status mote_step(mote *model, uint32_t budget);

/** Calls mote_step until it is no longer busy. */
mote_status mote_run(mote *model);

/**
 * The same with a limit, for models from elsewhere, of loading after mote_begin or of an inference: gives out budgets that come to no more than
 * `work`, whatever the model says of itself. A slice that ends early, with a layer or a part of one, counts whole: an inference may take some times what
 * mote_work says, which a model of yours tells; and a slice counts in which a mote_row has no row yet, so that rows that are slow to come take mote_step.
 * Ends between two slices: code that `mote pack` did not make may stay in one, for which there is the watchdog.
 * @param work 1 or more, in mote_step's units
 * @returns as mote_run; MOTE_ERROR_WORK where it does not suffice: then the inference has ended, as by any other error, or loading has. What a model keeps from
 *   one inference to the next may have been taken over in part by then: mote_reset, or open a model anew that is not yours, since a reset first brings the
 *   inference to its end, without a limit
 */
mote_status mote_run_within(mote *model, uint32_t work);

/**
 * Sets what the model keeps from one inference to the next, its states, to what it was when the model was opened: zero points. A model
 * without states is as before. Inputs that were set stay set. Not in slices: it takes about as long as copying the states, after an inference that
 * ended with an error up to as long as that would have taken.
 * @returns MOTE_DONE; MOTE_ERROR_ORDER while loading or running; the engine's error otherwise
 */
mote_status mote_reset(mote *model);

/**
 * Runs the model on inputs of its certificate's, `mote certify`, from its states' start on, and compares the outputs' checksum: a proof that flash, memory,
 * compiler and engine give what the model's maker had. Takes as long as so many inferences; resets the states, and leaves no output and no input set.
 * @returns MOTE_DONE; MOTE_ERROR_SELF_TEST; MOTE_ERROR_ARGUMENT where the model has no certificate; MOTE_ERROR_ORDER while loading or running;
 *   MOTE_STATUS_RANGE for a certificate that is damaged; an error of a run as mote_step
 */
mote_status mote_self_test(mote *model);

/** Layers of the model. 0 before it is open. */
uint32_t mote_layer_count(const mote *model);

/** Layers finished in this inference. */
uint32_t mote_layers_done(const mote *model);

/**
 * Copies an output.
 * @param output 0 .. mote_output_count - 1
 * @param values [channels, height, width]
 * @param count channels * height * width of the output tensor
 * @returns MOTE_DONE; MOTE_ERROR_ARGUMENT for another count, or where there is no such output; MOTE_ERROR_ORDER unless an inference is done
 *   and no new input set
 */
mote_status mote_get_output_i8(const mote *model, uint32_t output, int8_t *values, size_t count);

/** Copies an output as real numbers, scale * (q - zero_point); otherwise as mote_get_output_i8. */
mote_status mote_get_output_f32(const mote *model, uint32_t output, float *values, size_t count);

/* The same for the first output. */
static inline mote_status mote_output(const mote *model, int8_t *values, size_t count) {
  return mote_get_output_i8(model, 0, values, count);
}
static inline mote_status mote_output_f32(const mote *model, float *values, size_t count) {
  return mote_get_output_f32(model, 0, values, count);
}

/** Index of the largest element of the first output, the first among equals; MOTE_ERROR_ORDER as for mote_get_output_i8. */
int32_t mote_top(const mote *model);

/** Bytes for any label or name, with a NUL behind it. */
#define MOTE_LABEL_BYTES (MOTE_MAX_LABEL_BYTES + 1u)

/**
 * Copies the label of an element of the first output, `mote pack --labels`: UTF-8 as it stands in the model, which may be from anywhere, and a NUL.
 * @param index of the element: what mote_top answers
 * @param text receives the label; after an error it is empty
 * @param text_bytes of `text`: MOTE_LABEL_BYTES is always enough
 * @returns MOTE_DONE; MOTE_ERROR_ARGUMENT where there is no such label, or no room for it; MOTE_ERROR_ORDER before the model is open; what is
 *   wrong with the container's end, or MOTE_STATUS_READ
 */
mote_status mote_label(const mote *model, uint32_t index, char *text, size_t text_bytes);

/** Copies the name of an input; otherwise as mote_label. */
mote_status mote_input_name(const mote *model, uint32_t input, char *text, size_t text_bytes);

/** Copies the name of an output; otherwise as mote_label. */
mote_status mote_output_name(const mote *model, uint32_t output, char *text, size_t text_bytes);

/** How a channel of the first input is made of what an application has, such as an image. */
typedef struct mote_preprocessing {
  /** In which order its elements stand: MOTE_LAYOUT_PLANAR, [channels, height, width], or MOTE_LAYOUT_INTERLEAVED, [height, width, channels]. */
  uint32_t layout;
  /** What the channels are: MOTE_COLOURS_NONE, MOTE_COLOURS_RGB or MOTE_COLOURS_BGR. */
  uint32_t colours;
  /** Of the channel: each value v becomes the real number (v - mean) / std, which mote_input_f32 takes. std is above 0, both are finite. */
  float mean;
  float std;
} mote_preprocessing;

/**
 * Reads how the model's maker had its first input prepared.
 * @param channel of the input
 * @returns MOTE_DONE; MOTE_ERROR_ARGUMENT where the model does not say so, or there is no such channel; MOTE_ERROR_ORDER before the model is
 *   open; what is wrong with the container's end, or MOTE_STATUS_READ
 */
mote_status mote_get_preprocessing(const mote *model, uint32_t channel, mote_preprocessing *preprocessing);

/**
 * The file offset near which the core found the last error, for messages; after MOTE_STATUS_OP and MOTE_STATUS_CODEC the number of the
 * first op or codec that the model needs and the core was built without, after MOTE_ERROR_KERNEL that of the kind of layers. mote_open gives no model to ask: mote_begin and mote_step do.
 */
uint32_t mote_error_offset(const mote *model);

/**
 * The name of what a core or an engine is without, such as "avgpool".
 * @param status MOTE_STATUS_OP, MOTE_STATUS_CODEC or MOTE_ERROR_KERNEL
 * @param number mote_error_offset
 * @returns "unknown" for what this library does not know either. Never null
 */
const char *mote_lacking(mote_status status, uint32_t number);

/**
 * Ends the model; steps, inputs and outputs answer MOTE_ERROR_ORDER from now on. Its memory is the caller's again, who may wipe it or
 * open another model in it; of a model closed by its own `read`, when the call under way has returned. Null is allowed.
 */
void mote_close(mote *model);

/** A line for people, such as "the file's checksum does not match". Never null. */
const char *mote_status_text(mote_status status);

#ifdef __cplusplus
}
#endif

#endif
