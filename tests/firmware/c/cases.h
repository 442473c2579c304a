/**
 * What the tests of models share: inputs with the reference's outputs, and checks that any source of the model must pass.
 * The file: u32 number of cases, of inputs and of outputs; for each input and output u32 elements, f32 scale and i32 zero point; 256 int8
 * for the pixel values of the first input; then for each case all inputs and all outputs, int8, of runs one after another; then u32 number
 * of labels and each with a NUL behind it, names likewise; then u32 channels of the preprocessing, or 0, and if there are any u32 layout,
 * u32 colours, f32 mean and f32 std of each.
 */
#ifndef CASES_H
#define CASES_H

#include <math.h>

#include "check.h"
#include "mote-internal.h"

static bytes cases;
static uint32_t case_count;
static uint32_t input_count;
static uint32_t output_count;
/** Of the first ones. */
static uint32_t input_bytes;
static uint32_t output_bytes;
/** Of all of them. */
static uint32_t inputs_bytes;
static uint32_t outputs_bytes;

enum { CASES_HEAD = 12, CASES_END = 12 };

/** What the file says of an input or, behind the inputs, of an output. */
static inline const uint8_t *case_end(uint32_t end) { return cases.data + CASES_HEAD + CASES_END * end; }

static inline uint32_t end_elements(uint32_t end) { return u32_at(case_end(end)); }

static inline void read_cases(const char *path) {
  cases = read_bytes(path);
  case_count = u32_at(cases.data);
  input_count = u32_at(cases.data + 4);
  output_count = u32_at(cases.data + 8);
  input_bytes = end_elements(0);
  output_bytes = end_elements(input_count);
  for (uint32_t i = 0; i < input_count; i++) inputs_bytes += end_elements(i);
  for (uint32_t i = 0; i < output_count; i++) outputs_bytes += end_elements(input_count + i);
}

static inline const int8_t *case_pixels(void) { return (const int8_t *)case_end(input_count + output_count); }

static inline const int8_t *case_inputs(uint32_t i) {
  return case_pixels() + 256 + (size_t)i * (inputs_bytes + outputs_bytes);
}

static inline const int8_t *case_outputs(uint32_t i) { return case_inputs(i) + inputs_bytes; }

/** Sets all inputs of a case. */
static inline mote_status set_inputs(mote *model, uint32_t i) {
  const int8_t *values = case_inputs(i);
  mote_status status = MOTE_DONE;
  for (uint32_t input = 0; status == MOTE_DONE && input < input_count; input++) {
    status = mote_set_input_i8(model, input, values, end_elements(input));
    values += end_elements(input);
  }
  return status;
}

/** One run, in slices. What states hold goes on. */
static inline void check_run(mote *model, uint32_t i, uint32_t budget) {
  mote_status status = set_inputs(model, i);
  CHECK(status == MOTE_DONE, "%s", mote_status_text(status));
  do status = mote_step(model, budget);
  while (status == MOTE_BUSY);
  CHECK(status == MOTE_DONE, "%s at %u", mote_status_text(status), mote_error_offset(model));
  CHECK(mote_layers_done(model) == mote_layer_count(model), "%u", mote_layers_done(model));
  const int8_t *expected = case_outputs(i);
  for (uint32_t k = 0; k < output_count; k++) {
    uint32_t count = end_elements(input_count + k);
    int8_t *output = malloc(count);
    CHECK(mote_get_output_i8(model, k, output, count) == MOTE_DONE, "output %u", k);
    CHECK(memcmp(output, expected, count) == 0, "case %u, output %u, budget %u", i, k, budget);
    expected += count;
    free(output);
  }
  uint32_t best = 0;
  for (uint32_t k = 1; k < output_bytes; k++) {
    if (case_outputs(i)[k] > case_outputs(i)[best]) best = k;
  }
  CHECK(mote_top(model) == (int32_t)best, "%d, not %u", mote_top(model), best);
}

/** A case whatever the model has run before: from the first one on. */
static inline void check_case(mote *model, uint32_t i, uint32_t budget) {
  CHECK(mote_reset(model) == MOTE_DONE, "reset");
  for (uint32_t k = 0; k <= i; k++) check_run(model, k, budget);
}

/** Scale and zero point are the model's. */
static inline void check_tensor(mote_tensor tensor, const uint8_t *expected) {
  uint32_t bits;
  memcpy(&bits, &tensor.scale, sizeof bits);
  CHECK(tensor.channels * tensor.height * tensor.width == u32_at(expected), "%u elements", u32_at(expected));
  CHECK(bits == u32_at(expected + 4), "scale %g", (double)tensor.scale);
  CHECK(tensor.zero_point == (int32_t)u32_at(expected + 8), "zero point %d", (int)tensor.zero_point);
}

