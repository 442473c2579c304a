/** The wasm3 engine. All that knows wasm3 is in this file, mote-wasm3.h and mote-ops.h: for 0.5.0 and 0.9.0. */
#include "mote-wasm3.h"

#include <setjmp.h>

#include "mote-kernels.h"
#include "mote-module.h"

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#endif
#include "wasm3/m3_env.h"
#include "mote-ops.h"
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/** The most that the interpreter's own value stack takes under a core, of which the one for any model needs 944 bytes with a small container; wasm3 checks. */
#ifndef MOTE_WASM3_STACK_BYTES
#define MOTE_WASM3_STACK_BYTES 992
#endif
/** The same of a fast module, which needs less. */
#ifndef MOTE_WASM3_FAST_STACK_BYTES
#define MOTE_WASM3_FAST_STACK_BYTES 832
#endif

/**
 * More of it, behind what wasm3 gives to functions: 0.5.0 copies arguments, 8 bytes each, behind a caller's values without looking whether
 * they fit, and only then asks whether the callee does.
 */
#define ARGUMENT_SLOTS (2 * (MOTE_MODULE_MAX_PARAMETERS + 1))

/** Until functions are compiled: what the constants of globals and data segments take. */
#define FIRST_STACK_SLOTS 8u

#define PAGE_BYTES 65536u

typedef struct instance {
  IM3Module module;
  IM3Runtime runtime;
  IM3Function exports[MOTE_EXPORT_COUNT];
  /** Where the heap is expected to end when all functions have been compiled; 0 before the first one. */
  size_t code_end;
} instance;

static const char *const export_names[MOTE_EXPORT_COUNT] = {MOTE_OPEN_EXPORT, MOTE_START_EXPORT, MOTE_STEP_EXPORT, MOTE_RESET_EXPORT};

static uint32_t argument_count(int which) { return which == MOTE_EXPORT_OPEN || which == MOTE_EXPORT_STEP ? 1 : 0; }

/**
 * Where a refused allocation goes. wasm3 0.5.0 does not look at every pointer it gets, so it never gets a null one: it is left where
 * it stands, since all it made goes with the caller's memory. Null when no model is being opened: then nothing is allocated but by a
 * module that grows its memory or, by a number that wraps, shrinks it. wasm3 does look at that pointer.
 */
static jmp_buf *out_of_memory;

static void *granted(void *block) {
  if (block == NULL) longjmp(*out_of_memory, 1);
  return block;
}

void *mote_wasm3_calloc(size_t count, size_t bytes) {
  if (out_of_memory == NULL) return NULL;
  return granted(bytes != 0 && count > SIZE_MAX / bytes ? NULL : mote_heap_calloc(&mote_at_work()->heap, count * bytes));
}

void *mote_wasm3_realloc(void *old, size_t bytes) {
  return out_of_memory == NULL ? NULL : granted(mote_heap_realloc(&mote_at_work()->heap, old, bytes));
}

#define LEAST_PAGE_BYTES 256u

unsigned int mote_wasm3_page_bytes(void) {
  const mote *model = mote_at_work();
  size_t end = ((const instance *)model->instance)->code_end;
  size_t left = end > model->heap.top ? end - model->heap.top : 0;
  unsigned int bytes = LEAST_PAGE_BYTES;
  while (bytes <= left / 2) bytes *= 2;
  return bytes;
}

int mote_wasm3_strcmp(const char *a, const char *b) {
  while (*a != '\0' && *a == *b) {
    a++;
    b++;
  }
  return *a - *b;
}

void mote_wasm3_free(void *block) { mote_heap_free(&mote_at_work()->heap, block); }

/* 0.5.0 finds the memory by runtime and counts its bytes in 32 bits; 0.9 by module and in a size_t. */
typedef uint8_t *(*get_by_runtime)(IM3Runtime, uint32_t *, uint32_t);
typedef uint8_t *(*get_by_module)(IM3Module, size_t *, uint32_t);

static uint8_t *memory_by_runtime(get_by_runtime get, const instance *i, size_t *bytes) {
  uint32_t size = 0;
  uint8_t *memory = get(i->runtime, &size, 0);
  *bytes = size;
  /* cppcheck-suppress returnDanglingLifetime ; the memory is the runtime's, not `size` */
  return memory;
}

