/** Dense layers and convolutions of weights ± 1 over elements 0 and 1: a bit each, and what a row makes of them is how many bits differ. */
#include "mote-layer.h"

/** Native units: of laying out a place, a line of it and four elements; of a row at a lot, an output, a place and 64 bits. */
enum { PLACE_WORK = 60, LINE_WORK = 20, FOUR_WORK = 9, ROW_WORK = 40, OUTPUT_WORK = 50, POOLED_WORK = 15, WORD_WORK = 25 };

/** A layer's places, and the lot at hand. */
typedef struct patches {
  mote_layer w;
  uint8_t *laid;
  uint32_t across;
  uint32_t down;
  /** Elements of a line, lines of a channel, channels, and bytes from a line to the next and from a channel. */
  uint32_t width;
  uint32_t height;
  uint32_t channels;
  uint32_t pitch;
  uint32_t plane;
  /** Places under the pool across. */
  uint32_t pool;
  /** Of a place, or of a row's weights. */
  uint32_t bytes;
  uint32_t outputs;
  uint32_t lot;
} patches;

/** @returns whether all that is looked at, written and laid out is in linear memory */
static bool begin_patches(patches *p, const mote *model, uint32_t layer, uint32_t progress) {
  if (!mote_layer_begin(&p->w, model, layer, progress)) return false;
  const mote_layer *w = &p->w;
  const uint8_t *entry = model->linear + layer;
  p->down = load_word(entry + MOTE_LAYER_DOWN);
  p->across = load_word(entry + MOTE_LAYER_ACROSS);
  p->width = load_half(entry + MOTE_LAYER_BITS_WIDTH);
  p->height = load_half(entry + MOTE_LAYER_BITS_HEIGHT);
  p->channels = load_half(entry + MOTE_LAYER_BITS_CHANNELS);
  p->pitch = load_word(entry + MOTE_LAYER_BITS_PITCH);
  p->plane = load_word(entry + MOTE_LAYER_BITS_PLANE);
  p->pool = entry[MOTE_LAYER_BITS_POOL];
  p->lot = entry[MOTE_LAYER_BITS_LOT];
  uint64_t weights = (uint64_t)p->width * p->height * p->channels;
  if (weights - 1 >= 8 * MOTE_BITS_PLACE_BYTES || p->lot == 0 || p->height * p->channels > MOTE_BITS_LINES) return false;
  p->bytes = ((uint32_t)weights + 63) / 64 * MOTE_BITS_WORD_BYTES;
  if ((p->down | p->across | p->pitch | p->plane) >= MOTE_MAX_BYTES || (uint64_t)w->height * w->width >= MOTE_MAX_BYTES) return false;
  p->outputs = w->height * w->width;
  uint64_t last = w->input + (uint64_t)p->down * (w->height - 1) + (uint64_t)p->across * (w->width - 1) + p->pool - 1;
  last += (uint64_t)p->pitch * (p->height + p->pool - 2) + (uint64_t)p->plane * (p->channels - 1) + p->width - 1;
  uint64_t at = (uint64_t)load_word(model->linear + MOTE_CONTROL_WINDOW_PTR) + load_word(model->linear + MOTE_CONTROL_WINDOW_BYTES);
  uint64_t laid = (uint64_t)p->lot * p->pool * p->pool * p->bytes;
  p->laid = model->linear + (at < model->linear_bytes ? at : 0);
  /* Elements are read four at a time, from any of them on. */
  return last + 3 < model->linear_bytes && laid <= MOTE_BITS_LOT_BYTES && at + laid <= model->linear_bytes;
}

/** Lays out a place under an output's pool. @returns the work that it is */
static NOINLINE int32_t lay_place(const patches *p, uint32_t output, uint32_t place, uint8_t *target) {
  uint32_t y = output / p->w.width;
  uint32_t x = output - y * p->w.width;
  const uint8_t *channel = p->w.model->linear + p->w.input + y * p->down + x * p->across + place / p->pool * p->pitch + place % p->pool;
  uint8_t *end = target + p->bytes;
  uint32_t word = 0;
  uint32_t taken = 0;
  for (uint32_t c = p->channels; c > 0; c--, channel += p->plane) {
    const uint8_t *line = channel;
    for (uint32_t b = p->height; b > 0; b--, line += p->pitch) {
      const uint8_t *from = line;
      uint32_t left = p->width;
      do {
        /* The lowest bits of four bytes come side by side to the highest of a product. */
        uint32_t bits = (load_word(from) & 0x01010101u) * 0x10204080u >> 28;
        uint32_t count = left < 4 ? left : 4;
        bits &= (1u << count) - 1;
        word |= bits << taken;
        taken += count;
        if (taken >= 32) {
          put_word(target, word);
          target += 4;
          taken -= 32;
          word = bits >> (count - taken);
        }
        from += 4;
        left -= count;
      } while (left > 0);
    }
  }
  while (target < end) {
    put_word(target, word);
    target += 4;
    word = 0;
  }
  return PLACE_WORK + (int32_t)(p->channels * p->height) * (LINE_WORK + FOUR_WORK * (int32_t)((p->width + 3) / 4));
}

