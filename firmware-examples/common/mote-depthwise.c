/** Convolutions of each channel on its own, by two strips of lines at a time as the module's own kernel has them. */
#include "mote-layer.h"

/*
 * An element of both strips to a word, so that one multiplication is that of both, where one of 64 bits adds up as well. Elsewhere each strip by
 * itself, an element to a byte.
 */
#ifdef MOTE_KERNEL_PAIRS
#define HAS_PAIRS MOTE_KERNEL_PAIRS
#else
#define HAS_PAIRS HAS_SMLAL
#endif

#define LANE_BIAS (1u << (MOTE_LANE_BITS - 1))

#if HAS_PAIRS
typedef uint32_t cell;
enum { STRIPS_APART = 0, TAP_WORK = 12, CELL_WORK = 6 };
/** Sums of a place in both strips, each in its lane; of 64 bits, but no two registers that GCC must have beside each other. */
typedef struct total {
  uint32_t low;
  uint32_t high;
} total;
#define NO_TOTAL ((total){LANE_BIAS << MOTE_LANE_BITS | LANE_BIAS, LANE_BIAS >> (32 - MOTE_LANE_BITS)})
#else
typedef uint8_t cell;
enum { STRIPS_APART = 1, TAP_WORK = 28, CELL_WORK = 8 };
typedef int32_t total;
#define NO_TOTAL ((total)LANE_BIAS)
#endif

/** Native units: of a line that is laid out, of a block of outputs, of the outputs at a place of it. A piece ends with MOST_WORK. */
enum { LINE_WORK = 50, BLOCK_WORK = 60, PLACE_WORK = 30, MOST_WORK = 2048 };

enum { BLOCK = MOTE_DEPTH_BLOCK };

#define MOST_TAPS MOTE_QUAD_STRETCH

/** A size along blocks, and across them. */
typedef struct axes {
  uint32_t minor;
  uint32_t major;
} axes;

/** The strips of a layer, and what they have come to. */
typedef struct strips {
  uint16_t lines;
  uint16_t distance;
  /** Of the input, in lines or elements. */
  uint16_t height;
  uint16_t width;
  uint8_t top;
  uint8_t left;
  uint8_t zero;
  uint8_t stride_y;
  uint32_t plane;
  /** Lines that are laid out, and elements of each. */
  uint32_t laid_out;
  uint16_t words;
  bool is_down;
  /** Of the row at hand. */
  uint8_t shift;
  /** What is laid out, the elements along a block one behind the other. */
  cell *cells;
  axes taps;
  axes outputs;
  /** In cells: from a place to the next, from a line of elements along blocks to the next. */
  axes place_step;
  uint32_t line_cells;
  /** In bytes of the output, from an output to the next. */
  axes output_step;
  /** And from that of the one strip to that of the other. */
  uint32_t apart;
  /** The first line of outputs, how many are laid out, the next outputs of them. */
  uint32_t y;
  uint32_t line;
  axes at;
  /** The row's weights, those along a block one behind the other. */
  int8_t weights[MOST_TAPS];
} strips;

static INLINE uint32_t least_of(uint32_t a, uint32_t b) { return a < b ? a : b; }

/** @returns whether there is room for what is laid out behind the window */
static bool begin_scratch(const mote_layer *w, strips *s) {
  const mote *model = w->model;
  uint64_t at = (uint64_t)load_word(model->linear + MOTE_CONTROL_WINDOW_PTR) + load_word(model->linear + MOTE_CONTROL_WINDOW_BYTES);
  /* Blocks of fewer outputs look at places that are not there. */
  uint64_t cells = (uint64_t)s->words * s->laid_out + (BLOCK - 1) * s->place_step.minor;
  if (at + MOTE_DEPTH_WORD_BYTES * cells > model->linear_bytes) return false;
  s->cells = (cell *)(void *)(model->linear + at);
  return (uintptr_t)s->cells % MOTE_DEPTH_WORD_BYTES == 0;
}

