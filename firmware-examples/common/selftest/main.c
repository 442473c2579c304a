/**
 * The self-test of the model that this folder was exported with: runs its vectors one after another, each stream of them from a reset on, and compares all
 * outputs with those of the host, byte for byte. Prints "4 of 4 equal", or first what is wrong; main returns 0 only when all are equal.
 *
 * A program of its own, of the C files of this folder and of the one above: target `selftest` of the CMakeLists.txt there. On a board without
 * stdio say what prints a text: -DMOTE_SELFTEST_PRINT=board_print.
 */
#include <stdbool.h>
#include <string.h>

#include "model.h"
#include "vectors.h"

#ifdef MOTE_SELFTEST_PRINT
void MOTE_SELFTEST_PRINT(const char *text);
#else
#include <stdio.h>
static void print_to_stdout(const char *text) { fputs(text, stdout); }
#define MOTE_SELFTEST_PRINT print_to_stdout
#endif

static uint64_t memory[(MODEL_MEMORY_BYTES + 7) / 8];
static int8_t outputs[MOTE_VECTOR_OUTPUT_BYTES];

static void print(const char *text) { MOTE_SELFTEST_PRINT(text); }

static void print_number(int32_t value) {
  char text[12];
  char *p = text + sizeof text;
  uint32_t rest = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
  *--p = '\0';
  do {
    *--p = (char)('0' + rest % 10);
  } while ((rest /= 10) != 0);
  if (value < 0) *--p = '-';
  print(p);
}

static uint32_t elements_of(mote_tensor tensor) { return tensor.channels * tensor.height * tensor.width; }

/** Whether the vectors have as many elements as the model's inputs and outputs. */
static bool vectors_fit(const mote *model) {
  uint32_t in = 0;
  uint32_t out = 0;
  for (uint32_t i = 0; i < mote_input_count(model); i++) in += elements_of(mote_input_tensor(model, i));
  for (uint32_t i = 0; i < mote_output_count(model); i++) out += elements_of(mote_output_tensor(model, i));
  return in == MOTE_VECTOR_INPUT_BYTES && out == MOTE_VECTOR_OUTPUT_BYTES;
}

/** An input that is given by rows. */
typedef struct rows {
  const int8_t *input;
  mote_tensor tensor;
} rows;

/** A mote_row. A camera's driver would copy the row that it has just got, or answer MOTE_BUSY until it has. */
static mote_status give_row(void *context, uint32_t channel, uint32_t row, int8_t *values) {
  const rows *from = context;
  uint32_t width = from->tensor.width;
  memcpy(values, from->input + (channel * from->tensor.height + row) * width, width);
  return MOTE_DONE;
}

/** One inference: all inputs at `inputs`, all outputs to `outputs`. */
static mote_status run(mote *model, const int8_t *inputs) {
  rows first = {inputs, mote_input_tensor(model, 0)};
  mote_status status = MOTE_DONE;
  for (uint32_t i = 0; status == MOTE_DONE && i < mote_input_count(model); i++) {
    uint32_t count = elements_of(mote_input_tensor(model, i));
    status = mote_set_input_i8(model, i, inputs, count);
    if (status == MOTE_ERROR_ROWS) status = mote_input_rows(model, give_row, &first);
    inputs += count;
  }
  if (status == MOTE_DONE) status = mote_run(model);
  int8_t *values = outputs;
  for (uint32_t i = 0; status == MOTE_DONE && i < mote_output_count(model); i++) {
    uint32_t count = elements_of(mote_output_tensor(model, i));
    status = mote_get_output_i8(model, i, values, count);
    values += count;
  }
  return status;
}

/** Whether the outputs are those of the vector; prints the first element that is not. */
static bool is_equal(uint32_t vector) {
  const int8_t *expected = (const int8_t *)mote_vector_outputs + (size_t)vector * MOTE_VECTOR_OUTPUT_BYTES;
  for (uint32_t i = 0; i < MOTE_VECTOR_OUTPUT_BYTES; i++) {
    if (outputs[i] == expected[i]) continue;
    print("vector ");
    print_number((int32_t)vector);
    print(": element ");
    print_number((int32_t)i);
    print(" of the outputs is ");
    print_number(outputs[i]);
    print(", expected ");
    print_number(expected[i]);
    print("\n");
    return false;
  }
  return true;
}

static int fail(const mote *model, mote_status status) {
  print(mote_status_text(status));
  if (status == MOTE_STATUS_OP || status == MOTE_STATUS_CODEC || status == MOTE_ERROR_KERNEL) {
    print(": ");
    print(mote_lacking(status, mote_error_offset(model)));
  }
  print("\n");
  return 1;
}

int main(void) {
  mote *model;
  mote_status status = mote_begin(&model, &model_source, memory, sizeof memory);
  if (status == MOTE_BUSY) status = mote_run(model);
  if (status != MOTE_DONE) return fail(model, status);
  if (!vectors_fit(model)) {
    print("the vectors are of another model\n");
    return 1;
  }
  uint32_t equal = 0;
  for (uint32_t i = 0; i < MOTE_VECTORS; i++) {
    if (i % MOTE_VECTOR_STEPS == 0) status = mote_reset(model);
    if (status == MOTE_DONE) status = run(model, (const int8_t *)mote_vector_inputs + (size_t)i * MOTE_VECTOR_INPUT_BYTES);
    if (status != MOTE_DONE) return fail(model, status);
    if (is_equal(i)) equal++;
  }
  print_number((int32_t)equal);
  print(" of ");
  print_number(MOTE_VECTORS);
  print(" equal\n");
  return equal == MOTE_VECTORS ? 0 : 1;
}