static uint8_t *memory_by_module(get_by_module get, const instance *i, size_t *bytes) { return get(i->module, bytes, 0); }

#define GET_MEMORY(i, bytes) \
  _Generic(&m3_GetMemory, get_by_runtime: memory_by_runtime, get_by_module: memory_by_module)(&m3_GetMemory, i, bytes)

static m3ApiRawFunction(import_read) {
  (void)runtime;
  (void)_ctx;
  (void)_mem;
  m3ApiReturnType(uint32_t);
  m3ApiGetArg(uint32_t, offset);
  m3ApiGetArg(uint32_t, target);
  m3ApiGetArg(uint32_t, length);
  m3ApiReturn(mote_import_read(offset, target, length));
}

/** A unit of an interpreted kernel's work is about 20 instructions of a Cortex-M4. */
#define NATIVE_SHIFT 4u

static m3ApiRawFunction(run_kernel) {
  (void)runtime;
  (void)_mem;
  const mote_kernel *kernel = _ctx->userdata;
  m3ApiReturnType(uint32_t);
  m3ApiGetArg(uint32_t, layer);
  m3ApiGetArg(uint32_t, progress);
  m3ApiGetArg(uint32_t, budget);
  int32_t work = mote_kernel_run(kernel->run, layer, progress, budget, NATIVE_SHIFT);
  if (work < 0) m3ApiTrap(m3Err_trapOutOfBoundsMemoryAccess);
  m3ApiReturn((uint32_t)work);
}

/** A module with the container inside. */
static mote_status measure_packed(mote *model, mote_bytes module) {
  uint32_t address = mote_module_initial_u32(module, MOTE_CONTROL_MODEL_PTR);
  uint32_t length = mote_module_initial_u32(module, MOTE_CONTROL_MODEL_BYTES);
  const uint8_t *container = mote_module_initial(module, address, length);
  if (address == 0 || container == NULL) return MOTE_ERROR_MODULE;
  mote_read_inside(model, MOTE_FORM_INSIDE, (mote_bytes){container, length});
  mote_head head;
  mote_status status = mote_container_head(model, &head);
  if (status != MOTE_DONE) return status;
  uint32_t end = address + length + MOTE_MODEL_SLACK_BYTES;
  model->linear_bytes = end > head.plan_without_window_bytes ? end : head.plan_without_window_bytes;
  return MOTE_DONE;
}

static mote_status measure(mote *model) {
  mote_bytes module = {model->source.module, model->source.module_bytes};
  if (!mote_module_is_sealed(module) || !mote_module_check(module)) return MOTE_ERROR_MODULE;
  mote_bytes stream = mote_module_section(module, MOTE_STREAM_SECTION);
  if (stream.data != NULL) return mote_module_measure(model, module, stream);
  return model->source.container_bytes == 0 ? measure_packed(model, module) : mote_measure_container(model);
}

static const mote_kernel no_kernels[] = {{NULL, NULL}};

static const mote_kernel *kernels_of(const mote *model) {
  const mote_kernel *kernels = model->source.engine->kernels;
  return kernels == NULL || model->form != MOTE_FORM_FAST ? no_kernels : kernels;
}

/** Finds out which functions may run in the sandbox. @returns bytes of the others */
static uint32_t find_running(const mote *model, mote_function_set *runs) {
  mote_bytes module = {model->source.module, model->source.module_bytes};
  mote_function_set replaced = {{0}};
  bool is_native = kernels_of(model)->name != NULL;
  memset(runs, is_native ? 0 : 0xff, sizeof *runs);
  if (!is_native) return 0;
  for (const mote_kernel *kernel = kernels_of(model); kernel->name != NULL; kernel++) {
    mote_function_add(&replaced, mote_module_export(module, kernel->name));
  }
  for (int which = 0; which < MOTE_EXPORT_COUNT; which++) mote_function_add(runs, mote_module_export(module, export_names[which]));
  return mote_module_follow(module, &replaced, runs);
}

