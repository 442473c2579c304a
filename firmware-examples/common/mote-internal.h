/** What mote.c and the engines share. Not for applications. */
#ifndef MOTE_INTERNAL_H
#define MOTE_INTERNAL_H

#include "mote-heap.h"
#include "mote.h"

/** The core's exported functions. `open` and `step` take an i32, all answer one. */
typedef enum mote_export {
  MOTE_EXPORT_OPEN,
  MOTE_EXPORT_START,
  MOTE_EXPORT_STEP,
  MOTE_EXPORT_RESET,
  MOTE_EXPORT_COUNT
} mote_export;

/** What a container's head tells: what must be known before the core can look at it. */
typedef struct mote_head {
  /** Linear memory for the plan, the window included. */
  uint32_t plan_bytes;
  /** Linear memory for the plan without the window: where the container is in linear memory. */
  uint32_t plan_without_window_bytes;
  /** At most MOTE_MAX_TENSORS. */
  uint32_t tensor_count;
} mote_head;

/**
 * Reads a container's head and tensors. Sets `end_count`, or once there are `ends` gives them their scales; behind `read` the container may
 * have changed meanwhile. Values are not checked further than is needed to use them: that is the core's part.
 * @returns MOTE_DONE; MOTE_STATUS_READ, MOTE_STATUS_TRUNCATED, MOTE_STATUS_MAGIC, MOTE_STATUS_VERSION; MOTE_STATUS_RANGE, also for a scale
 *   that is none and for other ends than before
 */
mote_status mote_container_head(mote *model, mote_head *head);

/** Some bytes, or none. */
typedef struct mote_bytes {
  const uint8_t *data;
  uint32_t length;
} mote_bytes;

/** A native kernel: mote-kernels.h. */
typedef struct mote_kernel mote_kernel;

/** A kind of layers and what runs them: mote-native.h. */
typedef struct mote_kind mote_kind;

struct mote_engine {
  /** What the model needs and where its data is: sets `linear_bytes`, `end_count`, `form`, and `source` to what the form says. */
  mote_status (*measure)(mote *model);
  /** Bytes that a measured model takes of the heap but for its ends: exact, or more than it will be; see mote_memory_needed. */
  size_t (*needs)(const mote *model);
  /** The metadata of a model that is in the module, as a container has it behind its last layer. */
  mote_bytes (*metadata)(const mote *model);
  /** Makes the instance with `linear_bytes` of linear memory, which MUST NOT move afterwards; sets `linear` and `instance`. */
  mote_status (*instantiate)(mote *model);
  /** Calls an export. Answers MOTE_ERROR_TRAP when the engine, not the core, stopped. */
  mote_status (*call)(mote *model, mote_export which, uint32_t argument);
  /** What MOTE_DEFAULT_BUDGET stands for: with a container, and with a fast module. */
  uint32_t budget;
  uint32_t fast_budget;
  /** What runs in the place of a fast module's own kernels; or null. */
  const mote_kernel *kernels;
  /** What runs a fast module's layers where none of its code does; or null. */
  const mote_kind *kinds;
};

typedef enum mote_state {
  MOTE_STATE_LOADING,
  /** Open; not all inputs were set since the last inference. `has_output` tells whether there was one, and none was set. */
  MOTE_STATE_IDLE,
  /** All inputs were set. */
  MOTE_STATE_READY,
  MOTE_STATE_RUNNING,
  /** Loading failed. */
  MOTE_STATE_DEAD
} mote_state;

/** Where the model is, beside the code that runs it. */
typedef enum mote_form {
  /** A container as the source says. */
  MOTE_FORM_BESIDE,
  /** A container in the module, which finds it by itself. */
  MOTE_FORM_INSIDE,
  /** A fast module, and its stream in the place of a container. */
  MOTE_FORM_FAST
} mote_form;

/**
 * An end of the graph, an input or an output, as the core's table had it when loading was done. All its elements are in linear memory,
 * each in a place of its own; the other fields are in their ranges.
 */
typedef struct mote_end {
  /** Address of the first element inside the border. */
  uint32_t ptr;
  uint32_t plane;
  /** A float's bits. */
  uint32_t scale_bits;
  uint16_t channels;
  uint16_t height;
  uint16_t width;
  /** From the end of a row to the next one: the borders. */
  uint8_t margin;
  int8_t zero_point;
} mote_end;