/** Copies the rest of the entry. @returns whether it is one that a packer writes, all of the input is there, and the progress is within the layer */
static bool begin_strips(const mote_layer *w, strips *s, const uint8_t *entry) {
  axes kernel = {entry[MOTE_LAYER_DEPTH_WIDTH], entry[MOTE_LAYER_DEPTH_HEIGHT]};
  uint32_t stride_x = entry[MOTE_LAYER_DEPTH_STRIDE_X];
  uint16_t elements = (uint16_t)load_half(entry + MOTE_LAYER_DEPTH_INPUT_WIDTH);
  s->stride_y = entry[MOTE_LAYER_DEPTH_STRIDE_Y];
  s->lines = (uint16_t)load_half(entry + MOTE_LAYER_DEPTH_LINES);
  s->height = (uint16_t)load_half(entry + MOTE_LAYER_DEPTH_INPUT_HEIGHT);
  s->width = (uint16_t)(elements & ~MOTE_DEPTH_IS_DOWN);
  s->is_down = (elements & MOTE_DEPTH_IS_DOWN) != 0;
  s->top = entry[MOTE_LAYER_DEPTH_PADS] % MOTE_DEPTH_LEFT;
  s->left = entry[MOTE_LAYER_DEPTH_PADS] / MOTE_DEPTH_LEFT;
  s->zero = entry[MOTE_LAYER_DEPTH_ZERO];
  s->plane = load_word(entry + MOTE_LAYER_INPUT_PLANE);
  uint32_t taps = kernel.minor * kernel.major;
  if (taps - 1 >= MOST_TAPS || stride_x == 0 || s->stride_y == 0 || s->height == 0 || s->width == 0) return false;
  if (w->width > MOTE_DEPTH_WORDS || w->height > MOTE_MAX_DIMENSION || s->lines - 1u >= w->height) return false;
  uint32_t words = (w->width - 1) * stride_x + kernel.minor;
  s->words = (uint16_t)words;
  s->laid_out = (s->lines - 1u) * s->stride_y + kernel.major;
  uint64_t last = (uint64_t)s->plane * (w->rows - 1) + (uint64_t)w->input_pitch * (s->height - 1) + s->width;
  if (words > MOTE_DEPTH_WORDS || s->plane >= MOTE_MAX_BYTES || last + w->input > w->model->linear_bytes) return false;
  s->distance = (uint16_t)least_of(s->lines, w->height - s->lines);
  s->apart = s->distance * w->output_pitch;
  if (s->is_down) {
    s->taps = (axes){kernel.major, kernel.minor};
    s->outputs = (axes){s->lines, w->width};
    s->place_step = (axes){s->stride_y, stride_x * s->laid_out};
    s->line_cells = s->laid_out;
    s->output_step = (axes){w->output_pitch, 1};
  } else {
    s->taps = kernel;
    s->outputs = (axes){w->width, s->lines};
    s->place_step = (axes){stride_x, s->stride_y * s->words};
    s->line_cells = s->words;
    s->output_step = (axes){1, w->output_pitch};
  }
  s->y = own_word(w, 0);
  s->line = own_word(w, 1);
  s->at.major = own_word(w, 2) >> 16;
  s->at.minor = own_word(w, 2) & 0xffff;
  if (s->y > w->height - s->lines - s->distance || s->line > s->laid_out) return false;
  return s->at.minor < s->outputs.minor && s->at.major < s->outputs.major && begin_scratch(w, s);
}

/** Takes the row's weights. @returns whether they are so many as the layer's taps */
static bool begin_channel(const mote_layer *w, strips *s) {
  const uint8_t *at = w->body;
  if ((uint32_t)(w->body_end - at) != s->taps.minor * s->taps.major) return false;
  s->shift = *(at - MOTE_ROW_BYTES + 12) & 31u;
  if (!s->is_down) {
    memcpy(s->weights, at, (size_t)(w->body_end - at));
    return true;
  }
  int8_t *weight = s->weights;
  for (uint32_t major = 0; major < s->taps.major; major++) {
    for (uint32_t i = 0; i < s->taps.minor; i++) *weight++ = (int8_t)at[i * s->taps.major + major];
  }
  return true;
}

