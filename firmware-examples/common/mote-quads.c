/** Convolutions by lots of places, for the kernels of pairs of filters and of weights behind gaps. */
#include "mote-outputs.h"

/** Native units: of laying out four places and an input of theirs; of rows, whose heads are read for each lot, and a weight; of eight sums. */
enum { LAY_WORK = 120, LAY_INPUT_WORK = 14, ROWS_WORK = 130, WEIGHT_CHECK_WORK = 3, SUMS_WORK = 250 };

/** A layer's places, and the lot at hand. */
typedef struct lots {
  mote_layer w;
  laid_element *laid;
  /** Of a filter, with those that fill it up for pairs of filters; and what is laid out of a place. */
  uint32_t inputs;
  /** Whether a row is one filter, by its weights that are left. */
  bool is_by_gaps;
  /** The loops of what a filter looks at. */
  uint32_t count[3];
  uint32_t step[3];
  /** Bytes of the input from a place to the next of its line, and to the one below. */
  uint32_t across;
  uint32_t down;
  uint32_t places;
  lines lines;
  /** Where the stream has the layer's rows. */
  uint32_t begin;
  /** Of the lot: its first place, how many it has, with those that fill up a quad, and which of them are laid out. */
  uint32_t first;
  uint32_t count_of_lot;
  uint32_t most;
  uint32_t laid_out;
  /** Of the lot, where the rows at hand go on. */
  uint32_t at;
  int32_t budget;
  int32_t spent;
} lots;

/** Places the lot's elements behind the window. @returns whether there is all that the layer says that it has */
static bool begin_scratch(lots *l, const uint8_t *entry, uint32_t filled) {
  const mote *model = l->w.model;
  uint64_t at = (uint64_t)load_word(model->linear + MOTE_CONTROL_WINDOW_PTR) + load_word(model->linear + MOTE_CONTROL_WINDOW_BYTES);
  uint32_t bytes = entry[MOTE_LAYER_QUAD_LOT] * (MOTE_QUAD_HEAD_BYTES + MOTE_QUAD_INPUT_BYTES * filled);
  if (bytes == 0 || at + bytes > model->linear_bytes) return false;
  l->laid = (laid_element *)(void *)(model->linear + at);
  l->most = bytes / (uint32_t)sizeof(laid_element) / l->inputs / QUAD * QUAD;
  if (l->is_by_gaps && l->most > EIGHT) l->most = l->most / EIGHT * EIGHT;
  return (uintptr_t)l->laid % sizeof(uint32_t) == 0;
}

/** Goes to the lot with place `first`. */
static void begin_lot(lots *l, uint32_t first) {
  uint32_t left = l->places - first;
  l->first = first;
  l->count_of_lot = left < l->most ? left : l->most;
  l->laid_out = 0;
  l->at = 0;
}

/** Own words: the lot's first place, how many are laid out, the place of the lot where the rows go on. @returns whether all that is looked at is there */
static bool begin_lots(lots *l, const mote *model, uint32_t layer, uint32_t progress) {
  if (!mote_layer_begin(&l->w, model, layer, progress)) return false;
  const mote_layer *w = &l->w;
  const uint8_t *entry = model->linear + layer;
  l->begin = load_word(entry + MOTE_LAYER_STREAM);
  l->down = load_word(entry + MOTE_LAYER_DOWN);
  l->across = entry[MOTE_LAYER_QUAD_ACROSS];
  l->step[0] = load_word(entry + MOTE_LAYER_QUAD_STEP_0);
  l->step[1] = load_word(entry + MOTE_LAYER_QUAD_STEP_1);
  l->step[2] = load_word(entry + MOTE_LAYER_QUAD_STEP_2);
  l->count[0] = load_half(entry + MOTE_LAYER_QUAD_COUNT_0);
  l->count[1] = load_half(entry + MOTE_LAYER_QUAD_COUNT_1);
  l->count[2] = load_half(entry + MOTE_LAYER_QUAD_COUNT_2);
  uint64_t end = w->input + (uint64_t)l->down * (w->height - 1) + (uint64_t)l->across * (w->width - 1);
  uint64_t inputs = 1;
  for (unsigned i = 0; i < 3; i++) {
    inputs *= l->count[i];
    end += (uint64_t)l->step[i] * (l->count[i] - 1);
  }
  if (inputs - 1 >= MOTE_QUAD_INPUTS || end >= model->linear_bytes) return false;
  uint32_t filled = ((uint32_t)inputs + MOTE_QUAD_TURN - 1) / MOTE_QUAD_TURN * MOTE_QUAD_TURN;
  l->inputs = l->is_by_gaps ? (uint32_t)inputs : filled;
  if ((uint64_t)w->height * w->width >= MOTE_MAX_BYTES || !begin_scratch(l, entry, filled)) return false;
  l->places = w->height * w->width;
  bool is_one_line = w->output_pitch == w->width;
  l->lines.line = is_one_line ? l->places : w->width;
  l->lines.gap = is_one_line ? 0 : w->output_pitch - w->width;
  l->lines.is_full_range = w->clamp_min == 0 && w->clamp_span == 255;
  uint32_t first = own_word(w, 0);
  if (first >= l->places) return false;
  begin_lot(l, first);
  l->laid_out = own_word(w, 1);
  l->at = own_word(w, 2);
  return l->laid_out <= l->count_of_lot && l->at < l->count_of_lot && (l->laid_out % QUAD == 0 || l->laid_out == l->count_of_lot) &&
         l->at % (l->is_by_gaps ? EIGHT : QUAD) == 0;
}

