/**
 * Kernels in C for those of a fast module: the same tables and stream (assembly/fast/layout.ts), the same outputs. The stream is read where it
 * lies. Neither it nor linear memory is trusted: what a kernel is about to touch it has checked before, once a call or once a row.
 */
#include "mote-layer.h"

/** Native units of a row of a dense layer and of a pair. */
enum { DENSE_ROW_WORK = 60, NATIVE_PAIR_WORK = 7 };

/** Pairs that are taken at once. */
#define TURN_BYTES (MOTE_PAIRS_AT_ONCE * MOTE_PAIR_BYTES)
/** And before the budget is looked at. */
#define MOST_PAIR_BYTES 1024u

bool mote_layer_read(mote_layer *w, const mote *model, uint32_t layer, uint32_t progress) {
  uint32_t bytes = model->linear_bytes;
  if (layer > bytes - MOTE_LAYER_ENTRY_BYTES || progress > bytes - MOTE_PROGRESS_BYTES) return false;
  const uint8_t *entry = model->linear + layer;
  w->model = model;
  w->progress = model->linear + progress;
  w->input = load_word(entry + MOTE_LAYER_INPUT);
  w->input_pitch = load_word(entry + MOTE_LAYER_INPUT_PITCH);
  w->output = load_word(entry + MOTE_LAYER_OUTPUT);
  w->output_pitch = load_word(entry + MOTE_LAYER_OUTPUT_PITCH);
  w->output_plane = load_word(entry + MOTE_LAYER_OUTPUT_PLANE);
  w->height = load_word(entry + MOTE_LAYER_OUTPUT_HEIGHT);
  w->width = load_word(entry + MOTE_LAYER_OUTPUT_WIDTH);
  w->rows = load_word(entry + MOTE_LAYER_ROWS);
  w->clamp_min = (int32_t)load_word(entry + MOTE_LAYER_CLAMP_MIN);
  w->clamp_span = load_word(entry + MOTE_LAYER_CLAMP_MAX) - (uint32_t)w->clamp_min;
  w->row = load_word(w->progress + MOTE_PROGRESS_ROW);
  w->position = load_word(w->progress + MOTE_PROGRESS_POSITION) - 1;
  w->is_begun = w->position != UINT32_MAX;
  if (!w->is_begun) w->position = load_word(entry + MOTE_LAYER_STREAM);
  /* So that nothing below passes 64 bits. */
  uint32_t all = w->input | w->input_pitch | w->output | w->output_pitch | w->output_plane | w->height | w->width | w->rows;
  return all < MOTE_MAX_BYTES && w->row < w->rows;
}

bool mote_layer_begin(mote_layer *w, const mote *model, uint32_t layer, uint32_t progress) {
  if (!mote_layer_read(w, model, layer, progress) || w->height == 0 || w->width == 0) return false;
  uint64_t last = (uint64_t)w->output_plane * (w->rows - 1) + (uint64_t)w->output_pitch * (w->height - 1);
  return last + w->output + w->width <= model->linear_bytes;
}

bool mote_layer_begin_row(mote_layer *w, uint32_t unit) {
  uint32_t bytes = w->model->source.container_bytes;
  if (w->position > bytes || bytes - w->position < MOTE_ROW_BYTES) return false;
  const uint8_t *head = w->model->source.container + w->position;
  uint32_t last = load_word(head + 12);
  uint32_t length = (last >> 8) * unit;
  w->constant = (int64_t)((uint64_t)load_word(head + 4) << 32 | load_word(head));
  w->multiplier = load_word(head + 8);
  w->upper_shift = (int32_t)(last & 63) - 32;
  w->body = head + MOTE_ROW_BYTES;
  w->body_end = w->body + length;
  return w->multiplier <= INT32_MAX && length <= bytes - w->position - MOTE_ROW_BYTES;
}

void mote_layer_end(const mote_layer *w, uint32_t own0, uint32_t own1, uint32_t own2) {
  put_word(w->progress + MOTE_PROGRESS_POSITION, w->position + 1);
  put_word(w->progress + MOTE_PROGRESS_ROW, w->row);
  put_word(w->progress + MOTE_PROGRESS_OWN, own0);
  put_word(w->progress + MOTE_PROGRESS_OWN + 4, own1);
  put_word(w->progress + MOTE_PROGRESS_OWN + 8, own2);
}

