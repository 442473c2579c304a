/** The kernel of add and mul: sums of two tensors' elements times their factors, and for mul of their product. */
#include "mote-layer.h"

/** Native units of a row, of a line, or a piece of one, and of an element. */
enum { ROW_WORK = 50, LINE_WORK = 60, SUM_WORK = 24 };

/** Elements of a line that are taken before the budget is looked at. */
#define PIECE_ELEMENTS 256u

/** An input: its first element, bytes from a line and from a channel to the next, and what its elements are multiplied by. */
typedef struct operand {
  uint32_t at;
  uint32_t pitch;
  uint32_t plane;
  /** From an element to the next: 0 where a channel has one element for all. */
  uint32_t step;
  uint32_t factor;
} operand;

/** @returns whether all elements are within linear memory */
static bool is_inside(const mote_layer *w, const operand *of) {
  if ((of->at | of->pitch | of->plane) >= MOTE_MAX_BYTES) return false;
  uint64_t last = of->at + (uint64_t)of->plane * (w->rows - 1) + (uint64_t)of->pitch * (w->height - 1);
  return last + (uint64_t)of->step * (w->width - 1) < w->model->linear_bytes;
}

/** Of the row at hand. */
static const uint8_t *elements_at(const mote_layer *w, const operand *of, uint32_t x, uint32_t y) {
  return w->model->linear + of->at + w->row * of->plane + y * of->pitch + x * of->step;
}

/** Computes so many outputs from a place of the row's plane on. */
static void sum_line(const mote_layer *w, const operand *one, const operand *other, bool is_mul, uint32_t x, uint32_t y, uint32_t count) {
  const uint8_t *a = elements_at(w, one, x, y);
  const uint8_t *b = elements_at(w, other, x, y);
  uint8_t *target = w->model->linear + w->output + w->row * w->output_plane + y * w->output_pitch + x;
  const uint8_t *end = target + count;
  do {
    uint32_t sum = *a * one->factor + *b * other->factor;
    if (is_mul) sum += (uint32_t)*a * *b;
    *target = (uint8_t)requantize(w, (int32_t)sum);
    a += one->step;
    b += other->step;
  } while (++target < end);
}

/** Own words: the next output. */
int32_t mote_kernel_sums(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  mote_layer w;
  if (!mote_layer_begin(&w, model, layer, progress)) return MOTE_KERNEL_TRAP;
  const uint8_t *entry = model->linear + layer;
  bool is_mul = load_word(entry + MOTE_LAYER_KIND) == MOTE_KIND_MUL;
  uint32_t other_pitch = load_word(entry + MOTE_LAYER_OTHER_PITCH);
  operand one = {w.input, w.input_pitch, load_word(entry + MOTE_LAYER_INPUT_PLANE), 1, 0};
  operand other = {load_word(entry + MOTE_LAYER_OTHER), other_pitch, load_word(entry + MOTE_LAYER_OTHER_PLANE), other_pitch != 0, 0};
  uint32_t x = own_word(&w, 0);
  uint32_t y = own_word(&w, 1);
  if (!is_inside(&w, &one) || !is_inside(&w, &other) || x >= w.width || y >= w.height) return MOTE_KERNEL_TRAP;
  int32_t spent = 0;
  do {
    if (!mote_layer_begin_row(&w, 1) || w.body_end - w.body != (ptrdiff_t)MOTE_FACTOR_BYTES) return MOTE_KERNEL_TRAP;
    one.factor = load_word(w.body);
    other.factor = load_word(w.body + 4);
    spent += ROW_WORK;
    do {
      uint32_t taken = w.width - x < PIECE_ELEMENTS ? w.width - x : PIECE_ELEMENTS;
      sum_line(&w, &one, &other, is_mul, x, y, taken);
      spent += LINE_WORK + (int32_t)taken * SUM_WORK;
      x += taken;
      if (x < w.width) continue;
      x = 0;
      y++;
    } while (spent < budget && y < w.height);
    if (y < w.height) break;
    y = 0;
    mote_layer_end_row(&w);
  } while (spent < budget && w.row < w.rows);
  mote_layer_end(&w, x, y, 0);
  return spent;
}
