/** The kernel of convolutions with any stride and any max-pool behind them: an output at a time, place by place. For the engine mote_data. */
#include "mote-layer.h"
#include "mote-native.h"

/** Native units of an output, of a place of its pool, and of a record there. */
enum { OUTPUT_WORK = 60, PLACE_WORK = 20, RECORD_WORK = 11 };

/** Records that are taken before the budget is looked at. */
#define PIECE_BYTES (256u * MOTE_RECORD_BYTES)

/** Where the row has come to. */
typedef struct place {
  /** The output, and the place under its pool. */
  uint32_t x;
  uint32_t y;
  uint32_t index;
  /** Bytes of the records that are done there, the sum so far, and the largest of the places before. */
  uint32_t done;
  uint32_t sum;
  int32_t best;
} place;

/** The entry's words beside those of any layer. */
typedef struct window {
  uint32_t step;
  uint32_t down;
  uint32_t across;
  uint32_t pool;
  uint32_t places;
  /** The largest offset that a record may have, wherever the place is. */
  uint32_t most_offset;
} window;

/** @returns whether each place is within linear memory */
static bool read_window(const mote_layer *w, const uint8_t *entry, window *of) {
  of->step = load_word(entry + MOTE_LAYER_PLACE_STEP);
  of->down = load_word(entry + MOTE_LAYER_DOWN);
  of->across = load_word(entry + MOTE_LAYER_ACROSS);
  of->pool = load_word(entry + MOTE_LAYER_POOL_WIDTH);
  of->places = load_word(entry + MOTE_LAYER_PLACES);
  if ((of->step | of->down | of->across | of->pool | of->places) >= MOTE_MAX_BYTES || of->pool == 0 || of->places == 0) return false;
  uint64_t last = w->input + (uint64_t)of->down * (w->height - 1) + (uint64_t)of->across * (w->width - 1);
  last += (uint64_t)w->input_pitch * ((of->places - 1) / of->pool);
  last += (uint64_t)of->step * ((of->places < of->pool ? of->places : of->pool) - 1);
  if (last >= w->model->linear_bytes) return false;
  of->most_offset = w->model->linear_bytes - 1 - (uint32_t)last;
  return true;
}

/** Adds up a piece of the records at a place. @returns whether all elements were within linear memory */
static bool sum_records(const uint8_t *record, const uint8_t *last, const uint8_t *elements, uint32_t most_offset, uint32_t *sum) {
  uint32_t acc = *sum;
  do {
    uint32_t bits = load_word(record);
    uint32_t offset = bits >> 8;
    if (offset > most_offset) return false;
    acc += (uint32_t)((int8_t)bits * elements[offset]);
    record += MOTE_RECORD_BYTES;
  } while (record < last);
  *sum = acc;
  return true;
}

/** Goes to the next output. @returns whether there is one in the row */
static bool next_output(const mote_layer *w, place *at) {
  if (++at->x < w->width) return true;
  at->x = 0;
  return ++at->y < w->height;
}

/** Own words: of a place, all of them. */
static void load_place(const mote_layer *w, place *at) {
  const uint8_t *own = w->progress + MOTE_PROGRESS_OWN;
  *at = (place){0, 0, 0, 0, 0, INT32_MIN};
  if (!w->is_begun) return;
  *at = (place){load_word(own), load_word(own + 4), load_word(own + 8), load_word(own + 12), load_word(own + 16), (int32_t)load_word(own + 20)};
}

static void store_place(const mote_layer *w, const place *at) {
  mote_layer_end(w, at->x, at->y, at->index);
  uint8_t *further = w->progress + MOTE_PROGRESS_BYTES;
  mote_put_u32(further, at->done);
  mote_put_u32(further + 4, at->sum);
  mote_put_u32(further + 8, (uint32_t)at->best);
}

/** Does a piece of an output, or all of it. @returns whether all was as it must be */
static bool step_place(mote_layer *w, const window *of, place *at, int32_t *spent) {
  const uint8_t *records = w->body + MOTE_CHUNK_HEAD_BYTES;
  uint32_t length = (uint32_t)(w->body_end - records);
  if (at->done >= length || (length | at->done) % MOTE_RECORD_BYTES != 0) return false;
  uint32_t taken = length - at->done < PIECE_BYTES ? length - at->done : PIECE_BYTES;
  const uint8_t *elements = w->model->linear + w->input + at->y * of->down + at->x * of->across;
  if (at->index != 0) elements += at->index / of->pool * w->input_pitch + at->index % of->pool * of->step;
  if (!sum_records(records + at->done, records + at->done + taken, elements, of->most_offset, &at->sum)) return false;
  *spent += PLACE_WORK + (int32_t)(taken / MOTE_RECORD_BYTES) * RECORD_WORK;
  at->done += taken;
  if (at->done < length) return true;
  if ((int32_t)at->sum > at->best) at->best = (int32_t)at->sum;
  at->done = at->sum = 0;
  if (++at->index < of->places) return true;
  uint32_t target = w->output + w->row * w->output_plane + at->y * w->output_pitch + at->x;
  w->model->linear[target] = (uint8_t)requantize(w, at->best);
  *spent += OUTPUT_WORK;
  at->index = 0;
  at->best = INT32_MIN;
  if (next_output(w, at)) return true;
  at->y = 0;
  mote_layer_end_row(w);
  return true;
}

int32_t mote_kernel_places(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  mote_layer w;
  window of;
  place at;
  if (!mote_layer_begin(&w, model, layer, progress) || progress > model->linear_bytes - MOTE_PROGRESS_BYTES - MOTE_FURTHER_BYTES) {
    return MOTE_KERNEL_TRAP;
  }
  if (!read_window(&w, model->linear + layer, &of)) return MOTE_KERNEL_TRAP;
  mote_layer_follow(&w);
  load_place(&w, &at);
  if (at.x >= w.width || at.y >= w.height || at.index >= of.places) return MOTE_KERNEL_TRAP;
  int32_t spent = 0;
  do {
    uint32_t row = w.row;
    if (!mote_layer_begin_row(&w, 1) || w.body_end - w.body < (ptrdiff_t)MOTE_CHUNK_HEAD_BYTES) return MOTE_KERNEL_TRAP;
    do {
      if (!step_place(&w, &of, &at, &spent)) return MOTE_KERNEL_TRAP;
    } while (spent < budget && w.row == row);
  } while (spent < budget && w.row < w.rows);
  store_place(&w, &at);
  return spent;
}