/** Inputs are waited for, in order, and what there is not is refused. */
static inline void check_ends(mote *model) {
  CHECK(mote_input_count(model) == input_count && mote_output_count(model) == output_count, "ends");
  for (uint32_t i = 0; i < input_count; i++) check_tensor(mote_input_tensor(model, i), case_end(i));
  for (uint32_t i = 0; i < output_count; i++) check_tensor(mote_output_tensor(model, i), case_end(input_count + i));
  int8_t *values = calloc(inputs_bytes + outputs_bytes, 1);
  uint32_t beyond[] = {input_count, input_count + output_count, UINT32_MAX};
  for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
    CHECK(mote_input_tensor(model, beyond[i]).channels == 0, "input %u", beyond[i]);
    CHECK(mote_set_input_i8(model, beyond[i], values, input_bytes) == MOTE_ERROR_ARGUMENT, "input %u", beyond[i]);
  }
  for (uint32_t i = 0; i + 1 < input_count; i++) {
    for (uint32_t behind = i + 1; behind < input_count; behind++) {
      CHECK(mote_set_input_i8(model, behind, values, end_elements(behind)) == MOTE_ERROR_ORDER, "%u before %u", behind, i);
    }
    for (int twice = 0; twice < 2; twice++) {
      CHECK(mote_set_input_i8(model, i, values, end_elements(i)) == MOTE_DONE, "input %u", i);
      CHECK(mote_step(model, 1) == MOTE_ERROR_ORDER, "without input %u", i + 1);
    }
  }
  CHECK(set_inputs(model, 0) == MOTE_DONE && mote_input_i8(model, values, input_bytes) == MOTE_DONE, "the first one again");
  CHECK(input_count == 1 || mote_step(model, 1) == MOTE_ERROR_ORDER, "those behind it");
  CHECK(set_inputs(model, 0) == MOTE_DONE && mote_run(model) == MOTE_DONE, "all inputs");
  beyond[0] = output_count;
  for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
    CHECK(mote_output_tensor(model, beyond[i]).channels == 0, "output %u", beyond[i]);
    for (uint32_t end = 0; end < input_count + output_count; end++) {
      CHECK(mote_get_output_i8(model, beyond[i], values, end_elements(end)) == MOTE_ERROR_ARGUMENT, "output %u", beyond[i]);
    }
  }
  CHECK(mote_input_i8(model, values, input_bytes) == MOTE_DONE, "the first input");
  CHECK(mote_output(model, values, output_bytes) == MOTE_ERROR_ORDER, "an output of other inputs");
  CHECK(input_count == 1 || mote_step(model, 1) == MOTE_ERROR_ORDER, "the other inputs");
  free(values);
}

/** The byte in linear memory that stands for element i of the first input. */
static inline uint8_t input_byte(const mote *model, uint32_t i) {
  uint32_t entry = mote_linear_u32(model, MOTE_CONTROL_TENSORS_PTR);
  uint32_t width = mote_linear_u32(model, entry + MOTE_TENSOR_WIDTH);
  uint32_t area = width * mote_linear_u32(model, entry + MOTE_TENSOR_HEIGHT);
  return model->linear[mote_linear_u32(model, entry + MOTE_TENSOR_PTR) + i / area * mote_linear_u32(model, entry + MOTE_TENSOR_PLANE) +
                       i % area / width * mote_linear_u32(model, entry + MOTE_TENSOR_PITCH) + i % width];
}

/** mote_label, or one that answers a name. */
typedef mote_status (*read_text)(const mote *model, uint32_t index, char *text, size_t text_bytes);

/** `count` texts, from index 0 on, and no others. Each fits into its own length and no less. @returns what stands behind them in the file */
static inline const char *check_texts(const mote *model, read_text read, uint32_t count, const char *expected) {
  char text[MOTE_LABEL_BYTES];
  for (uint32_t i = 0; i < count; i++, expected += strlen(expected) + 1) {
    CHECK(read(model, i, text, sizeof text) == MOTE_DONE && strcmp(text, expected) == 0, "text %u: %s", i, text);
    char *exact = malloc(strlen(expected) + 1);
    CHECK(read(model, i, exact, strlen(expected) + 1) == MOTE_DONE && strcmp(exact, expected) == 0, "text %u", i);
    CHECK(read(model, i, exact, strlen(expected)) == MOTE_ERROR_ARGUMENT && exact[0] == '\0', "too small for text %u", i);
    free(exact);
  }
  CHECK(read(model, count, text, sizeof text) == MOTE_ERROR_ARGUMENT && text[0] == '\0', "text %u", count);
  CHECK(read(model, UINT32_MAX, text, sizeof text) == MOTE_ERROR_ARGUMENT, "the last text of all");
  CHECK(read(model, 0, text, 0) == MOTE_ERROR_ARGUMENT && read(model, 0, NULL, 9) == MOTE_ERROR_ARGUMENT, "no room");
  return expected;
}

