/**
 * The library's unit tests, to be built with AddressSanitizer and UBSan: the heap, and models in containers.
 * Usage: library-test CORE.wasm MODEL.mote PACKED.wasm CASES
 * CASES: see cases.h. PACKED may be "-". The same core compiled ahead of time is linked in as `core_module`.
 */
#include "core.h"
#include "work-limit.h"

static bytes core;
static bytes model_file;
/** A source that fails from its n-th read on, and how many it saw. */
typedef struct flaky {
  uint32_t reads;
  uint32_t fail_at;
} flaky;

static int32_t read_flaky(void *context, uint32_t offset, void *target, uint32_t length) {
  flaky *f = context;
  CHECK(offset <= model_file.length && length <= model_file.length - offset, "%u + %u", offset, length);
  if (++f->reads >= f->fail_at) return 5;
  memcpy(target, model_file.data + offset, length);
  return 0;
}

static mote_source wasm3_source(void) {
  return (mote_source){&mote_wasm3, core.data, core.length, model_file.data, model_file.length, NULL, NULL};
}

static mote_source aot_source(void) {
  return (mote_source){&mote_aot, &core_module, 0, model_file.data, model_file.length, NULL, NULL};
}

/** Reads fail one after another: while loading nothing is open; in a run an error, then the next run is right. */
static void check_failing_reads(mote_source source) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  flaky f = {0, UINT32_MAX};
  source.container = NULL;
  source.read = read_flaky;
  source.read_context = &f;
  mote *model;
  CHECK(mote_open(&model, &source, memory, plenty) == MOTE_DONE, "by callback");
  uint32_t loading = f.reads;
  check_case(model, 0, 1000);
  uint32_t running = f.reads - loading;
  CHECK(loading > 0, "%u reads while loading", loading);
  printf("%u reads while loading, %u in a run\n", loading, running);
  for (uint32_t n = 1; n <= running; n++) {
    f = (flaky){0, n};
    set_inputs(model, 0);
    CHECK(mote_run(model) == MOTE_STATUS_READ, "read %u", n);
    CHECK(f.reads == n, "asked %u times after read %u had failed", f.reads - n, n);
    CHECK(mote_top(model) == MOTE_ERROR_ORDER, "no output");
    CHECK(mote_step(model, 1) == MOTE_ERROR_ORDER, "nothing to do");
    f = (flaky){0, UINT32_MAX};
    check_case(model, 0, 1000);
  }
  mote_close(model);
  for (uint32_t n = 1; n <= loading; n++) {
    f = (flaky){0, n};
    CHECK(mote_open(&model, &source, memory, plenty) == MOTE_STATUS_READ && model == NULL, "read %u", n);
    CHECK(f.reads == n, "asked %u times after read %u had failed", f.reads - n, n);
  }
  free(memory);
}

