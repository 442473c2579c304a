/** What the library goes by of linear memory, where a module may write whatever it likes: copied once, and checked. */
#include "mote-internal.h"

uint32_t mote_linear_u32(const mote *model, uint32_t address) { return mote_get_u32(model->linear + address); }

/** Neither zero, infinite nor not a number, and no sign. */
bool mote_is_scale(uint32_t bits) { return bits - 1 < 0x7f7fffffu; }

/**
 * Copies a tensor from the core's table.
 * @param most lines that stand in memory at a time
 * @returns whether it is as mote_end says
 */
static bool place(const mote *model, uint32_t entry, mote_end *end, uint32_t most) {
  uint32_t words[MOTE_TENSOR_STATE / 4];
  for (uint32_t i = 0; i < MOTE_TENSOR_STATE / 4; i++, entry += 4) words[i] = mote_linear_u32(model, entry);
  uint32_t ptr = words[MOTE_TENSOR_PTR / 4];
  uint32_t channels = words[MOTE_TENSOR_CHANNELS / 4];
  uint32_t height = words[MOTE_TENSOR_HEIGHT / 4];
  uint32_t width = words[MOTE_TENSOR_WIDTH / 4];
  uint32_t pitch = words[MOTE_TENSOR_PITCH / 4];
  uint32_t plane = words[MOTE_TENSOR_PLANE / 4];
  uint32_t zero_point = words[MOTE_TENSOR_ZERO_POINT / 4];
  if (channels - 1 >= MOTE_MAX_DIMENSION || height - 1 >= MOTE_MAX_DIMENSION || width - 1 >= MOTE_MAX_DIMENSION) return false;
  if (zero_point + 128 > 255) return false;
  uint32_t lines = height < most ? height : most;
  /* Hence there are no more elements in memory than bytes, and their number fits 32 bits. */
  if (pitch < width || pitch - width > UINT8_MAX || plane < (uint64_t)pitch * lines) return false;
  uint64_t last_row = ptr + (uint64_t)plane * (channels - 1) + (uint64_t)pitch * (lines - 1);
  if (last_row + width > model->linear_bytes) return false;
  end->ptr = ptr;
  end->plane = plane;
  end->channels = (uint16_t)channels;
  end->height = (uint16_t)height;
  end->width = (uint16_t)width;
  end->margin = (uint8_t)(pitch - width);
  end->zero_point = (int8_t)zero_point;
  return true;
}

/**
 * Whether an input that comes by lines has no more elements than a tensor may have, and they go where a fast module has its tensors: the library
 * writes them during a run, and they change no table.
 */
static bool is_in_arena(const mote *model, const mote_end *end) {
  uint64_t window = mote_linear_u32(model, MOTE_CONTROL_WINDOW_PTR);
  uint64_t elements = (uint64_t)end->channels * end->height * end->width;
  return end->ptr >= window + mote_linear_u32(model, MOTE_CONTROL_WINDOW_BYTES) && elements <= MOTE_MAX_TENSOR_BYTES;
}

static bool is_end(const mote *model, uint32_t entry) {
  return (mote_linear_u32(model, entry + MOTE_TENSOR_STATE) & MOTE_TENSOR_IS_END) != 0;
}

/** Copies the ends from the core's table to the heap. @returns as mote_take_tables */
static mote_status place_ends(mote *model, uint32_t entry) {
  model->ends = mote_heap_calloc(&model->heap, model->end_count * sizeof(mote_end));
  if (model->ends == NULL) return MOTE_ERROR_MEMORY;
  uint32_t most = UINT32_MAX;
  if (mote_linear_u32(model, MOTE_CONTROL_VERSION) == MOTE_INTERFACE_VERSION_LINES) {
    /* The first tensor is an input, and the only one. */
    uint32_t state = mote_linear_u32(model, entry + MOTE_TENSOR_STATE);
    most = state >> MOTE_TENSOR_LINES_SHIFT & UINT8_MAX;
    bool is_by_lines = (state & MOTE_TENSOR_IS_BY_LINES) != 0 && most != 0;
    if (model->form != MOTE_FORM_FAST || model->input_count > 1 || !is_by_lines) return MOTE_ERROR_MODULE;
    model->coming_lines = (uint8_t)most;
  }
  for (uint32_t i = 0; i < model->end_count; entry += MOTE_TENSOR_ENTRY_BYTES) {
    if (!is_end(model, entry)) continue;
    if (!place(model, entry, &model->ends[i++], most)) return MOTE_ERROR_MODULE;
    most = UINT32_MAX;
  }
  return model->coming_lines == 0 || is_in_arena(model, model->ends) ? MOTE_DONE : MOTE_ERROR_MODULE;
}

/** From where a fast module says that they are. */
static mote_status take_scales(mote *model) {
  uint32_t address = mote_linear_u32(model, MOTE_CONTROL_SCALES);
  if (address > model->linear_bytes - model->end_count * 4u) return MOTE_ERROR_MODULE;
  for (mote_end *end = model->ends; end < model->ends + model->end_count; end++, address += 4) {
    end->scale_bits = mote_linear_u32(model, address);
    if (!mote_is_scale(end->scale_bits)) return MOTE_STATUS_RANGE;
  }
  return MOTE_DONE;
}

mote_status mote_take_tables(mote *model) {
  uint32_t table = mote_linear_u32(model, MOTE_CONTROL_TENSORS_PTR);
  uint32_t tensors = mote_linear_u32(model, MOTE_CONTROL_TENSOR_COUNT);
  uint32_t layers = mote_linear_u32(model, MOTE_CONTROL_LAYER_COUNT);
  if (tensors > MOTE_MAX_TENSORS) return MOTE_ERROR_MODULE;
  uint32_t table_bytes = tensors * MOTE_TENSOR_ENTRY_BYTES;
  if (table_bytes > model->linear_bytes || table > model->linear_bytes - table_bytes) return MOTE_ERROR_MODULE;
  uint32_t ends = 0;
  for (uint32_t i = 0; i < tensors; i++) {
    /* Layers' outputs stand behind all other tensors, of which there is one at least. */
    if (i == tensors - layers) model->input_count = (uint16_t)ends;
    ends += is_end(model, table + i * MOTE_TENSOR_ENTRY_BYTES);
  }
  if (model->input_count == 0 || ends == model->input_count) return MOTE_ERROR_MODULE;
  model->end_count = (uint16_t)ends;
  model->layer_count = (uint16_t)layers;
  model->element_bias = (uint8_t)mote_linear_u32(model, MOTE_CONTROL_ELEMENT_BIAS);
  mote_status status = place_ends(model, table);
  if (status != MOTE_DONE) return status;
  mote_head head;
  return model->form == MOTE_FORM_FAST ? take_scales(model) : mote_container_head(model, &head);
}
