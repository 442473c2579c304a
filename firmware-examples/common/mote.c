/** The library's calls over an engine that runs the core: see mote.h for what each does, SPEC.md for the core's interface. */
#include "mote-internal.h"

static mote *at_work;

void mote_work_on(mote *model) { at_work = model; }

mote *mote_at_work(void) { return at_work; }

uint32_t mote_linear_u32(const mote *model, uint32_t address) {
  return mote_get_u32(model->linear + address);
}

static mote_status call(mote *model, mote_export which, uint32_t argument) {
  mote_work_on(model);
  return model->source.engine->call(model, which, argument);
}

mote_status mote_begin(mote **model, const mote_source *source, void *memory, size_t memory_bytes) {
  if (model == NULL) return MOTE_ERROR_ARGUMENT;
  *model = NULL;
  if (source == NULL || memory == NULL || source->engine == NULL || source->module == NULL) return MOTE_ERROR_ARGUMENT;
  if (source->container == NULL && source->read == NULL && source->container_bytes != 0) return MOTE_ERROR_ARGUMENT;
  mote_heap heap;
  mote_heap_init(&heap, memory, memory_bytes);
  mote *m = mote_heap_calloc(&heap, sizeof(mote));
  if (m == NULL) return MOTE_ERROR_MEMORY;
  m->source = *source;
  m->heap = heap;
  m->skipped_bytes = (uint32_t)(heap.base - (uint8_t *)memory);
  m->state = MOTE_STATE_LOADING;
  mote_work_on(m);
  mote_status status = m->source.engine->measure(m);
  if (status != MOTE_DONE) return status;
  /* Neither zero, infinite nor not a number; the sign bit is 0. */
  if (m->input_scale_bits == 0 || m->input_scale_bits >= 0x7f800000) return MOTE_STATUS_RANGE;
  status = m->source.engine->instantiate(m);
  if (status != MOTE_DONE) return status;
  if (m->source.container_bytes != 0) {
    for (unsigned i = 0; i < 4; i++) {
      m->linear[MOTE_CONTROL_MODEL_PTR + i] = 0;
      m->linear[MOTE_CONTROL_MODEL_BYTES + i] = (uint8_t)(m->source.container_bytes >> (8 * i));
    }
  }
  status = call(m, MOTE_EXPORT_OPEN, m->linear_bytes);
  if (status < 0) return status;
  if (status > MOTE_BUSY) return MOTE_ERROR_MODULE;
  *model = m;
  return MOTE_BUSY;
}

mote_status mote_open(mote **model, const mote_source *source, void *memory, size_t memory_bytes) {
  mote_status status = mote_begin(model, source, memory, memory_bytes);
  if (status != MOTE_BUSY) return status;
  status = mote_run(*model);
  if (status != MOTE_DONE) *model = NULL;
  return status;
}

void mote_close(mote *model) {
  if (model == NULL) return;
  if (at_work == model) at_work = NULL;
  model->state = MOTE_STATE_DEAD;
}

size_t mote_memory_used(const mote *model) { return model->skipped_bytes + model->heap.peak; }

size_t mote_linear_bytes(const mote *model) { return model->linear_bytes; }

/** A tensor as the core's table has it. */
typedef struct placed_tensor {
  mote_tensor shape;
  /** First element inside the border. */
  uint32_t ptr;
  uint32_t pitch;
  uint32_t plane;
} placed_tensor;

static bool is_open(const mote *model) {
  return model != NULL && model->state != MOTE_STATE_LOADING && model->state != MOTE_STATE_DEAD;
}

