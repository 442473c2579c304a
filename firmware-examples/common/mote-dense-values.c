/** Dense layers by the values that the weights of a row share: their elements are added up, and the sum is multiplied once. */
#include "mote-layer.h"

/** Native units of a row, of a group and of a gap. */
enum { ROW_WORK = 60, GROUP_WORK = 25, GAP_WORK = 5 };

/** Bytes of groups that are taken before the budget is looked at. */
#define PIECE_BYTES 512u

/** @param at address of the first element @returns whether all elements were within linear memory */
static INLINE bool sum_elements(const mote *model, uint32_t at, const uint8_t *gap, const uint8_t *last, uint32_t *sum) {
  const uint8_t *linear = model->linear;
  uint32_t end = model->linear_bytes;
  if (at >= end) return false;
  uint32_t acc = linear[at];
  for (; last - gap >= 4; gap += 4) {
    uint32_t at0 = at + gap[0];
    uint32_t at1 = at0 + gap[1];
    uint32_t at2 = at1 + gap[2];
    at = at2 + gap[3];
    if (at >= end) return false;
    acc += linear[at0];
    acc += linear[at1];
    acc += linear[at2];
    acc += linear[at];
  }
  while (gap < last) {
    at += *gap++;
    if (at >= end) return false;
    acc += linear[at];
  }
  *sum = acc;
  return true;
}

/** Own words: bytes of the row's groups that are done, the sum. */
int32_t mote_kernel_values(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  mote_layer w;
  if (!mote_layer_begin(&w, model, layer, progress)) return MOTE_KERNEL_TRAP;
  uint32_t bits = load_word(model->linear + layer + MOTE_LAYER_GROUP_BITS);
  if (bits > 16) return MOTE_KERNEL_TRAP;
  uint32_t mask = (1u << bits) - 1;
  uint32_t done = own_word(&w, 0);
  uint32_t sum = own_word(&w, 1);
  int32_t spent = 0;
  do {
    if (!mote_layer_begin_row(&w, 1)) return MOTE_KERNEL_TRAP;
    uint32_t length = (uint32_t)(w.body_end - w.body);
    if (done >= length) return MOTE_KERNEL_TRAP;
    if (done == 0) sum = 0;
    uint32_t stop = length - done > PIECE_BYTES ? done + PIECE_BYTES : length;
    do {
      if (length - done < MOTE_GROUP_HEAD_BYTES) return MOTE_KERNEL_TRAP;
      const uint8_t *group = w.body + done;
      uint32_t head = load_half(group + 1);
      uint32_t gaps = head & mask;
      done += MOTE_GROUP_HEAD_BYTES;
      if (gaps > MOTE_GROUP_GAPS || gaps > length - done) return MOTE_KERNEL_TRAP;
      const uint8_t *gap = group + MOTE_GROUP_HEAD_BYTES;
      uint32_t elements;
      if (!sum_elements(model, w.input + (head >> bits), gap, gap + gaps, &elements)) return MOTE_KERNEL_TRAP;
      sum += (uint32_t)((int32_t)elements * (int8_t)group[0]);
      spent += GROUP_WORK + (int32_t)gaps * GAP_WORK;
      done += gaps;
    } while (done < stop);
    if (done < length) continue;
    model->linear[w.output + w.row * w.output_plane] = (uint8_t)requantize(&w, (int32_t)sum);
    mote_layer_end_row(&w);
    spent += ROW_WORK;
    done = 0;
    sum = 0;
  } while (spent < budget && w.row < w.rows);
  mote_layer_end(&w, done, sum, 0);
  return spent;
}