static void check_order_and_arguments(const mote_source *source) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  mote *model;
  mote_source bad = *source;
  CHECK(mote_open(NULL, source, memory, plenty) == MOTE_ERROR_ARGUMENT, "model");
  CHECK(mote_open(&model, NULL, memory, plenty) == MOTE_ERROR_ARGUMENT, "source");
  CHECK(mote_open(&model, source, NULL, plenty) == MOTE_ERROR_ARGUMENT, "memory");
  bad.engine = NULL;
  CHECK(mote_open(&model, &bad, memory, plenty) == MOTE_ERROR_ARGUMENT, "engine");
  bad = *source;
  bad.module = NULL;
  CHECK(mote_open(&model, &bad, memory, plenty) == MOTE_ERROR_ARGUMENT, "module");
  bad = *source;
  bad.container = NULL;
  CHECK(mote_open(&model, &bad, memory, plenty) == MOTE_ERROR_ARGUMENT, "container");

  CHECK(mote_begin(&model, source, memory, plenty) == MOTE_BUSY, "begin");
  CHECK(set_inputs(model, 0) == MOTE_ERROR_ORDER && mote_reset(model) == MOTE_ERROR_ORDER, "input while loading");
  CHECK(mote_top(model) == MOTE_ERROR_ORDER, "top while loading");
  CHECK(mote_input_tensor(model, 0).channels == 0 && mote_input_count(model) == 0 && mote_layer_count(model) == 0, "shape while loading");
  uint32_t slices = 1;
  while (mote_step(model, 1) == MOTE_BUSY) slices++;
  CHECK(slices > 5, "%u slices of loading", slices);
  CHECK(mote_step(model, 1) == MOTE_ERROR_ORDER, "step without an input");
  CHECK(mote_input_i8(model, case_inputs(0), input_bytes + 1) == MOTE_ERROR_ARGUMENT, "count");
  CHECK(mote_input_i8(model, NULL, input_bytes) == MOTE_ERROR_ARGUMENT, "null");
  CHECK(mote_input_u8(model, NULL, input_bytes) == MOTE_ERROR_ARGUMENT, "null");
  set_inputs(model, 0);
  CHECK(mote_step(model, 1) == MOTE_BUSY, "a slice");
  CHECK(set_inputs(model, 0) == MOTE_ERROR_ORDER && mote_reset(model) == MOTE_ERROR_ORDER, "input while running");
  CHECK(mote_run(model) == MOTE_DONE, "the rest");
  int8_t output[1] = {0};
  CHECK(mote_output(model, output, output_bytes + 1) == MOTE_ERROR_ARGUMENT, "count");
  CHECK(mote_output(model, NULL, output_bytes) == MOTE_ERROR_ARGUMENT, "null");
  CHECK(mote_step(NULL, 1) == MOTE_ERROR_ARGUMENT && mote_top(NULL) == MOTE_ERROR_ARGUMENT, "null");
  mote_close(model);
  CHECK(mote_top(model) == MOTE_ERROR_ORDER, "top of a closed model");
  CHECK(mote_output(model, output, output_bytes) == MOTE_ERROR_ORDER, "output of a closed model");
  CHECK(mote_run(model) == MOTE_ERROR_ORDER && mote_layer_count(model) == 0, "a closed model");
  mote_close(NULL);
  CHECK(mote_memory_used(NULL) == 0 && mote_linear_bytes(NULL) == 0 && mote_work(NULL) == 0, "null");
  CHECK(mote_input_tensor(NULL, 0).channels == 0 && mote_output_tensor(NULL, 0).channels == 0, "null");
  CHECK(mote_input_count(NULL) == 0 && mote_output_count(NULL) == 0, "null");
  bad = *source;
  bad.engine = NULL;
  CHECK(mote_memory_needed(&bad) == 0 && mote_memory_needed(NULL) == 0, "needed");
  free(memory);
}

/** A `read` that works with other models: one by turns with its own, and one from beginning to end. */
typedef struct nesting {
  mote *own;
  mote *other;
  const mote_source *inner;
  uint8_t *memory;
  uint32_t reads;
} nesting;

static int32_t read_nested(void *context, uint32_t offset, void *target, uint32_t length) {
  nesting *n = context;
  size_t plenty = 1u << 20;
  memcpy(target, model_file.data + offset, length);
  if (n->own != NULL) {
    CHECK(mote_step(n->own, 1) == MOTE_ERROR_ORDER && mote_run(n->own) == MOTE_ERROR_ORDER, "its own step");
    CHECK(set_inputs(n->own, 0) == MOTE_ERROR_ORDER && mote_reset(n->own) == MOTE_ERROR_ORDER, "its own input");
    CHECK(mote_top(n->own) == MOTE_ERROR_ORDER, "its own output");
  }
  if (mote_step(n->other, 40) == MOTE_DONE) {
    CHECK(mote_top(n->other) >= 0, "the other");
    set_inputs(n->other, 1);
  }
  /* Opening takes its time under the sanitizers. */
  if (n->reads++ % 16 != 0) return 0;
  mote *model;
  CHECK(mote_memory_needed(n->inner) > 0, "needed");
  CHECK(mote_open(&model, n->inner, n->memory, plenty) == MOTE_DONE, "open within a read");
  if (model != NULL) check_case(model, 0, 1000);
  mote_close(model);
  return 0;
}