/** Lays out zeros up to `end`. @returns `end` */
static INLINE cell *lay_zeros(cell *target, const cell *end, uint32_t step, uint32_t zeros, uint32_t other) {
  for (; target != end; target += step) {
    target[0] = (cell)zeros;
    if (STRIPS_APART) target[other] = (cell)zeros;
  }
  return target;
}

/** Lays out elements of both strips up to `end`, of which there is at least one. */
static INLINE void lay_elements(cell *target, const cell *end, uint32_t step, const uint8_t *upper, const uint8_t *lower, uint32_t other) {
  do {
#if HAS_PAIRS
    *target = *upper++ | (uint32_t)*lower++ << MOTE_LANE_BITS;
    (void)other;
#else
    target[0] = *upper++;
    target[other] = *lower++;
#endif
    target += step;
  } while (target != end);
}

/** The same where only one of the strips has the line. */
static NOINLINE void lay_edge(cell *target, const cell *end, uint32_t step, const uint8_t *upper, const uint8_t *lower, uint32_t zero, uint32_t other) {
  for (; target != end; target += step) {
    uint32_t first = upper == NULL ? zero : *upper++;
    uint32_t second = lower == NULL ? zero : *lower++;
#if HAS_PAIRS
    *target = first | second << MOTE_LANE_BITS;
    (void)other;
#else
    target[0] = (cell)first;
    target[other] = (cell)second;
#endif
  }
}

/** Lays out lines of the input's channel. @returns the work it was */
static NOINLINE int32_t lay_out(const mote_layer *w, strips *s, int32_t budget) {
  uint32_t step = s->is_down ? s->laid_out : 1;
  uint32_t line_step = s->is_down ? 1 : s->words;
  uint32_t before = least_of(s->left, s->words);
  uint32_t behind = least_of(before + s->width, s->words);
  uint32_t apart = s->distance * s->stride_y;
  uint32_t other = s->words * s->laid_out;
  uint32_t zero = s->zero;
  uint32_t zeros = HAS_PAIRS ? zero | zero << MOTE_LANE_BITS : zero;
  uint32_t upper = s->y * s->stride_y + s->line - s->top;
  const uint8_t *channel = w->model->linear + w->input + w->row * s->plane;
  cell *target = s->cells + s->line * line_step;
  int32_t work = 0;
  do {
    /* Above the first line it is far beyond the last one. */
    uint32_t lower = upper + apart;
    const cell *end = target + behind * step;
    cell *next = lay_zeros(target, target + before * step, step, zeros, other);
    const uint8_t *elements = channel + upper * w->input_pitch;
    const uint8_t *others = channel + lower * w->input_pitch;
    if (upper < s->height && lower < s->height && next != end) {
      lay_elements(next, end, step, elements, others, other);
    } else {
      lay_edge(next, end, step, upper < s->height ? elements : NULL, lower < s->height ? others : NULL, s->zero, other);
    }
    (void)lay_zeros(target + behind * step, target + s->words * step, step, zeros, other);
    target += line_step;
    upper++;
    work += LINE_WORK + CELL_WORK * (int32_t)s->words;
  } while (++s->line < s->laid_out && work < budget);
  return work;
}

#define HAS_ASM (HAS_PAIRS && HAS_SMLAL)

static INLINE void add_product(total *sum, cell element, int32_t weight) {
#if HAS_ASM
  __asm__("smlal %0, %1, %2, %3" : "+r"(sum->low), "+r"(sum->high) : "r"(element), "r"(weight));
#elif HAS_PAIRS
  uint64_t all = ((uint64_t)sum->high << 32 | sum->low) + (uint64_t)((int64_t)(int32_t)element * weight);
  *sum = (total){(uint32_t)all, (uint32_t)(all >> 32)};
#else
  *sum += element * weight;
#endif
}