/** Places of the lot from `at` on, a multiple of EIGHT, that stand together where rows are filters: EIGHT, or QUAD where no more are left. */
static INLINE uint32_t together_at(const lots *l, uint32_t at) {
  return l->is_by_gaps && l->count_of_lot - at > QUAD ? EIGHT : QUAD;
}

/** Lays out the next four places; the last one again for what lacks. */
static NOINLINE void lay_places(lots *l) {
  const mote_layer *w = &l->w;
  const uint8_t *at[QUAD];
  uint32_t place = l->first + l->laid_out;
  uint32_t y = place / w->width;
  uint32_t x = place - y * w->width;
  for (unsigned i = 0; i < QUAD; i++) {
    at[i] = w->model->linear + w->input + y * l->down + x * l->across;
    if (++place == l->places) {
      place--;
    } else if (++x == w->width) {
      x = 0;
      y++;
    }
  }
  uint32_t group = l->is_by_gaps ? l->laid_out / EIGHT * EIGHT : l->laid_out;
  uint32_t together = together_at(l, group);
  laid_element *target = l->laid + group * l->inputs + (l->laid_out - group);
  uint32_t outer = 0;
  for (uint32_t c = l->count[2]; c > 0; c--, outer += l->step[2]) {
    uint32_t middle = outer;
    for (uint32_t b = l->count[1]; b > 0; b--, middle += l->step[1]) {
      const laid_element *end = target + together * l->count[0];
      uint32_t offset = middle;
      do {
        lay_quad(target, at, offset);
        offset += l->step[0];
        target += together;
      } while (target < end);
    }
  }
  if (!l->is_by_gaps) memset(target, 0, (size_t)(l->laid + (group + QUAD) * l->inputs - target) * sizeof *target);
  uint32_t laid_out = l->laid_out + QUAD;
  l->laid_out = laid_out < l->count_of_lot ? laid_out : l->count_of_lot;
  l->spent += LAY_WORK + LAY_INPUT_WORK * (int32_t)l->inputs;
}

static outputs outputs_at(const lots *l, uint32_t at) {
  uint32_t place = l->first + at;
  uint32_t y = place / l->lines.line;
  uint32_t x = place - y * l->lines.line;
  return (outputs){y * l->w.output_pitch + x, l->lines.line - x, l->count_of_lot - at};
}

static INLINE void begin_rows(rows *r, const lots *l, uint32_t plane) {
  const mote_layer *w = &l->w;
  r->target = w->model->linear + w->output + w->row * w->output_plane;
  r->plane = plane;
  r->clamp_min = w->clamp_min;
  r->clamp_span = w->clamp_span;
}

/** How many groups the rows at hand go through: all that are left, or as many as the budget takes. @param work of one */
static INLINE uint32_t groups_now(uint32_t left, int32_t rest, int32_t work) {
  if ((int32_t)left * work <= rest) return left;
  uint32_t most = rest > 0 ? (uint32_t)rest / (uint32_t)work + 1 : 1;
  return most < left ? most : left;
}

/** Two rows at some groups of places. */
static NOINLINE void run_pair(const lots *l, const rows *r, const uint8_t *weights, const outputs *from, uint32_t groups) {
  outputs o = *from;
  const laid_element *laid = l->laid + (l->count_of_lot - o.in_lot) * l->inputs;
  do {
    uint32_t sums[2 * QUAD];
    sum_quads(laid, weights, l->inputs, sums);
    put_quad(&l->lines, r, sums, &o);
    laid += QUAD * l->inputs;
  } while (--groups > 0);
}

/** Goes on with pairs of rows. @returns whether all of them are in the stream */
static NOINLINE bool run_pairs(lots *l) {
  mote_layer *w = &l->w;
  const mote_source *source = &w->model->source;
  uint32_t bytes = 2 * (MOTE_ROW_BYTES + l->inputs);
  uint32_t position = w->position;
  if (position > source->container_bytes || (uint64_t)bytes * ((w->rows - w->row + 1) / 2) > source->container_bytes - position) return false;
  const outputs first = outputs_at(l, 0);
  const outputs now = outputs_at(l, l->at);
  const outputs *from = &now;
  int32_t work = SUMS_WORK + INPUT_WORK * (int32_t)l->inputs;
  int32_t rest = l->budget - l->spent;
  uint32_t row = w->row;
  uint32_t at = l->at;
  rows r;
  begin_rows(&r, l, w->output_plane);
  do {
    const uint8_t *head = source->container + position;
    r.scales[0] = scale_at(head);
    r.scales[1] = scale_at(head + MOTE_ROW_BYTES);
    r.end = r.scales + (row + 1 < w->rows ? 2 : 1);
    uint32_t groups = groups_now((l->count_of_lot - at + QUAD - 1) / QUAD, rest, work);
    run_pair(l, &r, head + 2 * MOTE_ROW_BYTES, from, groups);
    rest -= (int32_t)groups * work + ROWS_WORK;
    at += groups * QUAD;
    if (at < l->count_of_lot) break;
    at = 0;
    from = &first;
    position += bytes;
    row += 2;
    r.target += 2 * r.plane;
  } while (row < w->rows && rest > 0);
  l->spent = l->budget - rest;
  l->at = at;
  w->row = row;
  w->position = position;
  return true;
}

