/**
 * Opens and runs fast modules as data whose tables and streams are wrong but sealed, to be built with AddressSanitizer and UBSan and with every block of
 * the library's guarded: whatever they say, each call returns with a status, nothing outside linear memory and the module is touched, and no layer
 * writes over the layer table, by which a run ends.
 * Usage: data-mutate COUNT SEED FAST.wasm...
 */
#include "check.h"
#include "mote-module.h"

#define MEMORY_BYTES (256u << 10)
/** A hostile table may ask for hours of work: whoever steps it may stop at any time. */
#define MAX_STEPS 100
#define STEP_BUDGET 20000u

static void put_u32(uint8_t *at, uint32_t value) {
  for (unsigned i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t wild(uint32_t around) {
  static const uint32_t values[] = {0, 1, 2, 7, 8, 255, 0xffff, 1u << 28, (1u << 28) - 1, 1u << 31, 0xfffffff0, 0xffffffff};
  uint32_t how = random_u32() % 3;
  return how == 0 ? values[random_u32() % 12] : how == 1 ? around + random_u32() % 9 - 4 : random_u32() >> random_u32() % 32;
}

static void change_word(uint8_t *word) {
  if (word != NULL) put_u32(word, wild(u32_at(word)));
}

/** A word at an address of linear memory that the module's data have. */
static uint8_t *initial(mote_bytes module, uint32_t address) { return (uint8_t *)(uintptr_t)mote_module_initial(module, address, 4); }

/** Some of: words of layers, of tensors, of the control block, bytes of the stream, and any bytes. */
static void mutate(mote_bytes module) {
  uint32_t tensors = mote_module_initial_u32(module, MOTE_CONTROL_TENSORS_PTR);
  uint32_t layers = tensors + mote_module_initial_u32(module, MOTE_CONTROL_TENSOR_COUNT) * MOTE_TENSOR_ENTRY_BYTES;
  uint32_t end = layers;
  while (mote_module_initial_u32(module, end) != MOTE_KIND_END) end += MOTE_LAYER_ENTRY_BYTES;
  mote_bytes stream = mote_module_section(module, MOTE_STREAM_SECTION);
  for (uint32_t changes = 1 + random_u32() % 3; changes > 0; changes--) {
    switch (random_u32() % 8) {
      case 0:
        change_word(initial(module, tensors + random_u32() % (layers - tensors) / 4 * 4));
        break;
      case 1:
        change_word(initial(module, random_u32() % MOTE_CONTROL_BLOCK_BYTES / 4 * 4));
        break;
      case 2:
        ((uint8_t *)(uintptr_t)module.data)[random_u32() % module.length] = (uint8_t)random_u32();
        break;
      case 3:
      case 4:
        if (stream.length > 0) ((uint8_t *)(uintptr_t)stream.data)[random_u32() % stream.length] = (uint8_t)random_u32();
        break;
      default:
        change_word(initial(module, layers + random_u32() % (end + 4 - layers) / 4 * 4));
    }
  }
  if (random_u32() % 16 == 0) return;
  uint8_t *seal = (uint8_t *)(uintptr_t)module.data + module.length - 4;
  put_u32(seal, mote_crc32(module.data, module.length - 15));
}

static mote_status give_row(void *context, uint32_t channel, uint32_t row, int8_t *values) {
  const mote *model = context;
  uint32_t width = mote_input_tensor(model, 0).width;
  for (uint32_t x = 0; x < width; x++) values[x] = (int8_t)random_u32();
  return (channel + row) % 5 == 0 && random_u32() % 2 == 0 ? MOTE_BUSY : MOTE_DONE;
}

static mote_status set_inputs(mote *model) {
  mote_status status = MOTE_DONE;
  for (uint32_t i = 0; status == MOTE_DONE && i < mote_input_count(model); i++) {
    mote_tensor shape = mote_input_tensor(model, i);
    size_t elements = (size_t)shape.channels * shape.height * shape.width;
    uint8_t *image = malloc(elements);
    for (size_t k = 0; k < elements; k++) image[k] = (uint8_t)random_u32();
    status = mote_set_input_u8(model, i, image, elements);
    free(image);
  }
  return status == MOTE_ERROR_ROWS ? mote_input_rows(model, give_row, model) : status;
}

/** Whether nothing is written to entries but to those of layers that go by turns. */
static bool is_same_table(const uint8_t *before, const uint8_t *after, uint32_t bytes) {
  bool is_free = false;
  for (uint32_t at = 0; at + MOTE_LAYER_ENTRY_BYTES <= bytes; at += MOTE_LAYER_ENTRY_BYTES) {
    if (!is_free && memcmp(before + at, after + at, MOTE_LAYER_ENTRY_BYTES) != 0) return false;
    is_free = u32_at(before + at) == MOTE_KIND_LINES;
  }
  return true;
}

/** Runs an opened model twice, and once more from reset states. @returns the last status */
static mote_status run(mote *model, uint32_t table, uint32_t table_end) {
  mote_status status = MOTE_DONE;
  for (int turn = 0; status == MOTE_DONE && turn < 3; turn++) {
    if (turn == 2) CHECK(mote_reset(model) == MOTE_DONE, "reset");
    CHECK(set_inputs(model) == MOTE_DONE, "inputs");
    uint8_t *before = malloc(table_end - table + 1);
    memcpy(before, model->linear + table, table_end - table);
    status = MOTE_BUSY;
    for (int step = 0; status == MOTE_BUSY && step < MAX_STEPS; step++) status = mote_step(model, STEP_BUDGET);
    CHECK(is_same_table(before, model->linear + table, table_end - table), "the layer table was written to");
    free(before);
  }
  return status;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  long count = strtol(argv[1], NULL, 10);
  random_state = (uint32_t)strtoul(argv[2], NULL, 10) | 1;
  long tally[4] = {0, 0, 0, 0};
  uint8_t *memory = malloc(MEMORY_BYTES);
  for (long i = 0; i < count; i++) {
    /* In a block of its own length, so that a read behind it is found. */
    bytes module = read_bytes(argv[3 + i % (argc - 3)]);
    mutate((mote_bytes){module.data, module.length});
    mote_source source = {&mote_data, module.data, module.length, NULL, 0, NULL, NULL};
    mote *model;
    mote_status status = mote_open(&model, &source, memory, MEMORY_BYTES);
    CHECK(status <= MOTE_DONE, "mutation %ld: status %d", i, (int)status);
    if (status == MOTE_DONE) {
      uint32_t tensors = mote_linear_u32(model, MOTE_CONTROL_TENSORS_PTR);
      uint32_t table = tensors + mote_linear_u32(model, MOTE_CONTROL_TENSOR_COUNT) * MOTE_TENSOR_ENTRY_BYTES;
      uint32_t table_end = mote_linear_u32(model, MOTE_CONTROL_WINDOW_PTR) - MOTE_PROGRESS_BYTES;
      tally[1]++;
      status = run(model, table, table_end);
      tally[2] += status == MOTE_DONE;
      tally[3] += status == MOTE_ERROR_TRAP;
      /* The table may ask for rows that there are not. */
      bool is_known = status == MOTE_DONE || status == MOTE_BUSY || status == MOTE_ERROR_TRAP || status == MOTE_ERROR_MODULE;
      CHECK(is_known, "mutation %ld: status %d", i, (int)status);
    }
    mote_close(model);
    free(module.data);
  }
  free(memory);
  printf("%ld mutations, %ld opened, %ld ran, %ld trapped; %d checks failed\n", count, tally[1], tally[2], tally[3], checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
