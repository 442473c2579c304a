/** The kernel of pools that are layers of their own: an output at a time. */
#include "mote-layer.h"

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

/** @returns whether all elements are within linear memory, and outputs within what the progress has room for */
static bool read_window(const mote_layer *w, const uint8_t *entry, window *of) {
  of->plane = load_word(entry + MOTE_LAYER_INPUT_PLANE);
  of->down = load_word(entry + MOTE_LAYER_DOWN);
  of->across = load_word(entry + MOTE_LAYER_ACROSS);
  of->width = load_half(entry + MOTE_LAYER_POOL_WIDTH);
  of->height = load_half(entry + MOTE_LAYER_POOL_HEIGHT);
  of->is_average = load_word(entry + MOTE_LAYER_KIND) == MOTE_KIND_AVGPOOL;
  if ((of->plane | of->down | of->across) >= MOTE_MAX_BYTES || of->width == 0 || of->height == 0) return false;
  if (w->width > MOTE_MAX_DIMENSION || w->height > MOTE_MAX_DIMENSION) return false;
  uint64_t last = w->input + (uint64_t)of->plane * (w->rows - 1) + (uint64_t)of->down * (w->height - 1);
  last += (uint64_t)of->across * (w->width - 1) + (uint64_t)w->input_pitch * (of->height - 1);
  return last + of->width <= w->model->linear_bytes;
}

static INLINE uint32_t sum_of(const uint8_t *elements, const uint8_t *end, uint32_t sum) {
  while (elements < end) sum += *elements++;
  return sum;
}

static INLINE uint32_t largest_of(const uint8_t *elements, const uint8_t *end, uint32_t largest) {
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

/** Takes the window's result to the output, and goes to the next one. */
static void end_window(mote_layer *w, const window *of, output *at) {
  uint32_t target = w->output + w->row * w->output_plane + at->y * w->output_pitch + at->x;
  w->model->linear[target] = (uint8_t)(of->is_average ? average(w, at->result) : requantize(w, (int32_t)at->result));
  at->line = at->result = 0;
  if (++at->x < w->width) return;
  at->x = 0;
  if (++at->y < w->height) return;
  at->y = 0;
  mote_layer_end_row(w);
}

/** Takes lines of a window, a piece of one at least, and what is complete to its output. @returns the work it was */
static int32_t step_window(mote_layer *w, const window *of, output *at, int32_t budget) {
  const uint8_t *line = w->model->linear + w->input + w->row * of->plane + at->y * of->down + at->x * of->across + at->line * w->input_pitch;
  int32_t work = 0;
  do {
    uint32_t taken = of->width - at->column < PIECE_ELEMENTS ? of->width - at->column : PIECE_ELEMENTS;
    const uint8_t *elements = line + at->column;
    at->result = of->is_average ? sum_of(elements, elements + taken, at->result) : largest_of(elements, elements + taken, at->result);
    work += LINE_WORK + (int32_t)taken * ELEMENT_WORK;
    at->column += taken;
    if (at->column < of->width) continue;
    at->column = 0;
    line += w->input_pitch;
    if (++at->line < of->height) continue;
    end_window(w, of, at);
    return work + OUTPUT_WORK;
  } while (work < budget);
  return work;
}

/** Own words: the output, the place of its window, and the window's result. */
int32_t mote_kernel_pool(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  mote_layer w;
  window of;
  if (!mote_layer_begin(&w, model, layer, progress) || !read_window(&w, model->linear + layer, &of)) return MOTE_KERNEL_TRAP;
  uint32_t place = own_word(&w, 0);
  uint32_t within = own_word(&w, 1);
  output at = {place & 0xffff, place >> 16, within & 0xffff, within >> 16, own_word(&w, 2)};
  if (at.x >= w.width || at.y >= w.height || at.line >= of.height || at.column >= of.width) return MOTE_KERNEL_TRAP;
  int32_t spent = 0;
  do {
    uint32_t row = w.row;
    if (!mote_layer_begin_row(&w, 1)) return MOTE_KERNEL_TRAP;
    do {
      spent += step_window(&w, &of, &at, budget - spent);
    } while (spent < budget && w.row == row);
  } while (spent < budget && w.row < w.rows);
  mote_layer_end(&w, at.y << 16 | at.x, at.column << 16 | at.line, at.result);
  return spent;
}
