/**
 * The library's unit tests, to be built with AddressSanitizer and UBSan.
 * Usage: library-test CORE.wasm MODEL.mote PACKED.wasm CASES
 * CASES: u32 count, u32 input bytes, u32 output bytes; 256 int8 for the pixel values; then count times input and output, int8.
 * PACKED may be "-". The same core compiled ahead of time is linked in as `core_module`.
 */
#include "check.h"
#include "core.h"
#include "mote-internal.h"

static bytes core;
static bytes model_file;
static bytes cases;
static uint32_t case_count;
static uint32_t input_bytes;
static uint32_t output_bytes;

static const int8_t *case_input(uint32_t i) {
  return (const int8_t *)cases.data + 268 + (size_t)i * (input_bytes + output_bytes);
}

static const int8_t *case_output(uint32_t i) { return case_input(i) + input_bytes; }

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

static void check_case(mote *model, uint32_t i, uint32_t budget) {
  mote_status status = mote_input_i8(model, case_input(i), input_bytes);
  CHECK(status == MOTE_DONE, "%s", mote_status_text(status));
  do status = mote_step(model, budget);
  while (status == MOTE_BUSY);
  CHECK(status == MOTE_DONE, "%s at %u", mote_status_text(status), mote_error_offset(model));
  CHECK(mote_layers_done(model) == mote_layer_count(model), "%u", mote_layers_done(model));
  int8_t *output = malloc(output_bytes);
  CHECK(mote_output(model, output, output_bytes) == MOTE_DONE, "output");
  CHECK(memcmp(output, case_output(i), output_bytes) == 0, "case %u, budget %u", i, budget);
  uint32_t best = 0;
  for (uint32_t k = 1; k < output_bytes; k++) {
    if (output[k] > output[best]) best = k;
  }
  CHECK(mote_top(model) == (int32_t)best, "%d, not %u", mote_top(model), best);
  free(output);
}

/** Opens in the fewest bytes, runs all cases, tries fewer bytes. */
static void check_source(const char *name, const mote_source *source) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  mote *model = NULL;
  mote_status status = mote_open(&model, source, memory, plenty);
  CHECK(status == MOTE_DONE, "%s: %s", name, mote_status_text(status));
  if (status != MOTE_DONE) {
    free(memory);
    return;
  }
  size_t used = mote_memory_used(model);
  printf("%s: %zu bytes, %zu of them linear\n", name, used, mote_linear_bytes(model));
  for (uint32_t i = 0; i < case_count; i++) check_case(model, i, 1000);
  mote_close(model);
  free(memory);

  memory = malloc(used);
  CHECK(mote_open(&model, source, memory, used) == MOTE_DONE, "%s: exactly %zu bytes", name, used);
  if (model != NULL) {
    CHECK(mote_memory_used(model) == used, "%zu, before %zu", mote_memory_used(model), used);
    check_case(model, 0, 1);
    check_case(model, 0, 100000000);
    check_case(model, 0, 17);
  }
  mote_close(model);
  free(memory);

  for (size_t less = used; less-- > 0; less -= less < 600 ? 0 : less / 300) {
    memory = malloc(less == 0 ? 1 : less);
    status = mote_open(&model, source, memory, less);
    CHECK(status == MOTE_ERROR_MEMORY && model == NULL, "%s: %zu bytes: %s", name, less, mote_status_text(status));
    free(memory);
  }
}

static void check_alignment(const mote_source *source) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  for (size_t offset = 0; offset < 9; offset++) {
    mote *model;
    CHECK(mote_open(&model, source, memory + offset, plenty - offset) == MOTE_DONE, "offset %zu", offset);
    if (model != NULL) check_case(model, 0, 1000);
    mote_close(model);
  }
  free(memory);
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
    mote_input_i8(model, case_input(0), input_bytes);
    CHECK(mote_run(model) == MOTE_STATUS_READ, "read %u", n);
    CHECK(mote_top(model) == MOTE_ERROR_ORDER, "no output");
    CHECK(mote_step(model, 1) == MOTE_ERROR_ORDER, "nothing to do");
    f = (flaky){0, UINT32_MAX};
    check_case(model, 0, 1000);
  }
  mote_close(model);
  for (uint32_t n = 1; n <= loading; n++) {
    f = (flaky){0, n};
    CHECK(mote_open(&model, &source, memory, plenty) == MOTE_STATUS_READ && model == NULL, "read %u", n);
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
  CHECK(mote_input_i8(model, case_input(0), input_bytes) == MOTE_ERROR_ORDER, "input while loading");
  CHECK(mote_top(model) == MOTE_ERROR_ORDER, "top while loading");
  CHECK(mote_input_tensor(model).channels == 0 && mote_layer_count(model) == 0, "shape while loading");
  uint32_t slices = 1;
  while (mote_step(model, 1) == MOTE_BUSY) slices++;
  CHECK(slices > 5, "%u slices of loading", slices);
  CHECK(mote_step(model, 1) == MOTE_ERROR_ORDER, "step without an input");
  CHECK(mote_input_i8(model, case_input(0), input_bytes + 1) == MOTE_ERROR_ARGUMENT, "count");
  CHECK(mote_input_i8(model, NULL, input_bytes) == MOTE_ERROR_ARGUMENT, "null");
  CHECK(mote_input_u8(model, NULL, input_bytes) == MOTE_ERROR_ARGUMENT, "null");
  mote_input_i8(model, case_input(0), input_bytes);
  CHECK(mote_step(model, 1) == MOTE_BUSY, "a slice");
  CHECK(mote_input_i8(model, case_input(0), input_bytes) == MOTE_ERROR_ORDER, "input while running");
  CHECK(mote_run(model) == MOTE_DONE, "the rest");
  int8_t output[1] = {0};
  CHECK(mote_output(model, output, output_bytes + 1) == MOTE_ERROR_ARGUMENT, "count");
  CHECK(mote_output(model, NULL, output_bytes) == MOTE_ERROR_ARGUMENT, "null");
  CHECK(mote_step(NULL, 1) == MOTE_ERROR_ARGUMENT && mote_top(NULL) == MOTE_ERROR_ARGUMENT, "null");
  mote_close(model);
  mote_close(NULL);
  for (mote_status status = -120; status < 5; status++) CHECK(mote_status_text(status)[0] != '\0', "%d", status);
  free(memory);
}