static inline void check_preprocessing(const mote *model, const uint8_t *expected) {
  mote_preprocessing got;
  uint32_t channels = u32_at(expected);
  for (uint32_t channel = 0; channel < channels; channel++) {
    uint32_t bits[2];
    CHECK(mote_get_preprocessing(model, channel, &got) == MOTE_DONE, "channel %u", channel);
    CHECK(got.layout == u32_at(expected + 4) && got.colours == u32_at(expected + 8), "%u, %u", got.layout, got.colours);
    memcpy(&bits[0], &got.mean, 4);
    memcpy(&bits[1], &got.std, 4);
    for (uint32_t i = 0; i < 2; i++) CHECK(bits[i] == u32_at(expected + 12 + 8 * channel + 4 * i), "channel %u", channel);
  }
  CHECK(mote_get_preprocessing(model, channels, &got) == MOTE_ERROR_ARGUMENT, "channel %u", channels);
  CHECK(mote_get_preprocessing(model, UINT32_MAX, &got) == MOTE_ERROR_ARGUMENT, "the last channel of all");
  CHECK(mote_get_preprocessing(model, 0, NULL) == MOTE_ERROR_ARGUMENT, "null");
}

/** What the file says, and no more. */
static inline void check_metadata(const mote *model) {
  const uint8_t *at = (const uint8_t *)case_inputs(case_count);
  at = (const uint8_t *)check_texts(model, mote_label, u32_at(at), (const char *)at + 4);
  uint32_t names = u32_at(at);
  CHECK(names == 0 || names == input_count + output_count, "%u names", names);
  at = (const uint8_t *)check_texts(model, mote_input_name, names == 0 ? 0 : input_count, (const char *)at + 4);
  at = (const uint8_t *)check_texts(model, mote_output_name, names == 0 ? 0 : output_count, (const char *)at);
  check_preprocessing(model, at);
}

/** As many bytes as mote_memory_needed says open the model, however they are aligned. */
static inline void check_needed(const char *name, const mote_source *source, size_t used) {
  size_t needed = mote_memory_needed(source);
  CHECK(needed >= used, "%s: %zu bytes needed, %zu used", name, needed, used);
  bool is_exact = source->engine == &mote_aot || source->engine == &mote_data;
  CHECK(needed <= (is_exact ? used + 7 : 2 * used), "%s: %zu bytes needed, %zu used", name, needed, used);
  uint8_t *memory = malloc(needed + 8);
  for (size_t offset = 0; offset < 8; offset++) {
    mote *model;
    CHECK(mote_open(&model, source, memory + offset, needed) == MOTE_DONE, "%s: %zu bytes at %zu", name, needed, offset);
    CHECK(offset != 0 || used == mote_memory_used(model), "used");
    if (source->engine == &mote_aot) CHECK(used <= MOTE_AOT_BYTES(mote_linear_bytes(model)), "%s: %zu bytes", name, used);
    if (source->engine == &mote_data) {
      size_t ends = (input_count + output_count - 2) * MOTE_END_BYTES;
      CHECK(used <= MOTE_DATA_BYTES(mote_linear_bytes(model)) + ends, "%s: %zu bytes", name, used);
    }
    mote_close(model);
  }
  free(memory);
}