/** A row at some groups of places. */
static NOINLINE void run_row(const lots *l, rows *r, const uint8_t *pairs, uint32_t count, const outputs *from, uint32_t groups) {
  outputs o = *from;
  const laid_element *laid = l->laid + (l->count_of_lot - o.in_lot) * l->inputs;
  do {
    uint32_t sums[EIGHT];
    bool is_eight = o.in_lot > QUAD;
    sum_gaps(laid, pairs, count, sums, is_eight);
    if (are_together(&l->lines, &o, EIGHT)) {
      r->end = r->scales + 2;
      scale_line(r, sums, o.offset);
      pass_places(&l->lines, &o, EIGHT);
    } else {
      r->end = r->scales + 1;
      put_quad(&l->lines, r, sums, &o);
      if (is_eight) put_quad(&l->lines, r, sums + QUAD, &o);
    }
    laid += EIGHT * l->inputs;
  } while (--groups > 0);
}

/** Goes on with rows by their weights that are left. @returns whether they are in the stream, and look at elements that are laid out */
static NOINLINE bool run_rows(lots *l) {
  mote_layer *w = &l->w;
  const mote_source *source = &w->model->source;
  const outputs first = outputs_at(l, 0);
  const outputs now = outputs_at(l, l->at);
  const outputs *from = &now;
  int32_t rest = l->budget - l->spent;
  uint32_t position = w->position;
  uint32_t row = w->row;
  uint32_t at = l->at;
  rows r;
  begin_rows(&r, l, QUAD);
  do {
    if (position > source->container_bytes || source->container_bytes - position < MOTE_ROW_BYTES) return false;
    const uint8_t *head = source->container + position;
    const uint8_t *pairs = head + MOTE_ROW_BYTES;
    uint32_t count = load_word(head + 12) >> 8;
    uint32_t bytes = MOTE_ROW_BYTES + MOTE_PAIR_BYTES * count;
    if (count - 1 >= MOTE_QUAD_INPUTS || count % MOTE_PAIRS_AT_ONCE != 0 || bytes > source->container_bytes - position) return false;
    if (sum_of_gaps(pairs, head + bytes) >= l->inputs) return false;
    r.scales[0] = r.scales[1] = scale_at(head);
    int32_t work = SUMS_WORK + WEIGHT_WORK * (int32_t)count;
    uint32_t groups = groups_now((l->count_of_lot - at + EIGHT - 1) / EIGHT, rest, work);
    run_row(l, &r, pairs, count, from, groups);
    rest -= (int32_t)groups * work + ROWS_WORK + WEIGHT_CHECK_WORK * (int32_t)count;
    at += groups * EIGHT;
    if (at < l->count_of_lot) break;
    at = 0;
    from = &first;
    position += bytes;
    row++;
    r.target += w->output_plane;
  } while (row < w->rows && rest > 0);
  l->spent = l->budget - rest;
  l->at = at;
  w->row = row;
  w->position = position;
  return true;
}

/** Lays out a lot, then goes through all rows at its places, and so on. */
static int32_t run_lots(const mote *model, uint32_t layer, uint32_t progress, int32_t budget, bool is_by_gaps) {
  lots l;
  l.is_by_gaps = is_by_gaps;
  l.budget = budget;
  l.spent = 0;
  if (!begin_lots(&l, model, layer, progress)) return MOTE_KERNEL_TRAP;
  mote_layer *w = &l.w;
  do {
    if (l.laid_out < l.count_of_lot) {
      lay_places(&l);
      continue;
    }
    if (!(is_by_gaps ? run_rows(&l) : run_pairs(&l))) return MOTE_KERNEL_TRAP;
    if (w->row < w->rows) continue;
    w->row = w->rows;
    if (l.first + l.count_of_lot == l.places) break;
    w->row = 0;
    w->position = l.begin;
    begin_lot(&l, l.first + l.count_of_lot);
  } while (l.spent < budget);
  mote_layer_end(w, l.first, l.laid_out, l.at);
  return l.spent;
}

int32_t mote_kernel_quads(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  return run_lots(model, layer, progress, budget, false);
}

int32_t mote_kernel_gaps(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  return run_lots(model, layer, progress, budget, true);
}