static size_t needs(const mote *model) {
  /* Of the module's bytes those that wasm3 has to do with. */
  mote_function_set runs;
  size_t bytes = model->source.module_bytes - (model->form == MOTE_FORM_BESIDE ? 0 : model->source.container_bytes) - find_running(model, &runs);
  return model->form == MOTE_FORM_FAST ? MOTE_WASM3_FAST_BYTES(model->linear_bytes, bytes) : MOTE_WASM3_BYTES(model->linear_bytes, bytes);
}

static bool takes_only_i32(IM3Function function, uint32_t arguments) {
  if (m3_GetArgCount(function) != arguments) return false;
  for (uint32_t i = 0; i < arguments; i++) {
    if (m3_GetArgType(function, i) != c_m3Type_i32) return false;
  }
  return m3_GetRetCount(function) == 1 && m3_GetRetType(function, 0) == c_m3Type_i32;
}

/** Finds the exports, as find_running does, and checks their types. */
static M3Result find_exports(instance *i, const mote *model) {
  mote_bytes module = {model->source.module, model->source.module_bytes};
  for (int which = 0; which < MOTE_EXPORT_COUNT; which++) {
    uint32_t index = mote_module_export(module, export_names[which]);
    if (index < i->module->numFuncImports || index >= i->module->numFunctions) return m3Err_functionLookupFailed;
    i->exports[which] = &i->module->functions[index];
    if (!takes_only_i32(i->exports[which], argument_count(which))) return m3Err_argumentTypeMismatch;
  }
  return m3Err_none;
}

/**
 * Links `mote.read`, which a module with the container inside does not import; there is nothing else to import. As m3_LinkRawFunction would,
 * whose reader of signatures takes half a kilobyte of flash.
 */
static M3Result link_read(IM3Module module) {
  M3Result result = m3Err_none;
  for (uint32_t i = 0; i < module->numFuncImports && result == m3Err_none; i++) {
    IM3Function function = &module->functions[i];
    bool is_read = strcmp(function->import.moduleUtf8, MOTE_IMPORT_MODULE) == 0 &&
                   strcmp(function->import.fieldUtf8, MOTE_READ_IMPORT) == 0;
    if (!is_read || !takes_only_i32(function, 3)) return m3Err_functionLookupFailed;
    result = CompileRawFunction(module, function, (const void *)import_read, NULL);
  }
  return result;
}

/** Puts native kernels in the place of the module's. */
static M3Result link_kernels(IM3Module module, const mote *model) {
  mote_bytes bytes = {model->source.module, model->source.module_bytes};
  for (const mote_kernel *kernel = kernels_of(model); kernel->name != NULL; kernel++) {
    uint32_t index = mote_module_export(bytes, kernel->name);
    if (index == MOTE_NO_FUNCTION) continue;
    IM3Function function = &module->functions[index];
    if (index < module->numFuncImports || !takes_only_i32(function, 3)) return m3Err_argumentTypeMismatch;
    M3Result result = CompileRawFunction(module, function, (const void *)run_kernel, kernel);
    if (result != m3Err_none) return result;
  }
  return m3Err_none;
}

/**
 * Compiles what may run. Code takes what experience has: on a 32-bit CPU 17/4 of a function's bytes in a core, 7/2 in a fast module. Only the
 * sizes of pages depend on it: too little costs a few more links, too much leaves the last page emptier.
 */
static M3Result compile_functions(instance *i, const mote *model, const mote_function_set *runs) {
  IM3Module module = i->module;
  size_t bytes = 0;
  for (uint32_t f = module->numFuncImports; f < module->numFunctions; f++) {
    const M3Function *function = &module->functions[f];
    if (mote_function_is_in(runs, f)) bytes += (size_t)(function->wasmEnd - function->wasm);
  }
  bytes *= sizeof(void *) / 4;
  i->code_end = model->heap.top + (model->form == MOTE_FORM_FAST ? bytes * 7 / 2 : bytes * 17 / 4);
  M3Result result = m3Err_none;
  for (uint32_t f = module->numFuncImports; f < module->numFunctions && result == m3Err_none; f++) {
    IM3Function function = &module->functions[f];
    if (mote_function_is_in(runs, f)) result = CompileFunction(function);
  }
  return result;
}

/**
 * Makes the value stack, once it is known what functions take: all of them within each other, which is more than any does since none calls
 * itself. A callee's values begin at an even slot.
 */