/** Opens in the fewest bytes, runs all cases, tries fewer bytes. */
static inline void check_source(const char *name, const mote_source *source) {
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
  size_t needed = mote_memory_needed(source);
  printf("%s: %zu bytes, %zu of them linear; %zu asked for\n", name, used, mote_linear_bytes(model), needed);
  check_metadata(model);
  for (uint32_t i = 0; i < case_count; i++) check_run(model, i, 1000);
  check_case(model, 0, 1000);
  check_ends(model);
  mote_close(model);
  free(memory);
  check_needed(name, source, used);

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

static inline void check_alignment(const mote_source *source) {
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

/** Each image byte becomes what the host makes of it. */
static inline void check_pixels(const mote_source *source) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  uint8_t *image = malloc(input_bytes);
  mote *model;
  CHECK(mote_open(&model, source, memory, plenty) == MOTE_DONE, "open");
  uint32_t bias = mote_linear_u32(model, MOTE_CONTROL_ELEMENT_BIAS);
  for (uint32_t first = 0; first < 256; first += input_bytes) {
    for (uint32_t i = 0; i < input_bytes; i++) image[i] = (uint8_t)(first + i);
    CHECK(mote_input_u8(model, image, input_bytes) == MOTE_DONE, "input");
    for (uint32_t i = 0; i < input_bytes; i++) {
      int8_t expected = case_pixels()[image[i]];
      uint8_t got = input_byte(model, i);
      CHECK(got == (uint8_t)((uint32_t)expected + bias), "pixel %u: %u, not %d and %u", image[i], got, expected, bias);
    }
  }
  mote_close(model);
  free(image);
  free(memory);
}

/** Real numbers become the nearest int8, and come back as what it stands for. */
static inline void check_floats(const mote_source *source) {
  size_t plenty = 4u << 20;
  uint8_t *memory = malloc(plenty);
  float *values = malloc(input_bytes * sizeof(float));
  mote *model;
  CHECK(mote_open(&model, source, memory, plenty) == MOTE_DONE, "open");
  mote_tensor input = mote_input_tensor(model, 0);
  uint32_t bias = mote_linear_u32(model, MOTE_CONTROL_ELEMENT_BIAS);
  uint32_t tried = 0;
  for (float step = -600; step < 600; step += 0.25f * (float)input_bytes) {
    for (uint32_t i = 0; i < input_bytes; i++) values[i] = (step + 0.25f * (float)i) * input.scale;
    if (step == -600) {
      static const float special[] = {1e38f, -1e38f, (float)INFINITY, (float)-INFINITY, (float)NAN, 0.0f, 0.49999997f, -0.49999997f};
      uint32_t count = sizeof special / sizeof special[0];
      for (uint32_t i = 0; i < count && i < input_bytes; i++) values[i] = special[i] * (i < 5 ? 1.0f : input.scale);
    }
    CHECK(mote_input_f32(model, values, input_bytes) == MOTE_DONE, "input");
    for (uint32_t i = 0; i < input_bytes; i++, tried++) {
      float steps = values[i] / input.scale;
      double q = isnan(steps) ? input.zero_point : floor((double)steps + 0.5) + input.zero_point;
      int32_t expected = q < -128 ? -128 : q > 127 ? 127 : (int32_t)q;
      uint8_t got = input_byte(model, i);
      CHECK(got == (uint8_t)((uint32_t)expected + bias), "%g: %u, not %d and %u", (double)values[i], got, (int)expected, bias);
    }
  }
  CHECK(tried >= 4800, "%u tried", tried);
  CHECK(mote_input_f32(model, values, input_bytes + 1) == MOTE_ERROR_ARGUMENT, "count");
  CHECK(mote_input_f32(model, NULL, input_bytes) == MOTE_ERROR_ARGUMENT, "null");
  float *real = malloc(outputs_bytes * sizeof(float));
  CHECK(mote_output_f32(model, real, output_bytes) == MOTE_ERROR_ORDER, "no output");
  set_inputs(model, 0);
  CHECK(mote_run(model) == MOTE_DONE, "run");
  CHECK(mote_output_f32(model, real, output_bytes + 1) == MOTE_ERROR_ARGUMENT, "count");
  const int8_t *elements = case_outputs(0);
  for (uint32_t k = 0; k < output_count; k++) {
    mote_tensor output = mote_output_tensor(model, k);
    uint32_t count = end_elements(input_count + k);
    CHECK(mote_get_output_f32(model, k, real, count) == MOTE_DONE, "output %u", k);
    for (uint32_t i = 0; i < count; i++) {
      float expected = output.scale * (float)(*elements++ - output.zero_point);
      CHECK(real[i] == expected, "element %u of output %u: %g", i, k, (double)real[i]);
    }
  }
  mote_close(model);
  free(real);
  free(values);
  free(memory);
}

/** A module with any one bit wrong, or cut short, is refused before wasm3 sees it. */
static inline void check_damaged_module(bytes module, mote_source source) {
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

/** Two sources by turns in one piece of memory, as different tenants. */
static inline void check_one_after_another(const mote_source *first, const mote_source *second) {
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
  for (int k = 0; k < 2; k++) set_inputs(models[k], 0);
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

#endif
