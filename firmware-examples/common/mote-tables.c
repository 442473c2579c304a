/** What the library goes by of linear memory, where a module may write whatever it likes: copied once, and checked. */
#include "mote-internal.h"

uint32_t mote_linear_u32(const mote *model, uint32_t address) { return mote_get_u32(model->linear + address); }

/** Copies a tensor from the core's table. @returns whether it is as mote_placed says */
static bool place(const mote *model, uint32_t entry, mote_placed *tensor) {
  uint32_t ptr = mote_linear_u32(model, entry + MOTE_TENSOR_PTR);
  uint32_t channels = mote_linear_u32(model, entry + MOTE_TENSOR_CHANNELS);
  uint32_t height = mote_linear_u32(model, entry + MOTE_TENSOR_HEIGHT);
  uint32_t width = mote_linear_u32(model, entry + MOTE_TENSOR_WIDTH);
  uint32_t pitch = mote_linear_u32(model, entry + MOTE_TENSOR_PITCH);
  uint32_t plane = mote_linear_u32(model, entry + MOTE_TENSOR_PLANE);
  int32_t zero_point = (int32_t)mote_linear_u32(model, entry + MOTE_TENSOR_ZERO_POINT);
  if (channels - 1 >= MOTE_MAX_DIMENSION || height - 1 >= MOTE_MAX_DIMENSION || width - 1 >= MOTE_MAX_DIMENSION) return false;
  if (zero_point < -128 || zero_point > 127) return false;
  /* Hence there are no more elements than bytes of linear memory, and their number fits 32 bits. */
  if (pitch < width || pitch - width > UINT8_MAX || plane < (uint64_t)pitch * height) return false;
  uint64_t last_row = ptr + (uint64_t)plane * (channels - 1) + (uint64_t)pitch * (height - 1);
  if (last_row + width > model->linear_bytes) return false;
  tensor->ptr = ptr;
  tensor->plane = plane;
  tensor->channels = (uint16_t)channels;
  tensor->height = (uint16_t)height;
  tensor->width = (uint16_t)width;
  tensor->margin = (uint8_t)(pitch - width);
  tensor->zero_point = (int8_t)zero_point;
  return true;
}

/** Neither zero, infinite nor not a number, and no sign. */
static bool is_scale(uint32_t bits) { return bits - 1 < 0x7f7fffffu; }

mote_status mote_take_tables(mote *model) {
  uint32_t table = mote_linear_u32(model, MOTE_CONTROL_TENSORS_PTR);
  uint32_t tensors = mote_linear_u32(model, MOTE_CONTROL_TENSOR_COUNT);
  uint32_t output = mote_linear_u32(model, MOTE_CONTROL_OUTPUT_TENSOR);
  uint32_t layers = mote_linear_u32(model, MOTE_CONTROL_LAYER_COUNT);
  if (tensors > MOTE_MAX_TENSORS || output >= tensors || layers > MOTE_MAX_LAYERS) return MOTE_ERROR_MODULE;
  uint32_t table_bytes = tensors * MOTE_TENSOR_ENTRY_BYTES;
  if (table_bytes > model->linear_bytes || table > model->linear_bytes - table_bytes) return MOTE_ERROR_MODULE;
  if (!place(model, table, &model->input)) return MOTE_ERROR_MODULE;
  if (!place(model, table + output * MOTE_TENSOR_ENTRY_BYTES, &model->output)) return MOTE_ERROR_MODULE;
  model->layer_count = (uint8_t)layers;
  model->element_bias = (uint8_t)mote_linear_u32(model, MOTE_CONTROL_ELEMENT_BIAS);
  if (model->form == MOTE_FORM_FAST) {
    model->input.scale_bits = mote_linear_u32(model, MOTE_CONTROL_INPUT_SCALE);
    model->output.scale_bits = mote_linear_u32(model, MOTE_CONTROL_OUTPUT_SCALE);
  } else {
    mote_status status = mote_container_scales(model, output);
    if (status != MOTE_DONE) return status;
  }
  return is_scale(model->input.scale_bits) && is_scale(model->output.scale_bits) ? MOTE_DONE : MOTE_STATUS_RANGE;
}