static void place_stack(const instance *i, const mote *model, const mote_function_set *runs) {
  IM3Module module = i->module;
  uint32_t slots = 1;
  for (uint32_t f = module->numFuncImports; f < module->numFunctions; f++) {
    if (mote_function_is_in(runs, f)) slots += module->functions[f].maxStackSlots + 1u;
  }
  uint32_t most = (model->form == MOTE_FORM_FAST ? MOTE_WASM3_FAST_STACK_BYTES : MOTE_WASM3_STACK_BYTES) / sizeof(m3slot_t);
  if (slots > most) slots = most;
  m3slot_t *stack = mote_wasm3_calloc(slots + ARGUMENT_SLOTS, sizeof(m3slot_t));
  i->runtime->stack = stack;
  i->runtime->numStackSlots = slots;
  ((M3MemoryHeader *)(void *)model->linear)[-1].maxStack = stack + slots;
}

/** Compiles what may run: afterwards wasm3 allocates nothing more. Apart from load_module, which takes the most native stack. */
static M3_NOINLINE M3Result link_module(instance *i, mote *model) {
  mote_function_set runs;
  (void)find_running(model, &runs);
  M3Result result = link_read(i->module);
  if (result == m3Err_none) result = link_kernels(i->module, model);
  if (result == m3Err_none) result = compile_functions(i, model, &runs);
  if (result == m3Err_none) result = find_exports(i, model);
  if (result != m3Err_none) return result;
  size_t bytes = 0;
  model->linear = GET_MEMORY(i, &bytes);
  if (model->linear == NULL || bytes < model->linear_bytes) return m3Err_wasmMemoryOverflow;
  place_stack(i, model, &runs);
  return m3Err_none;
}

static M3Result load_module(instance *i, const mote *model) {
  IM3Environment environment = m3_NewEnvironment();
  i->runtime = m3_NewRuntime(environment, FIRST_STACK_SLOTS * sizeof(m3slot_t), NULL);
  i->runtime->memoryLimit = model->linear_bytes;
  M3Result result = m3_ParseModule(environment, &i->module, model->source.module, model->source.module_bytes);
  if (result == m3Err_none) {
    /* The core declares one page, whatever the plan. */
    M3MemoryInfo *memory = &i->module->memoryInfo;
    memory->initPages = memory->maxPages = (model->linear_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    result = m3_LoadModule(i->runtime, i->module);
  }
  return result;
}

static mote_status make_instance(mote *model) {
  instance *i = mote_wasm3_calloc(1, sizeof(instance));
  model->instance = i;
  return load_module(i, model) == m3Err_none && link_module(i, model) == m3Err_none ? MOTE_DONE : MOTE_ERROR_MODULE;
}

static mote_status instantiate(mote *model) {
  jmp_buf here;
  mote_status status = MOTE_ERROR_MEMORY;
  out_of_memory = &here;
  if (setjmp(here) == 0) status = make_instance(model);
  out_of_memory = NULL;
  return status;
}

static mote_status call(mote *model, mote_export which, uint32_t argument) {
  IM3Function function = ((instance *)model->instance)->exports[which];
  const void *arguments[1] = {&argument};
  mote_status status = MOTE_ERROR_TRAP;
  if (m3_Call(function, argument_count((int)which), arguments) != m3Err_none) return MOTE_ERROR_TRAP;
  const void *results[1] = {&status};
  if (m3_GetResults(function, 1, results) != m3Err_none) return MOTE_ERROR_TRAP;
  return status;
}

#ifdef MOTE_RUNS_OPS
mote_next_op mote_next;

m3ret_t mote_run_ops(pc_t pc, m3stack_t sp, M3MemoryHeader *mem, m3reg_t r0) {
  for (;;) {
    m3ret_t result = ((IM3Operation)*pc)(pc + 1, sp, mem, r0);
    if (result != &mote_next) return result;
    pc = mote_next.pc;
    r0 = mote_next.r0;
  }
}
#endif

const mote_engine mote_wasm3 = {measure, needs, mote_module_metadata, instantiate, call, 128, 2048, NULL, NULL};
const mote_engine mote_wasm3_native = {measure, needs, mote_module_metadata, instantiate, call, 128, 2048, mote_kernels, NULL};