/** Adds up an element that three places look at. */
static INLINE void add_three(const cell *at, total *a, int32_t by_a, total *b, int32_t by_b, total *c, int32_t by_c) {
#if HAS_ASM
  /* Of one piece, since the compiler would rather load the element again for each. */
  uint32_t element;
  __asm__(
      "ldr %6, %7\n\tsmlal %0, %1, %6, %8\n\tsmlal %2, %3, %6, %9\n\tsmlal %4, %5, %6, %10"
      : "+r"(a->low), "+r"(a->high), "+r"(b->low), "+r"(b->high), "+r"(c->low), "+r"(c->high), "=&r"(element)
      : "m"(*at), "r"(by_a), "r"(by_b), "r"(by_c));
#else
  cell element = *at;
  add_product(a, element, by_a);
  add_product(b, element, by_b);
  add_product(c, element, by_c);
#endif
}

/** The same of one that two do. */
static INLINE void add_two(const cell *at, total *a, int32_t by_a, total *b, int32_t by_b) {
#if HAS_ASM
  uint32_t element;
  __asm__("ldr %4, %5\n\tsmlal %0, %1, %4, %6\n\tsmlal %2, %3, %4, %7"
          : "+r"(a->low), "+r"(a->high), "+r"(b->low), "+r"(b->high), "=&r"(element)
          : "m"(*at), "r"(by_a), "r"(by_b));
#else
  cell element = *at;
  add_product(a, element, by_a);
  add_product(b, element, by_b);
#endif
}

/** Sums of a block's places, three neighbours each `stride` behind the last one's, 1 or 2, so that an element may be that of several. */
static INLINE void sum_threes(const strips *s, const cell *cells, uint32_t stride, total sums[BLOCK]) {
  total sum0 = NO_TOTAL, sum1 = NO_TOTAL, sum2 = NO_TOTAL, sum3 = NO_TOTAL;
  const int8_t *weight = s->weights;
  const int8_t *end = weight + 3 * s->taps.major;
  uint32_t step = s->line_cells;
  do {
    int32_t first = weight[0];
    int32_t middle = weight[1];
    int32_t last = weight[2];
    weight += 3;
    add_product(&sum0, cells[0], first);
    if (stride == 1) {
      add_two(cells + 1, &sum0, middle, &sum1, first);
      add_three(cells + 2, &sum0, last, &sum1, middle, &sum2, first);
      add_three(cells + 3, &sum1, last, &sum2, middle, &sum3, first);
      add_two(cells + 4, &sum2, last, &sum3, middle);
      add_product(&sum3, cells[5], last);
    } else {
      add_product(&sum0, cells[1], middle);
      add_two(cells + 2, &sum0, last, &sum1, first);
      add_product(&sum1, cells[3], middle);
      add_two(cells + 4, &sum1, last, &sum2, first);
      add_product(&sum2, cells[5], middle);
      add_two(cells + 6, &sum2, last, &sum3, first);
      add_product(&sum3, cells[7], middle);
      add_product(&sum3, cells[8], last);
    }
    cells += step;
  } while (weight < end);
  sums[0] = sum0;
  sums[1] = sum1;
  sums[2] = sum2;
  sums[3] = sum3;
}

/** The same of any kernel and stride. */
static INLINE void sum_taps(const strips *s, const cell *cells, total sums[BLOCK]) {
  total sum0 = NO_TOTAL, sum1 = NO_TOTAL, sum2 = NO_TOTAL, sum3 = NO_TOTAL;
  const int8_t *weight = s->weights;
  const int8_t *end = weight + s->taps.minor * s->taps.major;
  uint32_t step = s->place_step.minor;
  uint32_t line_step = s->line_cells - s->taps.minor;
  do {
    const int8_t *line_end = weight + s->taps.minor;
    do {
      int32_t by = *weight++;
      const cell *at = cells++;
      add_product(&sum0, *at, by);
      at += step;
      add_product(&sum1, *at, by);
      at += step;
      add_product(&sum2, *at, by);
      at += step;
      add_product(&sum3, *at, by);
    } while (weight < line_end);
    cells += line_step;
  } while (weight < end);
  sums[0] = sum0;
  sums[1] = sum1;
  sums[2] = sum2;
  sums[3] = sum3;
}

