/** What goes into a model and comes out of it: see mote.h. */
#include <string.h>

#include "mote-internal.h"

/** Elements of a tensor. */
static size_t count_of(const mote_end *end) { return (size_t)end->channels * end->height * end->width; }

/** From a row to the next. */
static uint32_t pitch_of(const mote_end *end) { return (uint32_t)end->width + end->margin; }

static float scale_of(const mote_end *end) {
  float scale;
  memcpy(&scale, &end->scale_bits, sizeof scale);
  return scale;
}

uint32_t mote_input_count(const mote *model) { return mote_is_open(model) ? model->input_count : 0; }

uint32_t mote_output_count(const mote *model) {
  return mote_is_open(model) ? (uint32_t)model->end_count - model->input_count : 0;
}

static const mote_end *output_of(const mote *model, uint32_t output) { return &model->ends[model->input_count + output]; }

static mote_tensor shape_of(const mote_end *end) {
  return (mote_tensor){end->channels, end->height, end->width, end->zero_point, scale_of(end)};
}

static const mote_tensor no_tensor;

mote_tensor mote_input_tensor(const mote *model, uint32_t input) {
  return input < mote_input_count(model) ? shape_of(&model->ends[input]) : no_tensor;
}

mote_tensor mote_output_tensor(const mote *model, uint32_t output) {
  return output < mote_output_count(model) ? shape_of(output_of(model, output)) : no_tensor;
}

/**
 * The int8 value of a pixel is zeroPoint + floor(pixel / 255 / scale + 1/2), saturated, and exact. With scale = m * 2^(1 - shift) the
 * floor is the largest q with (2 q - 1) * half <= pixel * 2^shift, where half = 255 m.
 */
typedef struct pixel_scale {
  uint32_t half;
  int32_t shift;
  /** floor(2^(shift + 21) / half): gives q, or one too few. */
  uint32_t reciprocal;
} pixel_scale;

/** Saturates for any zero point. */
#define QUOTIENT_MAX 256u

/** Beyond it every pixel but 0 saturates, since q would be 2^(42 - 1) / (255 * 2^24) = 514 at least. */
#define SHIFT_MAX 41

static pixel_scale pixel_scale_of(uint32_t scale_bits) {
  uint32_t exponent = scale_bits >> 23;
  uint32_t mantissa = scale_bits & 0x7fffff;
  pixel_scale scale = {255u * (exponent == 0 ? mantissa : mantissa | 0x800000), exponent == 0 ? 150 : 151 - (int32_t)exponent, 0};
  if (scale.shift > SHIFT_MAX) return scale;
  /* Long division, bit by bit: CPUs have no other of 64 bits. With a normal mantissa half is 2^30 and more, and the first 30 bits give none. */
  uint64_t rest = 1u << 30;
  for (int32_t bit = scale.shift + 21 - 30; bit > 0; bit--) {
    rest <<= 1;
    scale.reciprocal <<= 1;
    if (rest < scale.half) continue;
    rest -= scale.half;
    scale.reciprocal |= 1;
  }
  return scale;
}

static uint32_t pixel_quotient(const pixel_scale *scale, uint32_t pixel) {
  if (pixel == 0 || scale->shift < 0) return 0;
  if (scale->shift > SHIFT_MAX) return QUOTIENT_MAX;
  uint64_t scaled = (uint64_t)pixel << scale->shift;
  uint64_t q = ((uint64_t)pixel * scale->reciprocal + 0x200000) >> 22;
  if (q >= QUOTIENT_MAX) return QUOTIENT_MAX;
  return (uint32_t)q + ((2 * q + 1) * scale->half <= scaled ? 1 : 0);
}

static int8_t saturate(int32_t value) { return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value); }

static mote_status check_input(const mote *model, uint32_t input, const void *values, size_t count) {
  if (model == NULL || values == NULL) return MOTE_ERROR_ARGUMENT;
  if (!mote_is_open(model) || model->state == MOTE_STATE_RUNNING) return MOTE_ERROR_ORDER;
  if (input >= model->input_count) return MOTE_ERROR_ARGUMENT;
  if (model->coming_lines != 0) return MOTE_ERROR_ROWS;
  if (input > model->inputs_set) return MOTE_ERROR_ORDER;
  return count == count_of(&model->ends[input]) ? MOTE_DONE : MOTE_ERROR_ARGUMENT;
}

void mote_input_is_set(mote *model, uint32_t input) {
  if (input == 0) model->rows = NULL;
  model->has_output = false;
  model->inputs_set = (uint16_t)(input + 1);
  model->state = model->inputs_set == model->input_count ? MOTE_STATE_READY : MOTE_STATE_IDLE;
}

/** Copies bytes to a tensor's rows, the first of which is at `to`, something added to each of them. */
static void fill(uint8_t *to, const mote_end *end, const uint8_t *bytes, uint8_t bias) {
  uint32_t width = end->width;
  for (uint32_t c = 0; c < end->channels; c++) {
    uint8_t *row = to + c * end->plane;
    for (uint32_t y = 0; y < end->height; y++, row += pitch_of(end)) {
      for (uint32_t x = 0; x < width; x++) row[x] = (uint8_t)(*bytes++ + bias);
    }
  }
}