static void check_nested(mote_source outer, const mote_source *inner) {
  size_t plenty = 1u << 20;
  uint8_t *memory = malloc(3 * plenty);
  nesting n = {NULL, NULL, inner, memory, 0};
  CHECK(mote_open(&n.other, inner, memory + plenty, plenty) == MOTE_DONE, "open");
  set_inputs(n.other, 0);
  outer.container = NULL;
  outer.read = read_nested;
  outer.read_context = &n;
  mote *model;
  CHECK(mote_begin(&model, &outer, memory + 2 * plenty, plenty) == MOTE_BUSY, "begin");
  n.own = model;
  CHECK(mote_run(model) == MOTE_DONE, "load");
  /* A small file is then in the window. */
  CHECK(n.reads > 2, "%u reads", n.reads);
  for (uint32_t i = 0; i < case_count; i++) check_case(model, i, 100);
  mote_close(model);
  mote_close(n.other);
  free(memory);
}

/** Random calls against a plain record of what each block holds. */
static void check_heap(void) {
  enum { BLOCKS = 40, LIMIT = 4096 };
  uint8_t *memory = malloc(LIMIT);
  for (uint32_t round = 0; round < 30; round++) {
    mote_heap heap;
    mote_heap_init(&heap, memory + round % 9, LIMIT - round % 9);
    uint8_t *blocks[BLOCKS] = {NULL};
    uint32_t lengths[BLOCKS] = {0};
    for (int turn = 0; turn < 2000; turn++) {
      uint32_t i = random_u32() % BLOCKS;
      uint32_t length = random_u32() % (random_u32() % 8 == 0 ? 1500 : 90);
      if (random_u32() % 3 == 0) {
        mote_heap_free(&heap, blocks[i]);
        blocks[i] = NULL;
      } else if (blocks[i] == NULL) {
        blocks[i] = mote_heap_calloc(&heap, length);
        lengths[i] = length;
        for (uint32_t k = 0; blocks[i] != NULL && k < length; k++) CHECK(blocks[i][k] == 0, "not zeroed");
      } else {
        uint8_t *grown = mote_heap_realloc(&heap, blocks[i], length);
        if (grown != NULL) {
          uint32_t kept = length < lengths[i] ? length : lengths[i];
          for (uint32_t k = 0; k < kept; k++) CHECK(grown[k] == (uint8_t)(i + k), "moved wrongly");
          blocks[i] = grown;
          lengths[i] = length;
        }
      }
      CHECK((uintptr_t)blocks[i] % 8 == 0, "alignment");
      for (uint32_t k = 0; blocks[i] != NULL && k < lengths[i]; k++) blocks[i][k] = (uint8_t)(i + k);
    }
    for (uint32_t i = 0; i < BLOCKS; i++) {
      for (uint32_t k = 0; blocks[i] != NULL && k < lengths[i]; k++) CHECK(blocks[i][k] == (uint8_t)(i + k), "overwritten");
      mote_heap_free(&heap, blocks[i]);
    }
    CHECK(heap.top == 0, "%zu bytes left", heap.top);
  }
  mote_heap heap;
  mote_heap_init(&heap, memory, 3);
  CHECK(mote_heap_calloc(&heap, 1) == NULL, "3 bytes");
  mote_heap_init(&heap, memory, LIMIT);
  CHECK(mote_heap_calloc(&heap, SIZE_MAX) == NULL && mote_heap_calloc(&heap, UINT32_MAX) == NULL, "huge");
  free(memory);
}

/** The model's file with bit 30 set in its mask of ops or of codecs, which no core knows, and the checksum put right. */
static bytes needing_more(bool an_op) {
  static const uint8_t rest[] = {0x80, 0x80, 0x80, 4};
  uint32_t at = MOTE_CRC_START + (an_op ? 0 : 1);
  CHECK(model_file.data[MOTE_CRC_START] < 0x80 && model_file.data[MOTE_CRC_START + 1] < 0x80, "masks of a byte");
  bytes file = {malloc(model_file.length + sizeof rest), model_file.length + sizeof rest};
  memcpy(file.data, model_file.data, at + 1);
  file.data[at] |= 0x80;
  memcpy(file.data + at + 1, rest, sizeof rest);
  memcpy(file.data + at + 1 + sizeof rest, model_file.data + at + 1, model_file.length - at - 1);
  uint32_t crc = mote_crc32(file.data + MOTE_CRC_START, file.length - MOTE_CRC_START);
  for (unsigned i = 0; i < 4; i++) file.data[MOTE_CRC_START - 4 + i] = (uint8_t)(crc >> (8 * i));
  return file;
}