/** What takes sums to outputs. */
typedef struct scaling {
  uint32_t low;
  uint32_t high;
  int32_t multiplier;
  uint32_t shift;
  int32_t least;
  uint32_t span;
} scaling;

/** What a sum, which is never negative, comes to before it is clamped. The shift is what remains of it behind the lower half. */
static INLINE int32_t scale(uint32_t sum, const scaling *by) {
#if HAS_ASM
  uint32_t low = by->low;
  uint32_t high = by->high;
  __asm__("smlal %0, %1, %2, %3" : "+r"(low), "+r"(high) : "r"(sum), "r"(by->multiplier));
  return (int32_t)high >> by->shift;
#else
  uint64_t constant = (uint64_t)by->high << 32 | by->low;
  return (int32_t)(((uint64_t)sum * (uint32_t)by->multiplier + constant) >> 32) >> by->shift;
#endif
}

static INLINE uint8_t clamp_byte(int32_t value, const scaling *by) {
  uint32_t above = (uint32_t)value - (uint32_t)by->least;
  if (above > by->span) value = value < by->least ? by->least : (int32_t)((uint32_t)by->least + by->span);
  return (uint8_t)value;
}

#if HAS_PAIRS
static INLINE void end_places(const scaling *by, const total *sums, const total *end, uint8_t *target, uint32_t across, uint32_t apart,
                              bool is_full_range) {
  do {
    total sum = *sums++;
    int32_t first = scale(sum.low & ((1u << MOTE_LANE_BITS) - 1), by);
    int32_t second = scale(sum.low >> MOTE_LANE_BITS | sum.high << (32 - MOTE_LANE_BITS), by);
    target[0] = is_full_range ? saturate(first) : clamp_byte(first, by);
    target[apart] = is_full_range ? saturate(second) : clamp_byte(second, by);
    target += across;
  } while (sums < end);
}

/** Takes the sums of so many places to their outputs, that of the other strip `apart` from the one's. */
static NOINLINE void end_block(const scaling *by, const total *sums, uint32_t places, uint8_t *target, uint32_t across, uint32_t apart) {
  const scaling scaled = *by;
  if (scaled.least == 0 && scaled.span == 255) {
    end_places(&scaled, sums, sums + places, target, across, apart, true);
  } else {
    end_places(&scaled, sums, sums + places, target, across, apart, false);
  }
}
#else
/** Takes the sums of so many places to their outputs. */
static INLINE void end_block(const scaling *by, const total *sums, uint32_t places, uint8_t *target, uint32_t across, uint32_t apart) {
  (void)apart;
  target[0] = clamp_byte(scale((uint32_t)sums[0], by), by);
  if (places > 1) target[across] = clamp_byte(scale((uint32_t)sums[1], by), by);
  if (places > 2) target[2 * across] = clamp_byte(scale((uint32_t)sums[2], by), by);
  if (places > 3) target[3 * across] = clamp_byte(scale((uint32_t)sums[3], by), by);
}
#endif

/** Computes so many outputs of a line of blocks. @param stride that of three neighbours, or 0 for any kernel */
static INLINE void sum_line(const strips *s, const scaling *to, const cell *cells, uint32_t outputs, uint8_t *target, uint32_t stride) {
  total sums[BLOCK];
#if HAS_PAIRS
  const scaling *by = to;
#else
  /* In registers. */
  const scaling scaled = *to;
  const scaling *by = &scaled;
#endif
  uint32_t across = s->output_step.minor;
  for (;;) {
    if (stride == 0) {
      sum_taps(s, cells, sums);
      cells += BLOCK * s->place_step.minor;
    } else {
      sum_threes(s, cells, stride, sums);
      cells += BLOCK * stride;
    }
    if (outputs <= BLOCK) break;
    end_block(by, sums, BLOCK, target, across, s->apart);
    target += BLOCK * across;
    outputs -= BLOCK;
  }
  end_block(by, sums, outputs, target, across, s->apart);
}

