/** The kernel of pools that are layers of their own: an output at a time. For the engine mote_data. */
#include "mote-layer.h"
#include "mote-native.h"

/** Native units of an output, of a line of its window, and of an element. */
enum { OUTPUT_WORK = 50, LINE_WORK = 20, ELEMENT_WORK = 6 };

/** Elements of a line that are taken before the budget is looked at. */
#define PIECE_ELEMENTS 512u

/** Where the row has come to. */
typedef struct output {
  uint32_t x;
  uint32_t y;
  /** Of the window: lines that are done, and elements of the next; their sum so far, or the largest. */
  uint32_t line;
  uint32_t column;
  uint32_t result;
} output;

/** The entry's words beside those of any layer. */
typedef struct window {
  uint32_t plane;
  uint32_t down;
  uint32_t across;
  uint32_t width;
  uint32_t height;
  bool is_average;
} window;

/** @returns whether all elements are within linear memory */
static bool read_window(const mote_layer *w, const uint8_t *entry, window *of) {
  of->plane = load_word(entry + MOTE_LAYER_INPUT_PLANE);
  of->down = load_word(entry + MOTE_LAYER_DOWN);
  of->across = load_word(entry + MOTE_LAYER_ACROSS);
  uint32_t sizes = load_word(entry + MOTE_LAYER_POOL_WIDTH);
  of->width = sizes & 0xffff;
  of->height = sizes >> 16;
  of->is_average = load_word(entry + MOTE_LAYER_KIND) == MOTE_KIND_AVGPOOL;
  if ((of->plane | of->down | of->across) >= MOTE_MAX_BYTES || of->width == 0 || of->height == 0) return false;
  uint64_t last = w->input + (uint64_t)of->plane * (w->rows - 1) + (uint64_t)of->down * (w->height - 1);
  last += (uint64_t)of->across * (w->width - 1) + (uint64_t)w->input_pitch * (of->height - 1);
  return last + of->width <= w->model->linear_bytes;
}

static uint32_t sum_of(const uint8_t *elements, const uint8_t *end, uint32_t sum) {
  while (elements < end) sum += *elements++;
  return sum;
}

static uint32_t largest_of(const uint8_t *elements, const uint8_t *end, uint32_t largest) {
  for (; elements < end; elements++) {
    if (*elements > largest) largest = *elements;
  }
  return largest;
}

/** The output byte for a sum. Where it stands for nothing or less, a half is rounded down: away from zero, as in TFLite. */
static uint32_t average(const mote_layer *w, uint32_t sum) {
  uint64_t scaled = (uint64_t)((int64_t)(int32_t)sum * (int32_t)w->multiplier) + (uint64_t)w->constant;
  int32_t rounded = (int32_t)((int64_t)scaled >> (w->upper_shift + 32));
  return output_byte(w, rounded <= (int32_t)MOTE_ELEMENT_BIAS ? scaled - 1 : scaled);
}

/** Does a piece of a window's line, or all of it. */
static void step_window(mote_layer *w, const window *of, output *at, int32_t *spent) {
  uint32_t taken = of->width - at->column < PIECE_ELEMENTS ? of->width - at->column : PIECE_ELEMENTS;
  const uint8_t *elements = w->model->linear + w->input + w->row * of->plane + at->y * of->down + at->x * of->across;
  elements += at->line * w->input_pitch + at->column;
  at->result = of->is_average ? sum_of(elements, elements + taken, at->result) : largest_of(elements, elements + taken, at->result);
  *spent += LINE_WORK + (int32_t)taken * ELEMENT_WORK;
  at->column += taken;
  if (at->column < of->width) return;
  at->column = 0;
  if (++at->line < of->height) return;
  uint32_t target = w->output + w->row * w->output_plane + at->y * w->output_pitch + at->x;
  w->model->linear[target] = (uint8_t)(of->is_average ? average(w, at->result) : requantize(w, (int32_t)at->result));
  *spent += OUTPUT_WORK;
  at->line = at->result = 0;
  if (++at->x < w->width) return;
  at->x = 0;
  if (++at->y < w->height) return;
  at->y = 0;
  mote_layer_end_row(w);
}

/** Own words: of an output, all of them. */
int32_t mote_kernel_pool(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  mote_layer w;
  window of;
  if (!mote_layer_begin(&w, model, layer, progress) || progress > model->linear_bytes - MOTE_PROGRESS_BYTES - MOTE_FURTHER_BYTES) {
    return MOTE_KERNEL_TRAP;
  }
  if (!read_window(&w, model->linear + layer, &of)) return MOTE_KERNEL_TRAP;
  mote_layer_follow(&w);
  output at = {own_word(&w, 0), own_word(&w, 1), own_word(&w, 2), own_word(&w, 3), own_word(&w, 4)};
  if (at.x >= w.width || at.y >= w.height || at.line >= of.height || at.column >= of.width) return MOTE_KERNEL_TRAP;
  int32_t spent = 0;
  do {
    uint32_t row = w.row;
    if (!mote_layer_begin_row(&w, 1)) return MOTE_KERNEL_TRAP;
    do step_window(&w, &of, &at, &spent);
    while (spent < budget && w.row == row);
  } while (spent < budget && w.row < w.rows);
  mote_layer_end(&w, at.x, at.y, at.line);
  mote_put_u32(w.progress + MOTE_PROGRESS_BYTES, at.column);
  mote_put_u32(w.progress + MOTE_PROGRESS_BYTES + 4, at.result);
  return spent;
}