/** How many bits differ. @param end of the weights */
static NOINLINE uint32_t differing(const uint8_t *weights, const uint8_t *end, const uint8_t *place) {
  uint32_t sum = 0;
#if defined(__POPCNT__) || defined(__riscv_zbb) || defined(__aarch64__)
  do {
    sum += (uint32_t)__builtin_popcount(load_word(weights) ^ load_word(place));
    weights += 4;
    place += 4;
  } while (weights < end);
#else
  uint32_t twos = 0x55555555u, fours = 0x33333333u, eights = 0x0f0f0f0fu;
#ifdef __ARM_FEATURE_SIMD32
  OPAQUE(twos);
  OPAQUE(fours);
  OPAQUE(eights);
#endif
  do {
    uint32_t low = load_word(weights) ^ load_word(place);
    uint32_t high = load_word(weights + 4) ^ load_word(place + 4);
    weights += MOTE_BITS_WORD_BYTES;
    place += MOTE_BITS_WORD_BYTES;
    /* Sums of two bits, of four, of eight of either word, of all. */
    low -= low >> 1 & twos;
    high -= high >> 1 & twos;
    low = (low & fours) + (low >> 2 & fours);
    high = (high & fours) + (high >> 2 & fours);
    low += high;
    low = (low & eights) + (low >> 4 & eights);
#ifdef __ARM_FEATURE_SIMD32
    __asm__("usada8 %0, %1, %2, %0" : "+r"(sum) : "r"(low), "r"(0));
#else
    sum += low * 0x01010101u >> 24;
#endif
  } while (weights < end);
#endif
  return sum;
}

/** Reads a row's head. @returns whether as many weights follow as a place has */
static INLINE bool read_head(patches *p, const uint8_t *head) {
  mote_layer *w = &p->w;
  uint32_t last = load_word(head + 12);
  w->constant = (int64_t)((uint64_t)load_word(head + 4) << 32 | load_word(head));
  w->multiplier = load_word(head + 8);
  w->upper_shift = (int32_t)(last & 63) - 32;
  return w->multiplier <= INT32_MAX && last >> 8 == p->bytes;
}

/** The output of a row, whose weights these are, for an output's places. */
static INLINE uint8_t output_of(const patches *p, const uint8_t *weights, const uint8_t *place) {
  uint32_t least = differing(weights, weights + p->bytes, place);
  for (uint32_t places = p->pool * p->pool; places > 1; places--) {
    place += p->bytes;
    uint32_t sum = differing(weights, weights + p->bytes, place);
    if (sum < least) least = sum;
  }
  return (uint8_t)requantize(&p->w, -(int32_t)least);
}

/**
 * Goes on with rows of a lot.
 * @param count of the lot's outputs, from `first` on
 * @param budget units that it may take, or one row
 * @returns the work that it is, or MOTE_KERNEL_TRAP for what is no row
 */
static NOINLINE int32_t run_rows(patches *p, uint32_t first, uint32_t count, int32_t budget) {
  mote_layer *w = &p->w;
  uint32_t pooled = p->pool * p->pool;
  int32_t work = ROW_WORK + (int32_t)count * (OUTPUT_WORK + (int32_t)pooled * (POOLED_WORK + WORD_WORK * (int32_t)(p->bytes / MOTE_BITS_WORD_BYTES)));
  uint32_t whole = MOTE_ROW_BYTES + p->bytes;
  uint32_t end = w->model->source.container_bytes;
  if (w->position > end || (uint64_t)whole * (w->rows - w->row) > end - w->position) return MOTE_KERNEL_TRAP;
  /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero) ; a layer without width has no outputs, of which `first` is one */
  uint32_t y = first / w->width;
  uint32_t across = first - y * w->width;
  uint8_t *target = w->model->linear + w->output + w->row * w->output_plane + y * w->output_pitch;
  const uint8_t *head = w->model->source.container + w->position;
  int32_t spent = 0;
  do {
    if (!read_head(p, head)) return MOTE_KERNEL_TRAP;
    const uint8_t *place = p->laid;
    uint8_t *line = target;
    uint32_t x = across;
    for (uint32_t left = count; left > 0; left--) {
      line[x] = output_of(p, head + MOTE_ROW_BYTES, place);
      place += pooled * p->bytes;
      if (++x < w->width) continue;
      x = 0;
      line += w->output_pitch;
    }
    spent += work;
    head += whole;
    target += w->output_plane;
    w->row++;
    w->position += whole;
  } while (w->row < w->rows && spent < budget);
  return spent;
}

/** Own words: the lot's first output, places that are laid out, rows that are done. */
int32_t mote_kernel_bits(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  patches p;
  if (!begin_patches(&p, model, layer, progress)) return MOTE_KERNEL_TRAP;
  mote_layer *w = &p.w;
  uint32_t first = own_word(w, 0);
  uint32_t laid = own_word(w, 1);
  w->row = own_word(w, 2);
  uint32_t pooled = p.pool * p.pool;
  if (pooled == 0 || first >= p.outputs || laid > p.lot * pooled || w->row >= w->rows) return MOTE_KERNEL_TRAP;
  int32_t spent = 0;
  do {
    uint32_t count = p.outputs - first < p.lot ? p.outputs - first : p.lot;
    if (laid < count * pooled) {
      /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero) ; the pool was looked at */
      spent += lay_place(&p, first + laid / pooled, laid % pooled, p.laid + laid * p.bytes);
      laid++;
      continue;
    }
    int32_t work = run_rows(&p, first, count, budget - spent);
    if (work < 0) return work;
    spent += work;
    if (w->row < w->rows) continue;
    first += count;
    if (first == p.outputs) break;
    laid = 0;
    w->row = 0;
    w->position = load_word(model->linear + layer + MOTE_LAYER_STREAM);
  } while (spent < budget);
  uint32_t row = w->row;
  /* Rows of a lot that is not the last are none of the layer's. */
  if (first < p.outputs) w->row = 0;
  mote_layer_end(w, first, laid, row);
  return spent;
}
