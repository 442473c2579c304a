/**
 * Opens and runs damaged containers by the library, to be built with AddressSanitizer and UBSan. Every call must come back with a
 * status, whatever the bytes are; most get their checksum put right, since otherwise only the checksum would be tested.
 * Usage: mutate wasm3|aot COUNT SEED CORE.wasm MODEL.mote...
 */
#include "check.h"
#include "core.h"
#include "mote-internal.h"

#define MEMORY_BYTES (192u << 10)
/** A hostile container may ask for hours of honest work: whoever steps it may stop at any time. */
#define MAX_STEPS 300
#define STEP_BUDGET 20000u

static void put_crc(uint8_t *file, uint32_t length) {
  bool is_small = length > 0 && file[0] == MOTE_SMALL_TAG;
  uint32_t start = is_small ? MOTE_SMALL_CRC_START : MOTE_CRC_START;
  unsigned crc_bytes = is_small ? 2 : 4;
  if (length < start) return;
  uint32_t crc = mote_crc32(file + start, length - start);
  for (unsigned i = 0; i < crc_bytes; i++) file[start - crc_bytes + i] = (uint8_t)(crc >> (8 * i));
}

/** Some of: bits flipped, bytes set to telling values, a piece moved or cut out, the end cut off or drawn out. */
static bytes mutate(bytes original) {
  bytes changed = {malloc(original.length + 16), original.length};
  memcpy(changed.data, original.data, original.length);
  uint32_t changes = 1 + random_u32() % 4;
  /* The plan, the tensors and the first layer decide most. */
  uint32_t span = random_u32() % 2 == 0 ? original.length : (original.length < 96 ? original.length : 96);
  for (uint32_t i = 0; i < changes; i++) {
    uint32_t at = random_u32() % span;
    static const uint8_t telling[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    switch (random_u32() % 5) {
      case 0:
        changed.data[at] ^= (uint8_t)(1u << random_u32() % 8);
        break;
      case 1:
        changed.data[at] = telling[random_u32() % sizeof telling];
        break;
      case 2:
        changed.data[at] = (uint8_t)random_u32();
        break;
      case 3: {
        uint32_t from = random_u32() % original.length;
        uint32_t length = 1 + random_u32() % 8;
        if (from + length <= original.length && at + length <= original.length) {
          memmove(changed.data + at, original.data + from, length);
        }
        break;
      }
      default:
        if (random_u32() % 4 != 0) break;
        changed.length = random_u32() % (original.length + 16);
        for (uint32_t k = original.length; k < changed.length; k++) changed.data[k] = (uint8_t)random_u32();
    }
  }
  if (random_u32() % 16 != 0) put_crc(changed.data, changed.length);
  /* In a block of its own length, so that a read behind it is found. */
  bytes exact = {malloc(changed.length == 0 ? 1 : changed.length), changed.length};
  memcpy(exact.data, changed.data, changed.length);
  free(changed.data);
  return exact;
}

static size_t elements_of(mote_tensor shape) { return (size_t)shape.channels * shape.height * shape.width; }

/** Runs an opened model on images by chance. @returns the last status */
static mote_status run(mote *model) {
  mote_status status = MOTE_DONE;
  for (uint32_t i = 0; status == MOTE_DONE && i < mote_input_count(model); i++) {
    size_t elements = elements_of(mote_input_tensor(model, i));
    uint8_t *image = calloc(elements, 1);
    for (size_t k = 0; k < elements; k += 3) image[k] = (uint8_t)random_u32();
    status = mote_set_input_u8(model, i, image, elements);
    free(image);
  }
  CHECK(status == MOTE_DONE, "input: %s", mote_status_text(status));
  status = MOTE_BUSY;
  for (int step = 0; status == MOTE_BUSY && step < MAX_STEPS; step++) status = mote_step(model, STEP_BUDGET);
  if (status != MOTE_DONE) return status;
  for (uint32_t i = 0; i < mote_output_count(model); i++) {
    size_t elements = elements_of(mote_output_tensor(model, i));
    int8_t *output = malloc(elements);
    CHECK(mote_get_output_i8(model, i, output, elements) == MOTE_DONE, "output %u", i);
    free(output);
  }
  CHECK(mote_top(model) >= 0 && mote_reset(model) == MOTE_DONE, "top and reset");
  return status;
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  int interpreted = strcmp(argv[1], "wasm3") == 0;
  long count = strtol(argv[2], NULL, 10);
  random_state = (uint32_t)strtoul(argv[3], NULL, 10) | 1;
  bytes core = read_bytes(argv[4]);
  long opened = 0;
  long ran = 0;
  uint8_t *memory = malloc(MEMORY_BYTES);
  for (long i = 0; i < count; i++) {
    bytes original = read_bytes(argv[5 + i % (argc - 5)]);
    bytes file = mutate(original);
    mote_source source = {interpreted ? &mote_wasm3 : &mote_aot, &core_module, 0, file.data, file.length, NULL, NULL};
    if (interpreted) {
      source.module = core.data;
      source.module_bytes = core.length;
    }
    mote *model;
    mote_status status = mote_begin(&model, &source, memory, MEMORY_BYTES);
    for (int step = 0; status == MOTE_BUSY && step < MAX_STEPS; step++) status = mote_step(model, STEP_BUDGET);
    if (status == MOTE_DONE) {
      opened++;
      status = run(model);
      ran += status == MOTE_DONE;
    }
    CHECK(status <= MOTE_BUSY && status != MOTE_ERROR_TRAP, "mutation %ld: status %d", i, (int)status);
    mote_close(model);
    free(file.data);
    free(original.data);
  }
  free(memory);
  free(core.data);
  printf("%ld mutations, %ld opened, %ld ran to the end; %d checks failed\n", count, opened, ran, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
