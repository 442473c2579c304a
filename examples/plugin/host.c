/**
 * A host of Mote's modules in C, by wasm3's own interface: docs/plugin.md, step by step. On a device the library in firmware-examples/common
 * does this, checks the module first and needs no heap.
 *
 *   make -s -C examples/plugin
 *   build/plugin/host model.wasm inputs.bin outputs.bin 1
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wasm3.h"

enum { DONE = 0, BUSY = 1, IS_END = 0x200, BUDGET = 1 << 16, STACK_BYTES = 64 * 1024 };

typedef struct {
  uint8_t *bytes;
  size_t length;
} data;

static IM3Runtime runtime;
static data stream;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "host: %s: %s\n", what, why);
  exit(1);
}

static data read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  data read = {NULL, 0};
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) fail(path, "cannot be read");
  const long length = ftell(file);
  rewind(file);
  read.bytes = malloc(length > 0 ? (size_t)length : 1);
  if (length < 0 || read.bytes == NULL) fail(path, "cannot be read");
  read.length = fread(read.bytes, 1, (size_t)length, file);
  fclose(file);
  if (read.length != (size_t)length) fail(path, "cannot be read");
  return read;
}

/** A number of a module's, from `*at` on, which goes behind it. Ends the program where the module ends first. */
static size_t leb128(data module, size_t *at) {
  size_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    if (*at >= module.length) break;
    const uint8_t byte = module.bytes[(*at)++];
    value |= (size_t)(byte & 127) << shift;
    if (byte < 128) return value;
  }
  fail("module", "is damaged");
  return 0;
}

/** What stands in a custom section; nothing where there is none. */
static data custom_section(data module, const char *wanted) {
  data found = {NULL, 0};
  for (size_t at = 8; at < module.length;) {
    const uint8_t kind = module.bytes[at++];
    const size_t length = leb128(module, &at);
    if (length > module.length - at) fail("module", "is damaged");
    const size_t end = at + length;
    if (kind == 0) {
      const size_t name = leb128(module, &at);
      if (at <= end && name <= end - at && name == strlen(wanted) && memcmp(module.bytes + at, wanted, name) == 0) {
        found.bytes = module.bytes + at + name;
        found.length = end - at - name;
      }
    }
    at = end;
  }
  return found;
}

static uint8_t *memory_at(uint64_t address, uint64_t length) {
  uint32_t bytes = 0;
  uint8_t *memory = m3_GetMemory(runtime, &bytes, 0);
  if (memory == NULL || address + length > bytes) fail("module", "names what is outside its memory");
  return memory + address;
}

static uint32_t word(uint64_t address) {
  const uint8_t *at = memory_at(address, 4);
  return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

m3ApiRawFunction(read_stream) {
  m3ApiReturnType(int32_t);
  m3ApiGetArg(uint32_t, offset);
  m3ApiGetArg(uint32_t, target);
  m3ApiGetArg(uint32_t, length);
  (void)runtime;
  (void)_ctx;
  (void)_mem;
  if ((uint64_t)offset + length > stream.length) m3ApiReturn(1);
  memcpy(memory_at(target, length), stream.bytes + offset, length);
  m3ApiReturn(0);
}

static int32_t call(const char *name, int32_t argument) {
  IM3Function function;
  int32_t status = 0;
  M3Result error = m3_FindFunction(&function, runtime, name);
  if (!error) error = m3_GetArgCount(function) ? m3_CallV(function, argument) : m3_CallV(function);
  if (!error) error = m3_GetResultsV(function, &status);
  if (error) fail(name, error);
  return status;
}

static void finish(const char *name, int32_t argument) {
  int32_t status = call(name, argument);
  while (status == BUSY) status = call("step", BUDGET);
  if (status != DONE) fail(name, "ended with an error status");
}

/** Goes through the inputs or outputs: writes `elements` to them, or reads them. @returns how many there are; `elements` may be null */
static size_t go_through(uint32_t from, uint32_t to, uint8_t *elements, int is_write) {
  const uint32_t table = word(8);
  const uint8_t bias = (uint8_t)word(36);
  size_t count = 0;
  for (uint32_t index = from; index < to; index++) {
    const uint64_t entry = table + 32ull * index;
    const uint32_t channels = word(entry + 4), height = word(entry + 8), width = word(entry + 12);
    if (!(word(entry + 28) & IS_END)) continue;
    for (uint32_t row = 0; row < channels * height; row++) {
      const uint64_t at = word(entry) + (uint64_t)(row / height) * word(entry + 20) + (uint64_t)(row % height) * word(entry + 16);
      uint8_t *place = memory_at(at, width);
      for (uint32_t x = 0; elements != NULL && x < width; x++) {
        if (is_write) place[x] = (uint8_t)(elements[count + x] + bias);
        else elements[count + x] = (uint8_t)(place[x] - bias);
      }
      count += width;
    }
  }
  return count;
}

int main(int argc, char **argv) {
  if (argc != 4 && argc != 5) fail("usage", "host MODULE INPUTS OUTPUTS [RUNS OF A STREAM]");
  const long of_stream = argc == 5 ? atol(argv[4]) : 1;
  if (of_stream < 1) fail("usage", "a stream has a run at least");
  const data wasm = read_file(argv[1]), given = read_file(argv[2]);
  stream = custom_section(wasm, "mote.stream");

  /* 1. Instantiate: the import reads the stream, which a packed module does not have. */
  IM3Environment environment = m3_NewEnvironment();
  IM3Module module;
  runtime = m3_NewRuntime(environment, STACK_BYTES, NULL);
  M3Result error = m3_ParseModule(environment, &module, wasm.bytes, (uint32_t)wasm.length);
  if (!error) error = m3_LoadModule(runtime, module);
  if (!error) error = m3_LinkRawFunction(module, "mote", "read", "i(iii)", read_stream);
  if (error && error != m3Err_functionLookupFailed) fail(argv[1], error);

  /* 2. Open, and step until done. */
  finish("open", (int32_t)m3_GetMemorySize(runtime));
  if (word(52) != 2) fail(argv[1], "has another version of the interface");

  /* 3. Find inputs and outputs. */
  const uint32_t count = word(12), layers = word(16);
  const size_t input_bytes = go_through(0, count - layers, NULL, 0);
  const size_t output_bytes = go_through(count - layers, count, NULL, 0);
  if (input_bytes == 0 || given.length % input_bytes != 0) fail(argv[2], "is not of so many runs of all inputs");

  /* 4. Run after run: reset where a stream begins, write the inputs, start and step, read the outputs. */
  FILE *file = fopen(argv[3], "wb");
  uint8_t *results = malloc(output_bytes ? output_bytes : 1);
  if (file == NULL || results == NULL) fail(argv[3], "cannot be written");
  for (size_t at = 0; at < given.length; at += input_bytes) {
    if (at / input_bytes % (size_t)of_stream == 0) finish("reset", 0);
    go_through(0, count - layers, given.bytes + at, 1);
    finish("start", 0);
    go_through(count - layers, count, results, 0);
    if (fwrite(results, 1, output_bytes, file) != output_bytes) fail(argv[3], "cannot be written");
  }
  if (fclose(file) != 0) fail(argv[3], "cannot be written");
  return 0;
}
