/** The ahead-of-time engine: calls a module that wasm2c turned into C, and is the runtime that C expects. */
#include "mote-aot.h"

#include <setjmp.h>

#include "mote-kernels.h"

/** Where a trap goes: the innermost call under way. */
static jmp_buf *trap_target;

/** A trap of our own, beside wasm_rt_trap_t's. */
#define OUT_OF_MEMORY 100

void wasm_rt_trap(wasm_rt_trap_t reason) { longjmp(*trap_target, (int)reason); }

void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint32_t initial_pages, uint32_t max_pages) {
  mote *model = mote_at_work();
  memory->data = mote_heap_calloc(&model->heap, model->linear_bytes);
  if (memory->data == NULL) longjmp(*trap_target, OUT_OF_MEMORY);
  memory->pages = initial_pages;
  memory->max_pages = max_pages;
  memory->size = model->linear_bytes;
}

uint32_t wasm_rt_grow_memory(wasm_rt_memory_t *memory, uint32_t pages) {
  (void)memory;
  (void)pages;
  return UINT32_MAX;
}

void wasm_rt_free_memory(wasm_rt_memory_t *memory) { (void)memory; }

uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...) {
  (void)params;
  (void)results;
  return 0;
}

bool wasm_rt_is_initialized(void) { return true; }

struct Z_mote_instance_t;

/** The module's import, by wasm2c's name for it. */
uint32_t Z_moteZ_read(struct Z_mote_instance_t *unused, uint32_t offset, uint32_t target, uint32_t length);

uint32_t Z_moteZ_read(struct Z_mote_instance_t *unused, uint32_t offset, uint32_t target, uint32_t length) {
  (void)unused;
  return mote_import_read(offset, target, length);
}

/** A unit of the module's own kernels is about 3 instructions. */
#define NATIVE_SHIFT 2u

static uint32_t run_kernel(mote_kernel_function run, uint32_t layer, uint32_t progress, uint32_t budget) {
  int32_t work = mote_kernel_run(run, layer, progress, budget, NATIVE_SHIFT);
  if (work < 0) wasm_rt_trap(WASM_RT_TRAP_OOB);
  return (uint32_t)work;
}

/* What a fast module imports in the place of its kernels: the library's. */
#define KERNEL(name)                                                                                                        \
  uint32_t Z_moteZ_##name##1(struct Z_mote_instance_t *unused, uint32_t layer, uint32_t progress, uint32_t budget);          \
  uint32_t Z_moteZ_##name##1(struct Z_mote_instance_t *unused, uint32_t layer, uint32_t progress, uint32_t budget) {         \
    (void)unused;                                                                                                           \
    return run_kernel(mote_kernel_##name, layer, progress, budget);                                                         \
  }
KERNEL(tiles)
KERNEL(blocks)
KERNEL(dense)
KERNEL(quads)
KERNEL(gaps)
KERNEL(rows)
KERNEL(values)
KERNEL(bits)
KERNEL(depth)
KERNEL(pool)
KERNEL(sums)
KERNEL(lines)

static mote_status measure(mote *model) {
  const mote_aot_module *module = model->source.module;
  if (module->stream != NULL) {
    mote_bytes stream = {module->stream, module->stream_bytes};
    return mote_measure_fast(model, stream, module->linear_bytes, module->end_count);
  }
  return model->source.container_bytes == 0 ? MOTE_ERROR_ARGUMENT : mote_measure_container(model);
}

static mote_bytes metadata(const mote *model) {
  const mote_aot_module *module = model->source.module;
  return (mote_bytes){module->metadata, module->metadata_bytes};
}

static size_t needs(const mote *model) {
  const mote_aot_module *module = model->source.module;
  return mote_heap_bytes(sizeof(mote)) + mote_heap_bytes(module->instance_bytes) + mote_heap_bytes(model->linear_bytes);
}

/** What runs in the module, behind setjmp so that a trap comes back as a status. */
typedef enum entry { ENTRY_INSTANTIATE, ENTRY_OPEN, ENTRY_START, ENTRY_STEP, ENTRY_RESET } entry;

static mote_status run(mote *model, entry which, uint32_t argument) {
  const mote_aot_module *module = model->source.module;
  switch (which) {
    case ENTRY_INSTANTIATE:
      module->instantiate(model->instance);
      return MOTE_DONE;
    case ENTRY_OPEN:
      return (mote_status)module->open(model->instance, argument);
    case ENTRY_START:
      return (mote_status)module->start(model->instance);
    case ENTRY_STEP:
      return (mote_status)module->step(model->instance, argument);
    case ENTRY_RESET:
      return (mote_status)module->reset(model->instance);
  }
  return MOTE_ERROR_TRAP;
}

static mote_status enter(mote *model, entry which, uint32_t argument) {
  jmp_buf here;
  jmp_buf *outer = trap_target;
  trap_target = &here;
  int trap = setjmp(here);
  mote_status status = trap == 0 ? run(model, which, argument) : trap == OUT_OF_MEMORY ? MOTE_ERROR_MEMORY : MOTE_ERROR_TRAP;
  trap_target = outer;
  return status;
}

static mote_status instantiate(mote *model) {
  const mote_aot_module *module = model->source.module;
  model->instance = mote_heap_calloc(&model->heap, module->instance_bytes);
  if (model->instance == NULL) return MOTE_ERROR_MEMORY;
  mote_status status = enter(model, ENTRY_INSTANTIATE, 0);
  if (status != MOTE_DONE) return status;
  model->linear = module->memory(model->instance)->data;
  return MOTE_DONE;
}

static mote_status call(mote *model, mote_export which, uint32_t argument) {
  switch (which) {
    case MOTE_EXPORT_OPEN:
      return enter(model, ENTRY_OPEN, argument);
    case MOTE_EXPORT_START:
      return enter(model, ENTRY_START, 0);
    case MOTE_EXPORT_RESET:
      return enter(model, ENTRY_RESET, 0);
    default:
      return enter(model, ENTRY_STEP, argument);
  }
}

const mote_engine mote_aot = {measure, needs, metadata, instantiate, call, 1024, 4096, NULL, NULL};
