/**
 * What the C that wabt's wasm2c writes needs around it, for modules of integers, one memory and no tables. Written for this
 * library; the names are wasm2c's (1.0.32).
 */
#ifndef WASM_RT_H_
#define WASM_RT_H_

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define WASM_RT_NO_RETURN __attribute__((noreturn))
#define wasm_rt_unreachable __builtin_unreachable
#else
#define LIKELY(x) (x)
#define UNLIKELY(x) (x)
#define WASM_RT_NO_RETURN
#define wasm_rt_unreachable() ((void)0)
#endif

/*
 * How wasm2c's loads and stores copy a number from and to linear memory, which is little-endian. (wasm2c's own way on a big-endian CPU,
 * WABT_BIG_ENDIAN, keeps the whole memory in reverse, for itself alone to read.)
 */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
static inline void wasm_rt_memcpy(void *target, const void *source, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) ((uint8_t *)target)[i] = ((const uint8_t *)source)[bytes - 1 - i];
}
#elif defined(__GNUC__)
#define wasm_rt_memcpy __builtin_memcpy
#else
#define wasm_rt_memcpy memcpy
#endif

/*
 * No test on each load and store: the core checks its addresses itself, which the fuzzer holds against the tests of three other
 * engines. Define MOTE_AOT_CHECKED as 1 to have them nevertheless.
 */
#if defined(MOTE_AOT_CHECKED) && MOTE_AOT_CHECKED
#define WASM_RT_MEMCHECK_SIGNAL_HANDLER 0
#else
#define WASM_RT_MEMCHECK_SIGNAL_HANDLER 1
#endif
/* The core does not recurse. */
#define WASM_RT_USE_STACK_DEPTH_COUNT 0

typedef enum wasm_rt_trap_t {
  WASM_RT_TRAP_NONE,
  WASM_RT_TRAP_OOB,
  WASM_RT_TRAP_INT_OVERFLOW,
  WASM_RT_TRAP_DIV_BY_ZERO,
  WASM_RT_TRAP_INVALID_CONVERSION,
  WASM_RT_TRAP_UNREACHABLE,
  WASM_RT_TRAP_CALL_INDIRECT,
  WASM_RT_TRAP_UNCAUGHT_EXCEPTION,
  WASM_RT_TRAP_EXHAUSTION
} wasm_rt_trap_t;

typedef enum wasm_rt_type_t { WASM_RT_I32, WASM_RT_I64, WASM_RT_F32, WASM_RT_F64, WASM_RT_FUNCREF, WASM_RT_EXTERNREF } wasm_rt_type_t;

typedef void (*wasm_rt_function_ptr_t)(void);

/* Tables are declared by wasm2c's helpers and never made. */
typedef struct wasm_rt_funcref_t {
  uint32_t func_type;
  wasm_rt_function_ptr_t func;
  void *module_instance;
} wasm_rt_funcref_t;

typedef struct wasm_rt_funcref_table_t {
  wasm_rt_funcref_t *data;
  uint32_t max_size;
  uint32_t size;
} wasm_rt_funcref_table_t;

typedef void *wasm_rt_externref_t;

#define wasm_rt_externref_null_value NULL

typedef struct wasm_rt_externref_table_t {
  wasm_rt_externref_t *data;
  uint32_t max_size;
  uint32_t size;
} wasm_rt_externref_table_t;

/** Linear memory: `size` bytes at `data`, which may be fewer than its pages. */
typedef struct wasm_rt_memory_t {
  uint8_t *data;
  uint32_t pages;
  uint32_t max_pages;
  uint32_t size;
} wasm_rt_memory_t;

/** Ends the call under way with MOTE_ERROR_TRAP. */
WASM_RT_NO_RETURN void wasm_rt_trap(wasm_rt_trap_t reason);

/** Gives the memory as many bytes as the model at work needs. */
void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint32_t initial_pages, uint32_t max_pages);

/** Always refuses. */
uint32_t wasm_rt_grow_memory(wasm_rt_memory_t *memory, uint32_t pages);

/** Nothing to do: memory goes with the model. */
void wasm_rt_free_memory(wasm_rt_memory_t *memory);

/** Types matter to tables only. */
uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...);

/** Always true. */
bool wasm_rt_is_initialized(void);

#endif
