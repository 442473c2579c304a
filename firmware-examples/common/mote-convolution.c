/** Convolutions by strips, for the kernels of tiles and of blocks. */
#include "mote-strip.h"

/** Native units of a strip beside its records, and of a record in it. */
enum { STRIP_WORK = 100, RECORD_WORK = 24 };

/** The strips of a row. */
typedef struct strips {
  uint32_t pool;
  /** In places, which are outputs times the pool's size across and down. */
  uint32_t width;
  uint32_t height;
  /** The first place of the next one, and what its line begins with. */
  uint32_t x;
  uint32_t y;
  const uint8_t *elements;
  uint8_t *target;
  /** Bytes of the output from a strip to the one below. */
  uint32_t line_step;
  /** How many may still be taken. */
  uint32_t count;
  /** The largest offset that a record may have, wherever the strip is. */
  uint32_t most_offset;
  /** Of one strip. */
  int32_t work;
} strips;

/** Goes through the row's chunks. @returns whether each has its records, and each record's elements are within linear memory */
static bool check_chunks(const mote_layer *w, strips *s) {
  const uint8_t *at = w->body;
  s->work = STRIP_WORK;
  do {
    uint32_t left = (uint32_t)(w->body_end - at);
    if (left < MOTE_CHUNK_HEAD_BYTES) return false;
    chunk c = chunk_at(at);
    uint32_t bytes = (uint32_t)(c.end - c.records);
    if (bytes == 0 || bytes > left - MOTE_CHUNK_HEAD_BYTES) return false;
    s->work += (int32_t)(bytes / MOTE_RECORD_BYTES) * RECORD_WORK;
    for (at = c.records; at < c.end; at += MOTE_RECORD_BYTES) {
      if (load_word(at) >> 8 > s->most_offset) return false;
    }
  } while (at < w->body_end);
  return true;
}

/** Goes to the next strip. @returns whether there is one */
static INLINE bool next_strip(const mote_layer *w, strips *s) {
  s->x += STRIP_WIDTH;
  if (s->x < s->width) return true;
  s->x = 0;
  s->y += 2;
  s->elements += 2 * w->input_pitch;
  s->target += s->line_step;
  return s->y < s->height;
}

/** Where a strip would pass the edge it moves back, over outputs that are computed again. @returns its first place in the line */
static INLINE uint32_t first_place(const strips *s) { return s->x + STRIP_WIDTH > s->width ? s->width - STRIP_WIDTH : s->x; }

static NOINLINE void run_tiles(const mote_layer *w, strips *s) {
  const chunk c = chunk_at(w->body);
  do {
    uint32_t left = first_place(s);
    /* Out of the way of the sums, which take all registers that there are. */
    const mote_layer *volatile kept_work = w;
    strips *volatile kept_strips = s;
    uint32_t sums[STRIP_WIDTH / 2];
    pool_strip(&c, s->elements + left, w->input_pitch, sums);
    w = kept_work;
    s = kept_strips;
    uint8_t *target = s->target + left / 2;
    uint32_t byte0 = requantize_biased(w, sums[0]);
    uint32_t byte1 = requantize_biased(w, sums[1]);
    uint32_t byte2 = requantize_biased(w, sums[2]);
    uint32_t byte3 = requantize_biased(w, sums[3]);
    target[0] = (uint8_t)byte0;
    target[1] = (uint8_t)byte1;
    target[2] = (uint8_t)byte2;
    target[3] = (uint8_t)byte3;
    s->count--;
  } while (next_strip(w, s) && s->count > 0);
}

/** The outputs of any strip. */
static void finish_strip(const mote_layer *w, uint32_t pool, const uint8_t *elements, uint8_t *target) {
  uint32_t sums[STRIP_PLACES] = {0};
  chunk c;
  c.end = w->body;
  do {
    c = chunk_at(c.end);
    add_strip(&c, elements, w->input_pitch, sums);
  } while (c.end < w->body_end);
  if (pool == 2) {
    for (const uint32_t *s = sums; s < sums + STRIP_WIDTH; s += 2) {
      uint32_t upper = most_of(s[0], s[1]);
      uint32_t lower = most_of(s[STRIP_WIDTH], s[STRIP_WIDTH + 1]);
      *target++ = (uint8_t)requantize_biased(w, most_of(upper, lower));
    }
    return;
  }
  for (unsigned i = 0; i < STRIP_WIDTH; i++) {
    target[i] = (uint8_t)requantize_biased(w, sums[i]);
    target[w->output_pitch + i] = (uint8_t)requantize_biased(w, sums[STRIP_WIDTH + i]);
  }
}

static NOINLINE void run_blocks(const mote_layer *w, strips *s) {
  do {
    uint32_t left = first_place(s);
    /* So does the last line where their number is odd, which it is without a pool alone. */
    uint32_t up = s->y + 2 > s->height;
    const uint8_t *elements = s->elements + left - up * w->input_pitch;
    uint8_t *target = s->target + left / s->pool - up * w->output_pitch;
    finish_strip(w, s->pool, elements, target);
    s->count--;
  } while (next_strip(w, s) && s->count > 0);
}

/** Measures the layer's strips. @returns whether there are any, and there is a place for the elements of each */
static bool begin_strips(const mote_layer *w, strips *s) {
  if (s->pool - 1 > 1) return false;
  s->width = w->width * s->pool;
  s->height = w->height * s->pool;
  if (s->width < STRIP_WIDTH || s->height < 2 || s->x >= s->width || s->y >= s->height || s->y % 2 != 0) return false;
  uint64_t end = w->input + (uint64_t)w->input_pitch * (s->height - 1) + s->width;
  if (end > w->model->linear_bytes) return false;
  s->most_offset = w->model->linear_bytes - (uint32_t)end;
  s->line_step = 2 / s->pool * w->output_pitch;
  return true;
}

/** Own words: the place of the next strip. */
static int32_t convolve(const mote *model, uint32_t layer, uint32_t progress, int32_t budget, bool is_tiles) {
  mote_layer w;
  strips s = {0};
  if (!mote_layer_begin(&w, model, layer, progress)) return MOTE_KERNEL_TRAP;
  s.pool = is_tiles ? 2 : load_word(model->linear + layer + MOTE_LAYER_POOL_WIDTH);
  s.x = own_word(&w, 0);
  s.y = own_word(&w, 1);
  if (!begin_strips(&w, &s)) return MOTE_KERNEL_TRAP;
  int32_t spent = 0;
  do {
    if (!mote_layer_begin_row(&w, 1) || !check_chunks(&w, &s)) return MOTE_KERNEL_TRAP;
    s.elements = model->linear + w.input + s.y * w.input_pitch;
    s.target = model->linear + w.output + w.row * w.output_plane + s.y / s.pool * w.output_pitch;
    uint32_t most = (uint32_t)(budget - spent) / (uint32_t)s.work + 1;
    s.count = most;
    if (is_tiles) {
      run_tiles(&w, &s);
    } else {
      run_blocks(&w, &s);
    }
    spent += (int32_t)(most - s.count) * s.work;
    if (s.y < s.height) break;
    s.y = 0;
    mote_layer_end_row(&w);
  } while (spent < budget && w.row < w.rows);
  mote_layer_end(&w, s.x, s.y, 0);
  return spent;
}

int32_t mote_kernel_tiles(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  return convolve(model, layer, progress, budget, true);
}

int32_t mote_kernel_blocks(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  return convolve(model, layer, progress, budget, false);
}