/** A core that is without an op or a codec says which. */
static void check_lacking(mote_source source) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  for (int an_op = 0; an_op < 2; an_op++) {
    bytes file = needing_more(an_op != 0);
    mote *model;
    mote_status expected = an_op ? MOTE_STATUS_OP : MOTE_STATUS_CODEC;
    source.container = file.data;
    source.container_bytes = file.length;
    CHECK(mote_begin(&model, &source, memory, plenty) == MOTE_BUSY, "begin");
    mote_status status = mote_run(model);
    CHECK(status == expected && mote_error_offset(model) == 30, "%s: %u", mote_status_text(status), mote_error_offset(model));
    CHECK(strcmp(mote_lacking(status, mote_error_offset(model)), "unknown") == 0, "%s", mote_lacking(status, 30));
    CHECK(mote_step(model, 1) == MOTE_ERROR_ORDER, "a model that is none");
    CHECK(mote_open(&model, &source, memory, plenty) == expected && model == NULL, "open");
    free(file.data);
  }
  CHECK(strcmp(mote_lacking(MOTE_STATUS_OP, MOTE_OP_AVGPOOL), "avgpool") == 0, "op");
  CHECK(strcmp(mote_lacking(MOTE_STATUS_CODEC, MOTE_CODEC_HUFFMAN), "huffman") == 0, "codec");
  CHECK(strcmp(mote_lacking(MOTE_STATUS_RANGE, 0), "unknown") == 0, "neither");
  free(memory);
}

/** The most work of a run; at least an element's for each output. */
static uint32_t work_of(const mote_source *source) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  mote *model;
  CHECK(mote_begin(&model, source, memory, plenty) == MOTE_BUSY && mote_work(model) == 0, "work while loading");
  CHECK(mote_run(model) == MOTE_DONE, "open");
  uint32_t work = mote_work(model);
  CHECK(work > output_bytes, "work %u", work);
  mote_close(model);
  free(memory);
  return work;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  core = read_bytes(argv[1]);
  model_file = read_bytes(argv[2]);
  read_cases(argv[4]);
  mote_source interpreted = wasm3_source();
  mote_source compiled = aot_source();
  check_heap();
  check_source("wasm3", &interpreted);
  check_source("aot", &compiled);
  check_work_limit("wasm3", &interpreted);
  check_work_limit("aot", &compiled);
  check_alignment(&interpreted);
  check_alignment(&compiled);
  check_failing_reads(interpreted);
  check_failing_reads(compiled);
  check_order_and_arguments(&interpreted);
  check_order_and_arguments(&compiled);
  /* Of a small container the masks are no bytes. */
  if (model_file.data[0] != MOTE_SMALL_TAG) {
    check_lacking(interpreted);
    check_lacking(compiled);
  }
  check_pixels(&interpreted);
  check_damaged_module(core, interpreted);
  check_one_after_another(&interpreted, &compiled);
  check_floats(&interpreted);
  check_floats(&compiled);
  CHECK(work_of(&interpreted) == work_of(&compiled), "work %u %u", work_of(&interpreted), work_of(&compiled));
  check_nested(interpreted, &interpreted);
  check_nested(interpreted, &compiled);
  check_nested(compiled, &interpreted);
  check_nested(compiled, &compiled);
  if (strcmp(argv[3], "-") != 0) {
    bytes packed = read_bytes(argv[3]);
    mote_source inside = {&mote_wasm3, packed.data, packed.length, NULL, 0, NULL, NULL};
    check_source("packed", &inside);
    check_work_limit("packed", &inside);
    CHECK(work_of(&inside) == work_of(&interpreted), "work inside");
    check_damaged_module(packed, inside);
    free(packed.data);
  }
  free(core.data);
  free(model_file.data);
  free(cases.data);
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
