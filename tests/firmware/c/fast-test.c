/**
 * Fast modules in the library, to be built with AddressSanitizer and UBSan.
 * Usage: fast-test FAST.wasm CASES SHORT.wasm [BAD.wasm STATUS]...
 * CASES: see cases.h. SHORT: a module whose stream ends too early. BAD: modules, sealed like the others, whose opening gives STATUS.
 * The same module compiled ahead of time is linked in as `fast_source`.
 */
#include "work-limit.h"
#include "fast.h"
#include "mote-module.h"

static mote_source source_of(bytes module) {
  return (mote_source){&mote_wasm3, module.data, module.length, NULL, 0, NULL, NULL};
}

/** A fast module is open at once, and then goes by the rules of any model. */
static void check_order(const mote_source *source) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  mote *model;
  CHECK(mote_begin(&model, source, memory, plenty) == MOTE_BUSY, "begin");
  CHECK(set_inputs(model, 0) == MOTE_ERROR_ORDER && mote_reset(model) == MOTE_ERROR_ORDER, "input while loading");
  CHECK(mote_step(model, 1) == MOTE_DONE, "one step");
  CHECK(mote_step(model, 1) == MOTE_ERROR_ORDER, "step without an input");
  CHECK(mote_top(model) == MOTE_ERROR_ORDER, "no output");
  CHECK(set_inputs(model, 0) == MOTE_DONE, "input");
  CHECK(mote_step(model, 1) == MOTE_BUSY, "a slice");
  CHECK(set_inputs(model, 0) == MOTE_ERROR_ORDER && mote_reset(model) == MOTE_ERROR_ORDER, "input while running");
  CHECK(mote_run(model) == MOTE_DONE, "the rest");
  mote_close(model);
  free(memory);
}

static void check_container_beside(mote_source source) {
  static const uint8_t container[64];
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  mote *model;
  source.container = container;
  source.container_bytes = sizeof container;
  CHECK(mote_open(&model, &source, memory, plenty) == MOTE_ERROR_ARGUMENT && model == NULL, "a container beside");
  free(memory);
}

/** The window's read fails half-way: an error each time, and the model lives on. */
static void check_short_stream(bytes module) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  mote *model;
  mote_source source = source_of(module);
  CHECK(mote_open(&model, &source, memory, plenty) == MOTE_DONE, "short stream");
  for (int i = 0; model != NULL && i < 3; i++) {
    CHECK(set_inputs(model, 0) == MOTE_DONE, "input");
    CHECK(mote_run(model) == MOTE_STATUS_READ, "turn %d", i);
    CHECK(mote_top(model) == MOTE_ERROR_ORDER, "no output");
    CHECK(mote_step(model, 1) == MOTE_ERROR_ORDER, "nothing to do");
  }
  mote_close(model);
  free(memory);
}

static void check_refused(const char *path, mote_status expected) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  bytes module = read_bytes(path);
  mote_source source = source_of(module);
  mote *model;
  mote_status status = mote_open(&model, &source, memory, plenty);
  CHECK(status == expected && model == NULL, "%s: %s", path, mote_status_text(status));
  free(module.data);
  free(memory);
}

/** Whatever the bytes are, what is found lies within them. */
static void check_module_reader(bytes module) {
  uint8_t *copy = malloc(module.length);
  uint32_t found = 0;
  for (int i = 0; i < 20000; i++) {
    uint32_t length = random_u32() % 4 == 0 ? random_u32() % module.length : module.length;
    memcpy(copy, module.data, length);
    for (uint32_t changes = 1 + random_u32() % 4; length != 0 && changes > 0; changes--) {
      uint32_t span = random_u32() % 2 == 0 || length < 64 ? length : 64;
      copy[random_u32() % span] = random_u32() % 2 == 0 ? 0xff : (uint8_t)random_u32();
    }
    /* In a block of its own length, so that a read behind it is found. */
    mote_bytes exact = {memcpy(malloc(length == 0 ? 1 : length), copy, length), length};
    mote_bytes stream = mote_module_section(exact, MOTE_STREAM_SECTION);
    const uint8_t *initial = mote_module_initial(exact, random_u32() % 512, 1 + random_u32() % 16);
    CHECK(stream.length <= length, "a stream of %u in %u bytes", stream.length, length);
    if (stream.length != 0) found += stream.data[0] + stream.data[stream.length - 1] != 0;
    if (initial != NULL) found += initial[0] != 0;
    free((void *)(uintptr_t)exact.data);
  }
  CHECK(found > 1000, "%u", found);
  free(copy);
}

int main(int argc, char **argv) {
  if (argc < 4 || argc % 2 != 0) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  bytes module = read_bytes(argv[1]);
  read_cases(argv[2]);
  mote_source interpreted = source_of(module);
  mote_source native = source_of(module);
  native.engine = &mote_wasm3_native;
  check_source("wasm3", &interpreted);
  check_source("native", &native);
  check_source("aot", &fast_source);
  check_work_limit("wasm3", &interpreted);
  check_work_limit("native", &native);
  check_work_limit("aot", &fast_source);
  check_alignment(&interpreted);
  check_alignment(&native);
  check_alignment(&fast_source);
  check_order(&interpreted);
  check_order(&native);
  check_order(&fast_source);
  check_pixels(&interpreted);
  check_pixels(&fast_source);
  check_floats(&interpreted);
  check_floats(&fast_source);
  check_container_beside(interpreted);
  check_container_beside(fast_source);
  check_damaged_module(module, interpreted);
  check_module_reader(module);
  check_one_after_another(&interpreted, &fast_source);
  check_one_after_another(&native, &interpreted);
  bytes cut = read_bytes(argv[3]);
  check_short_stream(cut);
  for (int i = 4; i < argc; i += 2) check_refused(argv[i], (mote_status)strtol(argv[i + 1], NULL, 10));
  free(cut.data);
  free(module.data);
  free(cases.data);
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