static placed_tensor find_tensor(const mote *model, uint32_t index) {
  uint32_t entry = mote_linear_u32(model, MOTE_CONTROL_TENSORS_PTR) + index * MOTE_TENSOR_ENTRY_BYTES;
  placed_tensor tensor;
  tensor.shape.channels = mote_linear_u32(model, entry + MOTE_TENSOR_CHANNELS);
  tensor.shape.height = mote_linear_u32(model, entry + MOTE_TENSOR_HEIGHT);
  tensor.shape.width = mote_linear_u32(model, entry + MOTE_TENSOR_WIDTH);
  tensor.shape.zero_point = (int32_t)mote_linear_u32(model, entry + MOTE_TENSOR_ZERO_POINT);
  tensor.ptr = mote_linear_u32(model, entry + MOTE_TENSOR_PTR);
  tensor.pitch = mote_linear_u32(model, entry + MOTE_TENSOR_PITCH);
  tensor.plane = mote_linear_u32(model, entry + MOTE_TENSOR_PLANE);
  return tensor;
}

static placed_tensor output_tensor(const mote *model) {
  return find_tensor(model, mote_linear_u32(model, MOTE_CONTROL_OUTPUT_TENSOR));
}

/** All of the tensor stands in linear memory. */
static bool fits(const mote *model, const placed_tensor *tensor) {
  const mote_tensor *shape = &tensor->shape;
  if (shape->channels == 0 || shape->height == 0 || shape->width == 0) return false;
  if (shape->channels > MOTE_MAX_DIMENSION || shape->height > MOTE_MAX_DIMENSION || shape->width > MOTE_MAX_DIMENSION) return false;
  uint64_t last = (uint64_t)tensor->ptr + (uint64_t)(shape->channels - 1) * tensor->plane +
                  (uint64_t)(shape->height - 1) * tensor->pitch + shape->width - 1;
  return last < model->linear_bytes;
}

/** What the library itself will read and write by the core's word. */
static bool core_is_sound(const mote *model) {
  uint64_t table = mote_linear_u32(model, MOTE_CONTROL_TENSORS_PTR);
  uint32_t tensors = mote_linear_u32(model, MOTE_CONTROL_TENSOR_COUNT);
  if (tensors == 0 || tensors > MOTE_MAX_TENSORS) return false;
  if (table + (uint64_t)tensors * MOTE_TENSOR_ENTRY_BYTES > model->linear_bytes) return false;
  if (mote_linear_u32(model, MOTE_CONTROL_OUTPUT_TENSOR) >= tensors) return false;
  placed_tensor input = find_tensor(model, 0);
  placed_tensor output = output_tensor(model);
  return fits(model, &input) && fits(model, &output);
}

/**
 * What is added, modulo 256, to an int8 element to get its byte in linear memory: 0 for a core, 128 in a fast module, whose
 * kernels like bytes without a sign.
 */
static uint8_t element_bias(const mote *model) { return (uint8_t)mote_linear_u32(model, MOTE_CONTROL_ELEMENT_BIAS); }

static int8_t element_of(uint8_t byte, uint8_t bias) { return (int8_t)(uint8_t)(byte - bias); }

mote_tensor mote_input_tensor(const mote *model) {
  if (is_open(model)) return find_tensor(model, 0).shape;
  return (mote_tensor){0, 0, 0, 0};
}

mote_tensor mote_output_tensor(const mote *model) {
  if (is_open(model)) return output_tensor(model).shape;
  return (mote_tensor){0, 0, 0, 0};
}

/**
 * The int8 value of a pixel is zeroPoint + floor(pixel / 255 / scale + 1/2), saturated, and exact. With scale = m * 2^(1 - shift) the
 * floor is the largest q with (2 q - 1) * half <= pixel * 2^shift, where half = 255 m.
 */
typedef struct pixel_scale {
  uint32_t half;
  int32_t shift;
  /** floor(2^(shift + 24) / (2 half)), for shifts to 39: gives q, or one too few, without a division. */
  uint64_t reciprocal;
} pixel_scale;

/** Saturates for any zero point. */
#define QUOTIENT_MAX 256u