struct mote {
  /** As given, but that `container` is what `mote.read` reads where that is inside the module. */
  mote_source source;
  mote_heap heap;
  /** The engine's. */
  void *instance;
  /** While a call is under way: the model whose `read` it comes from, or null. */
  mote *outer;
  uint8_t *linear;
  uint32_t linear_bytes;
  /**
   * From here to `element_bias`: copied from linear memory and checked when loading was done. Linear memory is the module's to write,
   * so nothing read from it later may be taken for an address or a count. The ends are on the heap, inputs before outputs.
   */
  mote_end *ends;
  /** Of both; before loading is done the most there may be. */
  uint16_t end_count;
  /** 1 or more, and fewer than ends. */
  uint16_t input_count;
  /** Inputs that were set since the last inference: so many of the first ones. */
  uint16_t inputs_set;
  uint16_t layer_count;
  /**
   * What is added, modulo 256, to an int8 element to get its byte in linear memory: 0 for a core, 128 in a fast module, whose kernels like
   * bytes without a sign.
   */
  uint8_t element_bias;
  /** A mote_form. */
  uint8_t form;
  /** A mote_state. */
  uint8_t state;
  bool has_output;
  /** A call is under way: what is called meanwhile comes from a `read` or a mote_row. */
  bool is_busy;
  /** Bytes at the head of the caller's memory that alignment leaves unused. */
  uint8_t skipped_bytes;
  /** Of an input that comes by lines: so many at a time; 0 where it is there as a whole. */
  uint8_t coming_lines;
  /** Of a run: the engine has not begun it. */
  bool is_to_start;
  /** Of the first input where it was set by rows: some are still to be given; the row and the channel that are next, and which of the rows at a time it is. */
  bool awaits_rows;
  uint16_t row;
  uint16_t channel;
  uint16_t place;
  mote_row give_row;
  void *rows_context;
  /**
   * Has rows given where some are still to be: before each slice, and where the module asks for those of its next lines. Null where the input was
   * set as a whole. By address, so that it is linked where mote_input_rows is.
   * @returns MOTE_DONE; MOTE_BUSY where some are missing yet; MOTE_ERROR_MODULE where it asks for lines that there are not; as give_row
   */
  mote_status (*rows)(mote *model, bool is_asked);
};

/**
 * Copies from linear memory, when loading is done, what struct mote says.
 * @returns MOTE_ERROR_MODULE for what cannot be; MOTE_ERROR_MEMORY when the heap has no room for the ends; as mote_container_head
 */
mote_status mote_take_tables(mote *model);

/** Whether the float of these bits is finite and above 0. */
bool mote_is_scale(uint32_t bits);

/** Loading is done and the model not closed. False for null. */
bool mote_is_open(const mote *model);

/** The model whose heap and container the engines' hooks use: that of the innermost call under way. */
mote *mote_at_work(void);

/** What an engine's `measure` does for a container that stands beside the module or behind `read`. */
mote_status mote_measure_container(mote *model);

/**
 * What an engine's `measure` does for a fast module.
 * @param linear_bytes what the control block states
 * @param end_count inputs and outputs, or more
 */
mote_status mote_measure_fast(mote *model, mote_bytes stream, uint32_t linear_bytes, uint32_t end_count);

/** Lets `mote.read` and mote_container_head read what is inside the module. */
void mote_read_inside(mote *model, mote_form form, mote_bytes bytes);

/**
 * The import `mote.read` of the model at work, from its stream or its container: 0, or 1 when a range is wrong, the source fails, or the
 * model has no linear memory yet.
 */
uint32_t mote_import_read(uint32_t offset, uint32_t target, uint32_t length);

/** A little-endian u32. */
uint32_t mote_get_u32(const uint8_t *bytes);
void mote_put_u32(uint8_t *bytes, uint32_t word);

/** A u32 of linear memory, which is little-endian. The address MUST be within it. What it gives may be anything. */
uint32_t mote_linear_u32(const mote *model, uint32_t address);

/** CRC-32 as of the container: polynomial EDB88320 reflected. */
uint32_t mote_crc32(const uint8_t *bytes, size_t length);

/** The same in parts. @param crc of the bytes before; of the first ones 0 */
uint32_t mote_crc32_on(uint32_t crc, const uint8_t *bytes, size_t length);

/** What a model's certificate says of its self-test: how many runs, and the checksum of their outputs. @returns as mote_get_preprocessing */
mote_status mote_certificate(const mote *model, uint32_t *vectors, uint32_t *outputs_crc);

/** The caller has written all elements of an input. */
void mote_input_is_set(mote *model, uint32_t input);

/** The first element of a row of an end's channel; the others follow it. */
static inline uint8_t *mote_row_at(const mote *model, const mote_end *end, uint32_t c, uint32_t y) {
  return model->linear + end->ptr + c * end->plane + y * ((uint32_t)end->width + end->margin);
}

#endif
