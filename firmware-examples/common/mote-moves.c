/** Kernels of what goes line by line and only moves bytes: lut, resize, borders, states. For the engine mote_data. */
#include "mote-layer.h"
#include "mote-native.h"

/** Native units of a line, or a piece of one, and of a byte of it: copied, looked up, or repeated. */
enum { LINE_WORK = 30, COPY_WORK = 3, LUT_WORK = 6, RESIZE_WORK = 8 };

/** Bytes of a line, or of a border, that are taken before the budget is looked at. */
#define PIECE_BYTES 512u

/** A layer of lines at work. */
typedef struct lines {
  mote_layer w;
  /** The next output of the row. */
  uint32_t x;
  uint32_t y;
  uint32_t input_plane;
  /** Lines and elements of the output for one of the input. */
  uint32_t factor_y;
  uint32_t factor_x;
} lines;

/** @returns whether all elements, with those of the input, are within linear memory */
static bool begin_lines(lines *l, const mote *model, uint32_t layer, uint32_t progress, bool is_resize) {
  mote_layer *w = &l->w;
  if (!mote_layer_begin(w, model, layer, progress)) return false;
  mote_layer_follow(w);
  const uint8_t *entry = model->linear + layer;
  l->x = own_word(w, 0);
  l->y = own_word(w, 1);
  l->input_plane = load_word(entry + MOTE_LAYER_INPUT_PLANE);
  l->factor_y = is_resize ? load_word(entry + MOTE_LAYER_FACTOR_Y) : 1;
  l->factor_x = is_resize ? load_word(entry + MOTE_LAYER_FACTOR_X) : 1;
  if (l->x >= w->width || l->y >= w->height || l->factor_y == 0 || l->factor_x == 0 || l->input_plane >= MOTE_MAX_BYTES) return false;
  uint64_t last = (uint64_t)l->input_plane * (w->rows - 1) + (uint64_t)w->input_pitch * ((w->height - 1) / l->factor_y);
  return last + w->input + (w->width - 1) / l->factor_x < model->linear_bytes;
}

static const uint8_t *input_line(const lines *l) {
  const mote_layer *w = &l->w;
  return w->model->linear + w->input + w->row * l->input_plane + l->y / l->factor_y * w->input_pitch;
}

static uint8_t *output_line(const lines *l) {
  const mote_layer *w = &l->w;
  return w->model->linear + w->output + w->row * w->output_plane + l->y * w->output_pitch;
}

static uint32_t piece_of_line(const lines *l) {
  uint32_t left = l->w.width - l->x;
  return left < PIECE_BYTES ? left : PIECE_BYTES;
}

/** @returns whether there is more of the layer */
static bool pass(lines *l, uint32_t elements) {
  l->x += elements;
  if (l->x < l->w.width) return true;
  l->x = 0;
  if (++l->y < l->w.height) return true;
  l->y = 0;
  return ++l->w.row < l->w.rows;
}

int32_t mote_kernel_copy(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  lines l;
  if (!begin_lines(&l, model, layer, progress, false)) return MOTE_KERNEL_TRAP;
  int32_t spent = 0;
  uint32_t taken;
  do {
    taken = piece_of_line(&l);
    memmove(output_line(&l) + l.x, input_line(&l) + l.x, taken);
    spent += LINE_WORK + (int32_t)taken * COPY_WORK;
  } while (pass(&l, taken) && spent < budget);
  mote_layer_end(&l.w, l.x, l.y, 0);
  return spent;
}

int32_t mote_kernel_lut(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  lines l;
  if (!begin_lines(&l, model, layer, progress, false)) return MOTE_KERNEL_TRAP;
  uint32_t stream_bytes = model->source.container_bytes;
  if (l.w.position > stream_bytes || stream_bytes - l.w.position < MOTE_LUT_BYTES) return MOTE_KERNEL_TRAP;
  const uint8_t *table = model->source.container + l.w.position;
  int32_t spent = 0;
  uint32_t taken;
  do {
    taken = piece_of_line(&l);
    const uint8_t *source = input_line(&l) + l.x;
    uint8_t *target = output_line(&l) + l.x;
    for (uint32_t i = 0; i < taken; i++) target[i] = table[source[i]];
    spent += LINE_WORK + (int32_t)taken * LUT_WORK;
  } while (pass(&l, taken) && spent < budget);
  if (l.w.row == l.w.rows) l.w.position += MOTE_LUT_BYTES;
  mote_layer_end(&l.w, l.x, l.y, 0);
  return spent;
}

/** Each element becomes a block of equal ones. */
int32_t mote_kernel_resize(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  lines l;
  if (!begin_lines(&l, model, layer, progress, true)) return MOTE_KERNEL_TRAP;
  int32_t spent = 0;
  uint32_t taken;
  do {
    taken = piece_of_line(&l);
    const uint8_t *source = input_line(&l) + l.x / l.factor_x;
    uint8_t *target = output_line(&l) + l.x;
    uint32_t left = l.factor_x - l.x % l.factor_x;
    for (uint32_t i = 0; i < taken; i++) {
      target[i] = *source;
      if (--left > 0) continue;
      left = l.factor_x;
      source++;
    }
    spent += LINE_WORK + (int32_t)taken * RESIZE_WORK;
  } while (pass(&l, taken) && spent < budget);
  mote_layer_end(&l.w, l.x, l.y, 0);
  return spent;
}

/**
 * Fills the border of each channel, which is one stretch more than there are lines: above and left of the first; from behind each to before the
 * next; then below. Own words: bytes of the channel that are passed, lines included, and stretches.
 */
int32_t mote_kernel_border(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  mote_layer w;
  if (!mote_layer_read(&w, model, layer, progress)) return MOTE_KERNEL_TRAP;
  mote_layer_follow(&w);
  uint64_t margin = (uint64_t)load_word(model->linear + layer + MOTE_LAYER_BORDER) * (w.output_pitch + 1);
  /* Nothing before the window, where the table is. */
  if (w.output < progress + MOTE_PROGRESS_BYTES || margin > w.output - progress - MOTE_PROGRESS_BYTES) return MOTE_KERNEL_TRAP;
  uint32_t begin = w.output - (uint32_t)margin;
  if (begin + (uint64_t)w.output_plane * w.rows > model->linear_bytes) return MOTE_KERNEL_TRAP;
  uint32_t at = own_word(&w, 0);
  uint32_t stretch = own_word(&w, 1);
  if (at > w.output_plane || stretch > w.height) return MOTE_KERNEL_TRAP;
  int32_t spent = 0;
  do {
    uint64_t stop = stretch < w.height ? margin + (uint64_t)w.output_pitch * stretch : w.output_plane;
    if (stop < at || stop > w.output_plane) return MOTE_KERNEL_TRAP;
    uint32_t taken = (uint32_t)stop - at < PIECE_BYTES ? (uint32_t)stop - at : PIECE_BYTES;
    memset(model->linear + begin + w.row * w.output_plane + at, w.clamp_min, taken);
    spent += LINE_WORK + (int32_t)taken;
    at += taken;
    if (at < stop) continue;
    at += w.width;
    if (stretch++ < w.height) continue;
    at = stretch = 0;
    w.row++;
  } while (spent < budget && w.row < w.rows);
  mote_layer_end(&w, at, stretch, 0);
  return spent;
}
