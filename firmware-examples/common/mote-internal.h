/** What mote.c and the engines share. Not for applications. */
#ifndef MOTE_INTERNAL_H
#define MOTE_INTERNAL_H

#include "mote-heap.h"
#include "mote.h"

/** The core's exported functions, all i32 -> i32; `start` takes nothing. */
typedef enum mote_export { MOTE_EXPORT_OPEN, MOTE_EXPORT_START, MOTE_EXPORT_STEP, MOTE_EXPORT_COUNT } mote_export;

/** What the first bytes of a container tell: what must be known before the core can look at it. */
typedef struct mote_header {
  /** Linear memory for the plan, the window included. */
  uint32_t plan_bytes;
  /** Linear memory for the plan without the window: where the container is in linear memory. */
  uint32_t plan_without_window_bytes;
  /** The input's scale, an f32 by its bits. */
  uint32_t input_scale_bits;
} mote_header;

/** The most bytes mote_header_parse looks at. */
#define MOTE_HEADER_BYTES 80u

/**
 * Reads a container's head. Its values are not checked further than is needed to add them up: that is the core's part.
 * @param length bytes at `bytes`: the whole container, or at least MOTE_HEADER_BYTES of it
 * @returns MOTE_DONE, MOTE_STATUS_TRUNCATED, MOTE_STATUS_MAGIC, MOTE_STATUS_VERSION or MOTE_STATUS_RANGE
 */
mote_status mote_header_parse(mote_header *header, const uint8_t *bytes, uint32_t length);

struct mote_engine {
  /** What the model needs and where its data is: sets `linear_bytes`, `input_scale_bits` and, of a fast module, `stream`. */
  mote_status (*measure)(mote *model);
  /** Makes the instance with `linear_bytes` of linear memory; sets `linear` and `instance`. */
  mote_status (*instantiate)(mote *model);
  /** Calls an export. Answers MOTE_ERROR_TRAP when the engine, not the core, stopped. */
  mote_status (*call)(mote *model, mote_export which, uint32_t argument);
  /** What MOTE_DEFAULT_BUDGET stands for: with a container, and with a fast module. */
  uint32_t budget;
  uint32_t fast_budget;
};

typedef enum mote_state {
  MOTE_STATE_LOADING,
  /** Open; no input since the last inference. `has_output` tells whether there was one. */
  MOTE_STATE_IDLE,
  /** An input was set. */
  MOTE_STATE_READY,
  MOTE_STATE_RUNNING,
  /** Loading failed. */
  MOTE_STATE_DEAD
} mote_state;

/** Some bytes, or none. */
typedef struct mote_bytes {
  const uint8_t *data;
  uint32_t length;
} mote_bytes;

struct mote {
  mote_source source;
  /** Of a fast module: what `mote.read` reads. Null where there is a container. */
  mote_bytes stream;
  mote_heap heap;
  /** Bytes at the head of the caller's memory that alignment leaves unused. */
  uint32_t skipped_bytes;
  mote_state state;
  bool has_output;
  uint32_t input_scale_bits;
  uint8_t *linear;
  uint32_t linear_bytes;
  /** The engine's. */
  void *instance;
};

/** Makes `model` the one whose heap and container the engines' hooks use, until the next call. */
void mote_work_on(mote *model);

/** The model last given to mote_work_on. */
mote *mote_at_work(void);

/** What an engine's `measure` does for a container that stands beside the module or behind `read`. */
mote_status mote_measure_container(mote *model);

/**
 * What an engine's `measure` does for a fast module.
 * @param linear_bytes, input_scale_bits the control block's initial words
 */
mote_status mote_measure_fast(mote *model, mote_bytes stream, uint32_t linear_bytes, uint32_t input_scale_bits);

/** The import `mote.read` of the model at work, from its stream or its container: 0, or 1 when a range is wrong or the source fails. */
uint32_t mote_import_read(uint32_t offset, uint32_t target, uint32_t length);

/** A little-endian u32. */
uint32_t mote_get_u32(const uint8_t *bytes);

/** A u32 of linear memory, which is little-endian. The address MUST be within it. */
uint32_t mote_linear_u32(const mote *model, uint32_t address);

/** CRC-32 as of the container: polynomial EDB88320 reflected. */
uint32_t mote_crc32(const uint8_t *bytes, size_t length);

#endif