/**
 * Σ weight × element over some turns of pairs.
 * @param at address of the latest element; moves on
 * @returns whether all elements were within linear memory
 */
static INLINE bool sum_pairs(const mote *model, const uint8_t *pair, const uint8_t *last, uint32_t *at, uint32_t *sum) {
  const uint8_t *linear = model->linear;
  uint32_t end = model->linear_bytes;
  uint32_t acc = *sum;
  uint32_t at3 = *at;
  do {
    uint32_t at0 = at3 + pair[0];
    uint32_t at1 = at0 + pair[2];
    uint32_t at2 = at1 + pair[4];
    at3 = at2 + pair[6];
    if (at3 >= end) return false;
    acc += (uint32_t)(linear[at0] * (int8_t)pair[1]);
    acc += (uint32_t)(linear[at1] * (int8_t)pair[3]);
    acc += (uint32_t)(linear[at2] * (int8_t)pair[5]);
    acc += (uint32_t)(linear[at3] * (int8_t)pair[7]);
    pair += TURN_BYTES;
  } while (pair < last);
  *at = at3;
  *sum = acc;
  return true;
}

/** Own words: bytes of the row's pairs that are done, the address of the latest element, the sum. */
int32_t mote_kernel_dense(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  mote_layer w;
  if (!mote_layer_begin(&w, model, layer, progress)) return MOTE_KERNEL_TRAP;
  uint32_t done = own_word(&w, 0);
  uint32_t at = own_word(&w, 1);
  uint32_t sum = own_word(&w, 2);
  int32_t spent = 0;
  do {
    if (!mote_layer_begin_row(&w, MOTE_PAIR_BYTES)) return MOTE_KERNEL_TRAP;
    if (done == 0) {
      at = w.input;
      sum = 0;
    }
    uint32_t length = (uint32_t)(w.body_end - w.body);
    if (done >= length || (length | done) % TURN_BYTES != 0 || at >= model->linear_bytes) return MOTE_KERNEL_TRAP;
    uint32_t taken = length - done;
    if (taken > MOST_PAIR_BYTES) taken = MOST_PAIR_BYTES;
    if (!sum_pairs(model, w.body + done, w.body + done + taken, &at, &sum)) return MOTE_KERNEL_TRAP;
    spent += DENSE_ROW_WORK + (int32_t)(taken / MOTE_PAIR_BYTES) * NATIVE_PAIR_WORK;
    done += taken;
    if (done < length) continue;
    model->linear[w.output + w.row * w.output_plane] = (uint8_t)requantize(&w, (int32_t)sum);
    mote_layer_end_row(&w);
    done = 0;
    at = 0;
    sum = 0;
  } while (spent < budget && w.row < w.rows);
  mote_layer_end(&w, done, at, sum);
  return spent;
}

const mote_kernel mote_kernels[] = {
    {MOTE_TILES_KERNEL, mote_kernel_tiles},
    {MOTE_BLOCKS_KERNEL, mote_kernel_blocks},
    {MOTE_DENSE_KERNEL, mote_kernel_dense},
    {MOTE_QUADS_KERNEL, mote_kernel_quads},
    {MOTE_GAPS_KERNEL, mote_kernel_gaps},
    {MOTE_ROWS_KERNEL, mote_kernel_rows},
    {MOTE_VALUES_KERNEL, mote_kernel_values},
    {MOTE_BITS_KERNEL, mote_kernel_bits},
    {MOTE_DEPTH_KERNEL, mote_kernel_depth},
    {MOTE_POOL_KERNEL, mote_kernel_pool},
    {MOTE_SUMS_KERNEL, mote_kernel_sums},
    {MOTE_LINES_KERNEL, mote_kernel_lines},
    {NULL, NULL},
};

int32_t mote_kernel_run(mote_kernel_function run, uint32_t layer, uint32_t progress, uint32_t budget, unsigned shift) {
  uint32_t most = (uint32_t)(INT32_MAX / 2) >> shift;
  int32_t spent = run(mote_at_work(), layer, progress, (int32_t)((budget < most ? budget : most) << shift));
  return spent < 0 ? spent : (spent >> shift) + 1;
}