static pixel_scale pixel_scale_of(uint32_t scale_bits) {
  uint32_t exponent = scale_bits >> 23;
  uint32_t mantissa = scale_bits & 0x7fffff;
  pixel_scale scale = {255u * (exponent == 0 ? mantissa : mantissa | 0x800000), exponent == 0 ? 150 : 151 - (int32_t)exponent, 0};
  if (scale.shift >= 0 && scale.shift <= 39) scale.reciprocal = ((uint64_t)1 << (scale.shift + 24)) / scale.half >> 1;
  return scale;
}

static uint32_t pixel_quotient(const pixel_scale *scale, uint32_t pixel) {
  if (pixel == 0 || scale->shift < 0) return 0;
  if (scale->shift > 54) return QUOTIENT_MAX;
  uint64_t scaled = (uint64_t)pixel << scale->shift;
  uint64_t q = scale->shift <= 39 ? (pixel * scale->reciprocal + 0x800000) >> 24 : scaled / scale->half / 2;
  if (q >= QUOTIENT_MAX) return QUOTIENT_MAX;
  return (uint32_t)q + ((2 * q + 1) * scale->half <= scaled ? 1 : 0);
}

static int8_t saturate(int32_t value) { return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value); }

static mote_status check_input(const mote *model, const void *values, size_t count, placed_tensor *input) {
  if (model == NULL || values == NULL) return MOTE_ERROR_ARGUMENT;
  if (!is_open(model) || model->state == MOTE_STATE_RUNNING) return MOTE_ERROR_ORDER;
  *input = find_tensor(model, 0);
  size_t expected = (size_t)input->shape.channels * input->shape.height * input->shape.width;
  return count == expected ? MOTE_DONE : MOTE_ERROR_ARGUMENT;
}

static void input_is_set(mote *model) {
  model->state = MOTE_STATE_READY;
  model->has_output = false;
}

mote_status mote_input_u8(mote *model, const uint8_t *image, size_t count) {
  placed_tensor input;
  mote_status status = check_input(model, image, count, &input);
  if (status != MOTE_DONE) return status;
  pixel_scale scale = pixel_scale_of(model->input_scale_bits);
  /* Neighbours are often alike, such as the background. */
  uint32_t last = 0;
  uint8_t bias = element_bias(model);
  uint8_t byte = (uint8_t)(saturate(input.shape.zero_point) + bias);
  for (uint32_t c = 0; c < input.shape.channels; c++) {
    uint8_t *row = model->linear + input.ptr + c * input.plane;
    for (uint32_t y = 0; y < input.shape.height; y++, row += input.pitch) {
      for (uint32_t x = 0; x < input.shape.width; x++) {
        uint32_t pixel = *image++;
        if (pixel != last) {
          last = pixel;
          byte = (uint8_t)(saturate(input.shape.zero_point + (int32_t)pixel_quotient(&scale, pixel)) + bias);
        }
        row[x] = byte;
      }
    }
  }
  input_is_set(model);
  return MOTE_DONE;
}

mote_status mote_input_i8(mote *model, const int8_t *values, size_t count) {
  placed_tensor input;
  mote_status status = check_input(model, values, count, &input);
  if (status != MOTE_DONE) return status;
  uint8_t bias = element_bias(model);
  for (uint32_t c = 0; c < input.shape.channels; c++) {
    uint8_t *row = model->linear + input.ptr + c * input.plane;
    for (uint32_t y = 0; y < input.shape.height; y++, row += input.pitch) {
      for (uint32_t x = 0; x < input.shape.width; x++) row[x] = (uint8_t)(*values++ + bias);
    }
  }
  input_is_set(model);
  return MOTE_DONE;
}

/** What a status of the core, the engine or a hook means for the model's state. */
static mote_status settle(mote *model, mote_status status) {
  if (status == MOTE_BUSY) return status;
  bool loading = model->state == MOTE_STATE_LOADING;
  if (status == MOTE_DONE && loading && !core_is_sound(model)) status = MOTE_ERROR_MODULE;
  if (status > MOTE_BUSY) status = MOTE_ERROR_MODULE;
  model->state = loading && status != MOTE_DONE ? MOTE_STATE_DEAD : MOTE_STATE_IDLE;
  model->has_output = !loading && status == MOTE_DONE;
  return status;
}