/** As `fill`, each pixel by its quotient. Neighbours are often alike, such as the background. */
static void fill_scaled(uint8_t *to, const mote_end *end, const uint8_t *image, uint8_t bias, const pixel_scale *scale) {
  uint32_t last = 0;
  uint8_t byte = (uint8_t)(end->zero_point + bias);
  for (uint32_t c = 0; c < end->channels; c++) {
    uint8_t *row = to + c * end->plane;
    for (uint32_t y = 0; y < end->height; y++, row += pitch_of(end)) {
      for (uint32_t x = 0; x < end->width; x++) {
        uint32_t pixel = *image++;
        if (pixel != last) {
          last = pixel;
          byte = (uint8_t)(saturate(end->zero_point + (int32_t)pixel_quotient(scale, pixel)) + bias);
        }
        row[x] = byte;
      }
    }
  }
}

static void fill_pixels(uint8_t *to, const mote_end *end, const uint8_t *image, uint8_t bias) {
  pixel_scale scale = pixel_scale_of(end->scale_bits);
  /* The quotient of a pixel is off from it in proportion to it: where that of 255 is right, all are. */
  if (end->zero_point == -128 && pixel_quotient(&scale, 255) == 255) {
    fill(to, end, image, (uint8_t)(end->zero_point + bias));
  } else {
    fill_scaled(to, end, image, bias, &scale);
  }
}

mote_status mote_set_input_u8(mote *model, uint32_t input, const uint8_t *image, size_t count) {
  mote_status status = check_input(model, input, image, count);
  if (status != MOTE_DONE) return status;
  mote_end end = model->ends[input];
  fill_pixels(mote_row_at(model, &end, 0, 0), &end, image, model->element_bias);
  mote_input_is_set(model, input);
  return MOTE_DONE;
}

mote_status mote_set_input_i8(mote *model, uint32_t input, const int8_t *values, size_t count) {
  mote_status status = check_input(model, input, values, count);
  if (status != MOTE_DONE) return status;
  const mote_end *end = &model->ends[input];
  fill(mote_row_at(model, end, 0, 0), end, (const uint8_t *)values, model->element_bias);
  mote_input_is_set(model, input);
  return MOTE_DONE;
}

/** The integer nearest to a number of steps, the greater of two; beyond +-256, where all saturates, +-256. 0 for what is not a number. */
static int32_t nearest(float steps) {
  if (!(steps > -256 && steps < 256)) return steps < 0 ? -256 : steps > 0 ? 256 : 0;
  int32_t whole = (int32_t)steps;
  float rest = steps - (float)whole; /* exact */
  return rest >= 0.5f ? whole + 1 : rest < -0.5f ? whole - 1 : whole;
}

static void fill_reals(uint8_t *to, const mote_end *end, const float *values, uint8_t bias) {
  uint32_t width = end->width;
  int32_t zero_point = end->zero_point;
  float scale = scale_of(end);
  for (uint32_t c = 0; c < end->channels; c++) {
    uint8_t *row = to + c * end->plane;
    for (uint32_t y = 0; y < end->height; y++, row += pitch_of(end)) {
      for (uint32_t x = 0; x < width; x++) {
        row[x] = (uint8_t)(saturate(zero_point + nearest(*values++ / scale)) + bias);
      }
    }
  }
}

mote_status mote_set_input_f32(mote *model, uint32_t input, const float *values, size_t count) {
  mote_status status = check_input(model, input, values, count);
  if (status != MOTE_DONE) return status;
  const mote_end *end = &model->ends[input];
  fill_reals(mote_row_at(model, end, 0, 0), end, values, model->element_bias);
  mote_input_is_set(model, input);
  return MOTE_DONE;
}

/** As an input of a single row. @returns as mote_quantize_u8 */
static mote_status row_of(const mote *model, uint32_t input, size_t count, mote_end *row) {
  if (!mote_is_open(model)) return model == NULL ? MOTE_ERROR_ARGUMENT : MOTE_ERROR_ORDER;
  if (input >= model->input_count || count > UINT16_MAX) return MOTE_ERROR_ARGUMENT;
  *row = model->ends[input];
  row->channels = row->height = 1;
  row->width = (uint16_t)count;
  return MOTE_DONE;
}

mote_status mote_quantize_u8(const mote *model, uint32_t input, const uint8_t *image, int8_t *values, size_t count) {
  mote_end row;
  mote_status status = image == NULL || values == NULL ? MOTE_ERROR_ARGUMENT : row_of(model, input, count, &row);
  if (status == MOTE_DONE) fill_pixels((uint8_t *)values, &row, image, 0);
  return status;
}