typedef void (*line_function)(const strips *s, const scaling *by, const cell *cells, uint32_t outputs, uint8_t *target);

/* Functions of their own, so that each has no more of the stack than it takes. */
static NOINLINE void sum_line_of_threes(const strips *s, const scaling *by, const cell *cells, uint32_t outputs, uint8_t *target) {
  sum_line(s, by, cells, outputs, target, 1);
}

static NOINLINE void sum_line_by_twos(const strips *s, const scaling *by, const cell *cells, uint32_t outputs, uint8_t *target) {
  sum_line(s, by, cells, outputs, target, 2);
}

static NOINLINE void sum_any_line(const strips *s, const scaling *by, const cell *cells, uint32_t outputs, uint8_t *target) {
  sum_line(s, by, cells, outputs, target, 0);
}

static line_function function_for(const strips *s) {
  if (s->taps.minor != 3 || s->place_step.minor > 2) return sum_any_line;
  return s->place_step.minor == 1 ? sum_line_of_threes : sum_line_by_twos;
}

/** Computes lines of blocks. @returns the work it was */
static int32_t sum_lines(const mote_layer *w, strips *s, int32_t budget) {
  int32_t block_work = BLOCK_WORK + BLOCK * PLACE_WORK + TAP_WORK * (int32_t)(s->taps.minor * s->taps.major);
  uint32_t most = (uint32_t)(BLOCK * (MOST_WORK / block_work + 1));
  uint8_t *first = w->model->linear + w->output + w->row * w->output_plane + s->y * w->output_pitch;
  const scaling by = {
      (uint32_t)w->constant, (uint32_t)((uint64_t)w->constant >> 32), (int32_t)w->multiplier, s->shift, w->clamp_min, w->clamp_span,
  };
  const line_function run = function_for(s);
  int32_t work = 0;
  do {
    uint32_t outputs = least_of(s->outputs.minor - s->at.minor, most);
    const cell *cells = s->cells + s->at.major * s->place_step.major + s->at.minor * s->place_step.minor;
    uint8_t *target = first + s->at.major * s->output_step.major + s->at.minor * s->output_step.minor;
    run(s, &by, cells, outputs, target);
    if (STRIPS_APART) run(s, &by, cells + s->words * s->laid_out, outputs, target + s->apart);
    work += (int32_t)((outputs + BLOCK - 1) / BLOCK) * block_work;
    s->at.minor += outputs;
    if (s->at.minor < s->outputs.minor) continue;
    s->at.minor = 0;
    s->at.major++;
  } while (s->at.major < s->outputs.major && work < budget);
  return work;
}

/** Goes on behind strips whose outputs are complete. */
static void end_strips(mote_layer *w, strips *s) {
  uint32_t done = s->y + s->lines + s->distance;
  s->line = 0;
  s->at.major = 0;
  /* Where strips would pass the edge they move back, over outputs that are computed again. */
  s->y = least_of(done, w->height - s->lines - s->distance);
  if (done < w->height) return;
  s->y = 0;
  mote_layer_end_row(w);
}

/** Own words: the strips' first line of outputs, lines that are laid out, the next outputs. */
int32_t mote_kernel_depth(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  mote_layer w;
  strips s;
  if (!mote_layer_begin(&w, model, layer, progress) || !begin_strips(&w, &s, model->linear + layer)) return MOTE_KERNEL_TRAP;
  int32_t spent = 0;
  do {
    if (!mote_layer_begin_row(&w, 1) || !begin_channel(&w, &s)) return MOTE_KERNEL_TRAP;
    if (s.line < s.laid_out) spent += lay_out(&w, &s, budget - spent);
    if (s.line < s.laid_out) break;
    spent += sum_lines(&w, &s, budget - spent);
    if (s.at.major == s.outputs.major) end_strips(&w, &s);
  } while (spent < budget && w.row < w.rows);
  mote_layer_end(&w, s.y, s.line, s.at.major << 16 | s.at.minor);
  return spent;
}
