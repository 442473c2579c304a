/** The wasm3 engine. All that knows wasm3 is in this file and in mote-wasm3.h; it works with 0.5.0 and 0.9. */
#include "mote-wasm3.h"

#include <setjmp.h>
#include <string.h>

#include "mote-internal.h"

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#endif
#include "wasm3/m3_env.h"
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/** The interpreter's own value stack. The core needs between 640 and 768 bytes of it; wasm3 checks. */
#ifndef MOTE_WASM3_STACK_BYTES
#define MOTE_WASM3_STACK_BYTES 1024
#endif

typedef struct instance {
  IM3Module module;
  IM3Runtime runtime;
  IM3Function exports[MOTE_EXPORT_COUNT];
} instance;

static const char *const export_names[MOTE_EXPORT_COUNT] = {"open", "start", "step"};

static uint32_t argument_count(int which) { return which == MOTE_EXPORT_START ? 0 : 1; }

/**
 * Where a refused allocation goes. wasm3 0.5.0 does not look at every pointer it gets, so it never gets a null one: it is left where
 * it stands, since all it made goes with the caller's memory.
 */
static jmp_buf *out_of_memory;

static void *granted(void *block) {
  if (block == NULL) longjmp(*out_of_memory, 1);
  return block;
}

void *mote_wasm3_calloc(size_t count, size_t bytes) {
  if (bytes != 0 && count > SIZE_MAX / bytes) longjmp(*out_of_memory, 1);
  return granted(mote_heap_calloc(&mote_at_work()->heap, count * bytes));
}

void *mote_wasm3_realloc(void *old, size_t bytes) { return granted(mote_heap_realloc(&mote_at_work()->heap, old, bytes)); }

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

/**
 * wasm3 0.5.0 runs a module as it is: a flipped bit in its code may do anything. So a module ends with a custom section of its
 * own: 00 0D, 08 "mote.crc", CRC-32 of all bytes before.
 */
static bool is_sealed(const uint8_t *module, uint32_t bytes) {
  static const uint8_t head[] = {0x00, 0x0d, 0x08, 'm', 'o', 't', 'e', '.', 'c', 'r', 'c'};
  if (bytes < sizeof head + 4) return false;
  const uint8_t *seal = module + bytes - sizeof head - 4;
  if (memcmp(seal, head, sizeof head) != 0) return false;
  const uint8_t *p = seal + sizeof head;
  uint32_t crc = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
  return crc == mote_crc32(module, (size_t)(seal - module));
}

/** Reads a module's active data segments one by one: WebAssembly core specification 1.0, 5.5.14. */
typedef struct segments {
  const uint8_t *next;
  const uint8_t *end;
  uint32_t left;
  bool ok;
} segments;

typedef struct segment {
  uint32_t address;
  uint32_t bytes;
  const uint8_t *data;
} segment;