mote_status mote_quantize_f32(const mote *model, uint32_t input, const float *reals, int8_t *values, size_t count) {
  mote_end row;
  mote_status status = reals == NULL || values == NULL ? MOTE_ERROR_ARGUMENT : row_of(model, input, count, &row);
  if (status == MOTE_DONE) fill_reals((uint8_t *)values, &row, reals, 0);
  return status;
}

uint32_t mote_rows_at_once(const mote *model) {
  if (!mote_is_open(model)) return 0;
  uint32_t height = model->ends->height;
  return model->coming_lines != 0 && model->coming_lines < height ? model->coming_lines : height;
}

/** See `rows` of struct mote. */
static mote_status give_rows(mote *model, bool is_asked) {
  const mote_end *end = model->ends;
  if (is_asked) {
    if (model->coming_lines == 0 || model->row >= end->height) return MOTE_ERROR_MODULE;
    model->awaits_rows = true;
  }
  if (!model->awaits_rows) return MOTE_DONE;
  uint32_t most = mote_rows_at_once(model);
  while (model->place < most && model->row < end->height) {
    uint8_t *values = mote_row_at(model, end, model->channel, model->place);
    mote_status status = model->give_row(model->rows_context, model->channel, model->row, (int8_t *)values);
    if (status != MOTE_DONE) return status > MOTE_BUSY ? MOTE_ERROR_ARGUMENT : status;
    for (uint32_t x = 0; x < end->width; x++) values[x] = (uint8_t)(values[x] + model->element_bias);
    if (++model->channel < end->channels) continue;
    model->channel = 0;
    model->row++;
    model->place++;
  }
  model->place = 0;
  model->awaits_rows = false;
  return MOTE_DONE;
}

mote_status mote_input_rows(mote *model, mote_row give, void *context) {
  if (model == NULL || give == NULL) return MOTE_ERROR_ARGUMENT;
  if (!mote_is_open(model) || model->state == MOTE_STATE_RUNNING) return MOTE_ERROR_ORDER;
  mote_input_is_set(model, 0);
  model->rows = give_rows;
  model->give_row = give;
  model->rows_context = context;
  model->row = model->channel = model->place = 0;
  /* All of an input that is there as a whole are given before the run. */
  model->awaits_rows = model->coming_lines == 0;
  return MOTE_DONE;
}

static mote_status check_output(const mote *model, uint32_t output, const void *values, size_t count) {
  if (model == NULL || values == NULL) return MOTE_ERROR_ARGUMENT;
  if (!model->has_output) return MOTE_ERROR_ORDER;
  if (output >= (uint32_t)model->end_count - model->input_count) return MOTE_ERROR_ARGUMENT;
  return count == count_of(output_of(model, output)) ? MOTE_DONE : MOTE_ERROR_ARGUMENT;
}

static int8_t element_of(uint8_t byte, uint8_t bias) { return (int8_t)(uint8_t)(byte - bias); }

mote_status mote_get_output_i8(const mote *model, uint32_t output, int8_t *values, size_t count) {
  mote_status status = check_output(model, output, values, count);
  if (status != MOTE_DONE) return status;
  const mote_end *end = output_of(model, output);
  uint32_t width = end->width;
  uint8_t bias = model->element_bias;
  for (uint32_t c = 0; c < end->channels; c++) {
    const uint8_t *row = mote_row_at(model, end, c, 0);
    for (uint32_t y = 0; y < end->height; y++, row += pitch_of(end)) {
      for (uint32_t x = 0; x < width; x++) *values++ = element_of(row[x], bias);
    }
  }
  return MOTE_DONE;
}

mote_status mote_get_output_f32(const mote *model, uint32_t output, float *values, size_t count) {
  mote_status status = check_output(model, output, values, count);
  if (status != MOTE_DONE) return status;
  const mote_end *end = output_of(model, output);
  uint32_t width = end->width;
  int32_t zero_point = end->zero_point;
  uint8_t bias = model->element_bias;
  float scale = scale_of(end);
  for (uint32_t c = 0; c < end->channels; c++) {
    const uint8_t *row = mote_row_at(model, end, c, 0);
    for (uint32_t y = 0; y < end->height; y++, row += pitch_of(end)) {
      for (uint32_t x = 0; x < width; x++) *values++ = scale * (float)(element_of(row[x], bias) - zero_point);
    }
  }
  return MOTE_DONE;
}

int32_t mote_top(const mote *model) {
  if (model == NULL) return MOTE_ERROR_ARGUMENT;
  if (!model->has_output) return MOTE_ERROR_ORDER;
  const mote_end *end = output_of(model, 0);
  uint32_t width = end->width;
  uint8_t bias = model->element_bias;
  int32_t best = -129;
  int32_t top = 0;
  int32_t index = 0;
  for (uint32_t c = 0; c < end->channels; c++) {
    const uint8_t *row = mote_row_at(model, end, c, 0);
    for (uint32_t y = 0; y < end->height; y++, row += pitch_of(end)) {
      for (uint32_t x = 0; x < width; x++, index++) {
        int32_t value = element_of(row[x], bias);
        if (value > best) {
          best = value;
          top = index;
        }
      }
    }
  }
  return top;
}
