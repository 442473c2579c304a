/**
 * What the tests of models share: inputs with the reference's outputs, and checks that any source of the model must pass.
 * The file: u32 count, u32 input bytes, u32 output bytes; f32 scale and i32 zero point of the input, then of the output; 256 int8 for the
 * pixel values; then count times input and output, int8; then the labels, each with a NUL behind it, if there are any.
 */
#ifndef CASES_H
#define CASES_H

#include <math.h>

#include "check.h"
#include "mote-internal.h"

static bytes cases;
static uint32_t case_count;
static uint32_t input_bytes;
static uint32_t output_bytes;

static inline void read_cases(const char *path) {
  cases = read_bytes(path);
  case_count = u32_at(cases.data);
  input_bytes = u32_at(cases.data + 4);
  output_bytes = u32_at(cases.data + 8);
}

static inline const int8_t *case_pixels(void) { return (const int8_t *)cases.data + 28; }

static inline const int8_t *case_input(uint32_t i) {
  return case_pixels() + 256 + (size_t)i * (input_bytes + output_bytes);
}

static inline const int8_t *case_output(uint32_t i) { return case_input(i) + input_bytes; }

static inline void check_case(mote *model, uint32_t i, uint32_t budget) {
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

/** Scale and zero point are the model's. */
static inline void check_tensor(mote_tensor tensor, uint32_t elements, const uint8_t *expected) {
  uint32_t bits;
  memcpy(&bits, &tensor.scale, sizeof bits);
  CHECK(tensor.channels * tensor.height * tensor.width == elements, "%u elements", elements);
  CHECK(bits == u32_at(expected), "scale %g", (double)tensor.scale);
  CHECK(tensor.zero_point == (int32_t)u32_at(expected + 4), "zero point %d", (int)tensor.zero_point);
}

/** The byte in linear memory that stands for element i of the input. */
static inline uint8_t input_byte(const mote *model, uint32_t i) {
  uint32_t entry = mote_linear_u32(model, MOTE_CONTROL_TENSORS_PTR);
  uint32_t width = mote_linear_u32(model, entry + MOTE_TENSOR_WIDTH);
  uint32_t area = width * mote_linear_u32(model, entry + MOTE_TENSOR_HEIGHT);
  return model->linear[mote_linear_u32(model, entry + MOTE_TENSOR_PTR) + i / area * mote_linear_u32(model, entry + MOTE_TENSOR_PLANE) +
                       i % area / width * mote_linear_u32(model, entry + MOTE_TENSOR_PITCH) + i % width];
}

/** The labels of the file, and no others. Each fits into its own length and no less. */
static inline void check_labels(const mote *model) {
  const char *label = (const char *)case_input(case_count);
  const char *end = (const char *)cases.data + cases.length;
  char text[MOTE_LABEL_BYTES];
  uint32_t count = 0;
  for (; label < end; label += strlen(label) + 1, count++) {
    CHECK(mote_label(model, count, text, sizeof text) == MOTE_DONE && strcmp(text, label) == 0, "label %u: %s", count, text);
    char *exact = malloc(strlen(label) + 1);
    CHECK(mote_label(model, count, exact, strlen(label) + 1) == MOTE_DONE && strcmp(exact, label) == 0, "label %u", count);
    CHECK(mote_label(model, count, exact, strlen(label)) == MOTE_ERROR_ARGUMENT && exact[0] == '\0', "too small for label %u", count);
    free(exact);
  }
  CHECK(mote_label(model, count, text, sizeof text) == MOTE_ERROR_ARGUMENT && text[0] == '\0', "label %u", count);
  CHECK(mote_label(model, UINT32_MAX, text, sizeof text) == MOTE_ERROR_ARGUMENT, "the last label of all");
  CHECK(mote_label(model, 0, text, 0) == MOTE_ERROR_ARGUMENT && mote_label(model, 0, NULL, 9) == MOTE_ERROR_ARGUMENT, "no room");
}

/** As many bytes as mote_memory_needed says open the model, however they are aligned. */
static inline void check_needed(const char *name, const mote_source *source, size_t used) {
  size_t needed = mote_memory_needed(source);
  CHECK(needed >= used, "%s: %zu bytes needed, %zu used", name, needed, used);
  CHECK(needed <= (source->engine == &mote_aot ? used + 7 : 2 * used), "%s: %zu bytes needed, %zu used", name, needed, used);
  uint8_t *memory = malloc(needed + 8);
  for (size_t offset = 0; offset < 8; offset++) {
    mote *model;
    CHECK(mote_open(&model, source, memory + offset, needed) == MOTE_DONE, "%s: %zu bytes at %zu", name, needed, offset);
    CHECK(offset != 0 || used == mote_memory_used(model), "used");
    if (source->engine == &mote_aot) CHECK(used <= MOTE_AOT_BYTES(mote_linear_bytes(model)), "%s: %zu bytes", name, used);
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
  check_tensor(mote_input_tensor(model), input_bytes, cases.data + 12);
  check_tensor(mote_output_tensor(model), output_bytes, cases.data + 20);
  check_labels(model);
  for (uint32_t i = 0; i < case_count; i++) check_case(model, i, 1000);
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
  mote_tensor input = mote_input_tensor(model);
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
  float *real = malloc(output_bytes * sizeof(float));
  CHECK(mote_output_f32(model, real, output_bytes) == MOTE_ERROR_ORDER, "no output");
  mote_input_i8(model, case_input(0), input_bytes);
  CHECK(mote_run(model) == MOTE_DONE, "run");
  CHECK(mote_output_f32(model, real, output_bytes + 1) == MOTE_ERROR_ARGUMENT, "count");
  CHECK(mote_output_f32(model, real, output_bytes) == MOTE_DONE, "output");
  mote_tensor output = mote_output_tensor(model);
  for (uint32_t i = 0; i < output_bytes; i++) {
    float expected = output.scale * (float)(case_output(0)[i] - output.zero_point);
    CHECK(real[i] == expected, "output %u: %g", i, (double)real[i]);
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

#endif