static uint32_t read_leb(segments *s) {
  uint32_t value = 0;
  for (unsigned shift = 0; shift < 35 && s->next < s->end; shift += 7) {
    uint32_t byte = *s->next++;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  s->ok = false;
  return 0;
}

static segments find_segments(const uint8_t *module, uint32_t bytes) {
  segments s = {module + 8, module + bytes, 0, true};
  while (s.ok && s.next < s.end) {
    uint32_t id = *s.next++;
    uint32_t length = read_leb(&s);
    if (length > (uint32_t)(s.end - s.next)) break;
    if (id == 11) {
      s.end = s.next + length;
      s.left = read_leb(&s);
      return s;
    }
    s.next += length;
  }
  s.ok = false;
  return s;
}

static bool next_segment(segments *s, segment *found) {
  if (!s->ok || s->left == 0) return false;
  s->left--;
  uint32_t flags = read_leb(s);
  if (flags != 0 || s->next >= s->end || *s->next++ != 0x41) s->ok = false;
  /* An i32.const, signed; addresses stay far below where the sign would matter. */
  found->address = read_leb(s);
  if (s->next >= s->end || *s->next++ != 0x0b) s->ok = false;
  found->bytes = read_leb(s);
  if (!s->ok || found->bytes > (uint32_t)(s->end - s->next) || found->address > MOTE_MAX_BYTES) {
    s->ok = false;
    return false;
  }
  found->data = s->next;
  s->next += found->bytes;
  return true;
}

/** The initial bytes at an address of linear memory; null when no one segment holds them. */
static const uint8_t *initial_bytes(const mote_source *source, uint32_t address, uint32_t length) {
  segments s = find_segments(source->module, source->module_bytes);
  segment found;
  while (next_segment(&s, &found)) {
    if (address >= found.address && length <= found.bytes && address - found.address <= found.bytes - length) {
      return found.data + (address - found.address);
    }
  }
  return NULL;
}

static uint32_t get_u32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static mote_status measure_packed(const mote_source *source, mote_header *header, uint32_t *linear_bytes) {
  const uint8_t *control = initial_bytes(source, MOTE_CONTROL_MODEL_PTR, 8);
  if (control == NULL) return MOTE_ERROR_MODULE;
  uint32_t ptr = get_u32(control);
  uint32_t bytes = get_u32(control + 4);
  const uint8_t *container = initial_bytes(source, ptr, bytes);
  if (ptr == 0 || container == NULL) return MOTE_ERROR_MODULE;
  mote_status status = mote_header_parse(header, container, bytes);
  if (status != MOTE_DONE) return status;
  uint32_t end = ptr + bytes + MOTE_MODEL_SLACK_BYTES;
  *linear_bytes = end > header->plan_without_window_bytes ? end : header->plan_without_window_bytes;
  return MOTE_DONE;
}

static mote_status measure(mote *model, mote_header *header, uint32_t *linear_bytes) {
  const mote_source *source = &model->source;
  if (!is_sealed(source->module, source->module_bytes)) return MOTE_ERROR_MODULE;
  if (source->container_bytes == 0) return measure_packed(source, header, linear_bytes);
  mote_status status = mote_source_header(source, header);
  *linear_bytes = header->plan_bytes;
  return status;
}

/** Finds the exports and checks their types. */
static M3Result find_exports(instance *i) {
  for (int which = 0; which < MOTE_EXPORT_COUNT; which++) {
    M3Result result = m3_FindFunction(&i->exports[which], i->runtime, export_names[which]);
    if (result != m3Err_none) return result;
    IM3Function function = i->exports[which];
    if (m3_GetArgCount(function) != argument_count(which) || m3_GetRetCount(function) != 1) return m3Err_argumentCountMismatch;
    if (m3_GetRetType(function, 0) != c_m3Type_i32) return m3Err_argumentTypeMismatch;
    if (argument_count(which) == 1 && m3_GetArgType(function, 0) != c_m3Type_i32) return m3Err_argumentTypeMismatch;
  }
  return m3Err_none;
}

/** Parses, links and compiles the whole module: afterwards wasm3 allocates nothing more. */
static M3Result build_instance(instance *i, const mote *model) {
  IM3Environment environment = m3_NewEnvironment();
  i->runtime = m3_NewRuntime(environment, MOTE_WASM3_STACK_BYTES, NULL);
  i->runtime->memoryLimit = model->linear_bytes;
  M3Result result = m3_ParseModule(environment, &i->module, model->source.module, model->source.module_bytes);
  if (result == m3Err_none) result = m3_LoadModule(i->runtime, i->module);
  if (result == m3Err_none) {
    result = m3_LinkRawFunction(i->module, "mote", "read", "i(iii)", import_read);
    /* A packed module does not import it. */
    if (result == m3Err_functionLookupFailed) result = m3Err_none;
  }
  if (result == m3Err_none) result = m3_CompileModule(i->module);
  if (result == m3Err_none) result = find_exports(i);
  return result;
}

static mote_status instantiate(mote *model) {
  jmp_buf here;
  out_of_memory = &here;
  if (setjmp(here) != 0) return MOTE_ERROR_MEMORY;
  instance *i = mote_wasm3_calloc(1, sizeof(instance));
  if (build_instance(i, model) != m3Err_none) return MOTE_ERROR_MODULE;
  size_t bytes = 0;
  model->linear = GET_MEMORY(i, &bytes);
  if (model->linear == NULL || bytes < model->linear_bytes) return MOTE_ERROR_MODULE;
  model->instance = i;
  return MOTE_DONE;
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

const mote_engine mote_wasm3 = {measure, instantiate, call, 512};