mote_status mote_step(mote *model, uint32_t budget) {
  if (model == NULL) return MOTE_ERROR_ARGUMENT;
  if (model->state == MOTE_STATE_IDLE || model->state == MOTE_STATE_DEAD) return MOTE_ERROR_ORDER;
  if (model->state == MOTE_STATE_READY) {
    model->state = MOTE_STATE_RUNNING;
    mote_status status = call(model, MOTE_EXPORT_START, 0);
    if (status != MOTE_BUSY && status != MOTE_DONE) return settle(model, status);
  }
  if (budget == MOTE_DEFAULT_BUDGET) {
    const mote_engine *engine = model->source.engine;
    budget = model->stream.data == NULL ? engine->budget : engine->fast_budget;
  }
  return settle(model, call(model, MOTE_EXPORT_STEP, budget));
}

mote_status mote_run(mote *model) {
  mote_status status;
  do {
    status = mote_step(model, MOTE_DEFAULT_BUDGET);
  } while (status == MOTE_BUSY);
  return status;
}

uint32_t mote_layer_count(const mote *model) {
  return is_open(model) ? mote_linear_u32(model, MOTE_CONTROL_LAYER_COUNT) : 0;
}

uint32_t mote_layers_done(const mote *model) {
  return is_open(model) ? mote_linear_u32(model, MOTE_CONTROL_LAYERS_DONE) : 0;
}

uint32_t mote_error_offset(const mote *model) {
  return model != NULL && model->linear != NULL ? mote_linear_u32(model, MOTE_CONTROL_ERROR_OFFSET) : 0;
}

mote_status mote_output(const mote *model, int8_t *values, size_t count) {
  if (model == NULL || values == NULL) return MOTE_ERROR_ARGUMENT;
  if (!model->has_output) return MOTE_ERROR_ORDER;
  placed_tensor output = output_tensor(model);
  if (count != (size_t)output.shape.channels * output.shape.height * output.shape.width) return MOTE_ERROR_ARGUMENT;
  uint8_t bias = element_bias(model);
  for (uint32_t c = 0; c < output.shape.channels; c++) {
    const uint8_t *row = model->linear + output.ptr + c * output.plane;
    for (uint32_t y = 0; y < output.shape.height; y++, row += output.pitch) {
      for (uint32_t x = 0; x < output.shape.width; x++) *values++ = element_of(row[x], bias);
    }
  }
  return MOTE_DONE;
}

int32_t mote_top(const mote *model) {
  if (model == NULL) return MOTE_ERROR_ARGUMENT;
  if (!model->has_output) return MOTE_ERROR_ORDER;
  placed_tensor output = output_tensor(model);
  uint8_t bias = element_bias(model);
  int32_t best = -129;
  int32_t top = 0;
  int32_t index = 0;
  for (uint32_t c = 0; c < output.shape.channels; c++) {
    for (uint32_t y = 0; y < output.shape.height; y++) {
      const uint8_t *row = model->linear + output.ptr + c * output.plane + y * output.pitch;
      for (uint32_t x = 0; x < output.shape.width; x++, index++) {
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

const char *mote_status_text(mote_status status) {
  switch (status) {
#define MOTE_TEXT(name, text) \
  case name:                  \
    return text;
    MOTE_STATUS_TEXTS(MOTE_TEXT)
#undef MOTE_TEXT
    case MOTE_ERROR_MEMORY:
      return "the memory given to mote_open is too small";
    case MOTE_ERROR_MODULE:
      return "the module is damaged, or the engine refuses it";
    case MOTE_ERROR_TRAP:
      return "the engine stopped inside the module";
    case MOTE_ERROR_ARGUMENT:
      return "a null pointer, or a count that is not the tensor's";
    case MOTE_ERROR_ORDER:
      return "called out of order";
    default:
      return "unknown status";
  }
}
