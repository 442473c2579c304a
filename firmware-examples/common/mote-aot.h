/** A module compiled ahead of time, as `mote pack --format aot` describes it. Filled in by the generated file. */
#ifndef MOTE_AOT_H
#define MOTE_AOT_H

#include "mote.h"
#include "wasm-rt.h"

typedef struct mote_aot_module {
  /** Bytes of the instance. */
  size_t instance_bytes;
  void (*instantiate)(void *instance);
  uint32_t (*open)(void *instance, uint32_t memory_bytes);
  uint32_t (*start)(void *instance);
  uint32_t (*step)(void *instance, uint32_t budget);
  uint32_t (*reset)(void *instance);
  wasm_rt_memory_t *(*memory)(void *instance);
  /** Of a fast module, otherwise zero: its stream, its linear memory in bytes, its inputs and outputs together, its metadata. */
  const uint8_t *stream;
  uint32_t stream_bytes;
  uint32_t linear_bytes;
  uint32_t end_count;
  /** What a container has behind its last layer; null where there is nothing. */
  const uint8_t *metadata;
  uint32_t metadata_bytes;
} mote_aot_module;

#endif