/** Each image byte becomes what the host makes of it. */
static void check_pixels(const mote_source *source) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  uint8_t *image = malloc(input_bytes);
  mote *model;
  CHECK(mote_open(&model, source, memory, plenty) == MOTE_DONE, "open");
  mote_tensor shape = mote_input_tensor(model);
  for (uint32_t first = 0; first < 256; first += input_bytes) {
    for (uint32_t i = 0; i < input_bytes; i++) image[i] = (uint8_t)(first + i);
    CHECK(mote_input_u8(model, image, input_bytes) == MOTE_DONE, "input");
    uint32_t entry = mote_linear_u32(model, MOTE_CONTROL_TENSORS_PTR);
    for (uint32_t i = 0; i < input_bytes; i++) {
      uint32_t at = mote_linear_u32(model, entry + MOTE_TENSOR_PTR) +
                    i / (shape.height * shape.width) * mote_linear_u32(model, entry + MOTE_TENSOR_PLANE) +
                    i / shape.width % shape.height * mote_linear_u32(model, entry + MOTE_TENSOR_PITCH) + i % shape.width;
      int8_t expected = ((const int8_t *)cases.data + 12)[image[i]];
      int32_t value = model->linear[at] - 128;
      CHECK(value == expected, "pixel %u: %d, not %d", image[i], (int)value, expected);
    }
  }
  mote_close(model);
  free(image);
  free(memory);
}

/** A module with any one bit wrong, or cut short, is refused before wasm3 sees it. */
static void check_damaged_module(bytes module, mote_source source) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  uint8_t *copy = malloc(module.length);
  mote *model;
  source.module = copy;
  for (int i = 0; i < 300; i++) {
    memcpy(copy, module.data, module.length);
    copy[random_u32() % module.length] ^= (uint8_t)(1u << random_u32() % 8);
    mote_status status = mote_open(&model, &source, memory, plenty);
    CHECK(status == MOTE_ERROR_MODULE && model == NULL, "%s", mote_status_text(status));
  }
  free(copy);
  for (uint32_t length = 0; length < module.length; length += 97) {
    copy = malloc(length == 0 ? 1 : length);
    memcpy(copy, module.data, length);
    source.module = copy;
    source.module_bytes = length;
    CHECK(mote_open(&model, &source, memory, plenty) == MOTE_ERROR_MODULE, "%u bytes", length);
    free(copy);
  }
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

/** Both engines by turns in one piece of memory, as different tenants. */
static void check_one_after_another(const mote_source *first, const mote_source *second) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  for (int i = 0; i < 6; i++) {
    mote *model;
    CHECK(mote_open(&model, i % 2 == 0 ? first : second, memory, plenty) == MOTE_DONE, "turn %d", i);
    if (model != NULL) check_case(model, 0, 1000);
    mote_close(model);
    memset(memory, 0xa5, plenty);
  }
  mote *models[2];
  CHECK(mote_open(&models[0], first, memory, plenty / 2) == MOTE_DONE, "side by side");
  CHECK(mote_open(&models[1], second, memory + plenty / 2, plenty / 2) == MOTE_DONE, "side by side");
  for (int k = 0; k < 2; k++) mote_input_i8(models[k], case_input(0), input_bytes);
  mote_status status[2] = {MOTE_BUSY, MOTE_BUSY};
  while (status[0] == MOTE_BUSY || status[1] == MOTE_BUSY) {
    for (int k = 0; k < 2; k++) {
      if (status[k] == MOTE_BUSY) status[k] = mote_step(models[k], 50);
    }
  }
  for (int k = 0; k < 2; k++) CHECK(status[k] == MOTE_DONE && mote_top(models[k]) >= 0, "side by side");
  mote_close(models[0]);
  mote_close(models[1]);
  free(memory);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  core = read_bytes(argv[1]);
  model_file = read_bytes(argv[2]);
  cases = read_bytes(argv[4]);
  case_count = u32_at(cases.data);
  input_bytes = u32_at(cases.data + 4);
  output_bytes = u32_at(cases.data + 8);
  mote_source interpreted = wasm3_source();
  mote_source compiled = aot_source();
  check_heap();
  check_source("wasm3", &interpreted);
  check_source("aot", &compiled);
  check_alignment(&interpreted);
  check_alignment(&compiled);
  check_failing_reads(interpreted);
  check_failing_reads(compiled);
  check_order_and_arguments(&interpreted);
  check_order_and_arguments(&compiled);
  check_pixels(&interpreted);
  check_damaged_module(core, interpreted);
  check_one_after_another(&interpreted, &compiled);
  if (strcmp(argv[3], "-") != 0) {
    bytes packed = read_bytes(argv[3]);
    mote_source inside = {&mote_wasm3, packed.data, packed.length, NULL, 0, NULL, NULL};
    check_source("packed", &inside);
    check_damaged_module(packed, inside);
    free(packed.data);
  }
  free(core.data);
  free(model_file.data);
  free(cases.data);
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
