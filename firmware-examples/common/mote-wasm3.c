/** The wasm3 engine. All that knows wasm3 is in this file, mote-wasm3.h and mote-ops.h: for 0.5.0 and 0.9.0. */
#include "mote-wasm3.h"

#include <setjmp.h>

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

/** The interpreter's own value stack. The core for any model needs 792 bytes of it, others less; wasm3 checks. */
#ifndef MOTE_WASM3_STACK_BYTES
#define MOTE_WASM3_STACK_BYTES 832
#endif

/**
 * More of it, behind what wasm3 gives to functions: 0.5.0 copies arguments, 8 bytes each, behind a caller's values without looking whether
 * they fit, and only then asks whether the callee does.
 */
#define ARGUMENT_SLOTS (2 * (MOTE_MODULE_MAX_PARAMETERS + 1))

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

static mote_status measure_fast(mote *model, mote_bytes module, mote_bytes stream) {
  if (mote_module_initial_u32(module, MOTE_CONTROL_MODEL_BYTES) != stream.length) return MOTE_ERROR_MODULE;
  return mote_measure_fast(model, stream, mote_module_initial_u32(module, MOTE_CONTROL_MEMORY_BYTES),
                           mote_module_initial_u32(module, MOTE_CONTROL_TENSOR_COUNT));
}

static mote_status measure(mote *model) {
  mote_bytes module = {model->source.module, model->source.module_bytes};
  if (!mote_module_is_sealed(module) || !mote_module_check(module)) return MOTE_ERROR_MODULE;
  mote_bytes stream = mote_module_section(module, MOTE_STREAM_SECTION);
  if (stream.data != NULL) return measure_fast(model, module, stream);
  return model->source.container_bytes == 0 ? measure_packed(model, module) : mote_measure_container(model);
}

static mote_bytes metadata(const mote *model) {
  mote_bytes module = {model->source.module, model->source.module_bytes};
  return mote_module_section(module, MOTE_METADATA_SECTION);
}

static size_t needs(const mote *model) {
  /* Of the module's bytes those that wasm3 has to do with. */
  size_t bytes = model->source.module_bytes - (model->form == MOTE_FORM_BESIDE ? 0 : model->source.container_bytes);
  return model->form == MOTE_FORM_FAST ? MOTE_WASM3_FAST_BYTES(model->linear_bytes, bytes) : MOTE_WASM3_BYTES(model->linear_bytes, bytes);
}

static bool takes_only_i32(IM3Function function, uint32_t arguments) {
  if (m3_GetArgCount(function) != arguments) return false;
  for (uint32_t i = 0; i < arguments; i++) {
    if (m3_GetArgType(function, i) != c_m3Type_i32) return false;
  }
  return m3_GetRetCount(function) == 1 && m3_GetRetType(function, 0) == c_m3Type_i32;
}

/** Finds the exports and checks their types. */
static M3Result find_exports(instance *i) {
  for (int which = 0; which < MOTE_EXPORT_COUNT; which++) {
    M3Result result = m3_FindFunction(&i->exports[which], i->runtime, export_names[which]);
    if (result != m3Err_none) return result;
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

/**
 * What the module's functions will take once they are compiled, as experience has it: on a 32-bit CPU 17/4 of their bytes in a core, 7/2
 * in a fast module. Only the sizes of pages depend on it: too little costs a few more links, too much leaves the last page emptier.
 */
static size_t expected_code_bytes(const mote *model) {
  mote_bytes module = {model->source.module, model->source.module_bytes};
  size_t bytes = mote_module_code_bytes(module) * (sizeof(void *) / 4);
  return model->form == MOTE_FORM_FAST ? bytes * 7 / 2 : bytes * 17 / 4;
}

/** Parses, links and compiles the whole module: afterwards wasm3 allocates nothing more. */
static M3Result build_instance(instance *i, const mote *model) {
  IM3Environment environment = m3_NewEnvironment();
  i->runtime = m3_NewRuntime(environment, MOTE_WASM3_STACK_BYTES + ARGUMENT_SLOTS * sizeof(m3slot_t), NULL);
  i->runtime->numStackSlots = MOTE_WASM3_STACK_BYTES / sizeof(m3slot_t);
  i->runtime->memoryLimit = model->linear_bytes;
  M3Result result = m3_ParseModule(environment, &i->module, model->source.module, model->source.module_bytes);
  if (result == m3Err_none) {
    /* The core declares one page, whatever the plan. */
    M3MemoryInfo *memory = &i->module->memoryInfo;
    memory->initPages = memory->maxPages = (model->linear_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    result = m3_LoadModule(i->runtime, i->module);
  }
  if (result == m3Err_none) result = link_read(i->module);
  if (result == m3Err_none) {
    i->code_end = model->heap.top + expected_code_bytes(model);
    result = m3_CompileModule(i->module);
  }
  if (result == m3Err_none) result = find_exports(i);
  return result;
}

static mote_status make_instance(mote *model) {
  instance *i = mote_wasm3_calloc(1, sizeof(instance));
  model->instance = i;
  if (build_instance(i, model) != m3Err_none) return MOTE_ERROR_MODULE;
  size_t bytes = 0;
  model->linear = GET_MEMORY(i, &bytes);
  return model->linear == NULL || bytes < model->linear_bytes ? MOTE_ERROR_MODULE : MOTE_DONE;
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

const mote_engine mote_wasm3 = {measure, needs, metadata, instantiate, call, 128, 2048};
