/** Outputs of a convolution by lots: what takes sums to bytes, and where they go. Internal to the library. */
#ifndef MOTE_OUTPUTS_H
#define MOTE_OUTPUTS_H

#include "mote-lot.h"

/** What takes a row's sums to its outputs. */
typedef struct scale {
  uint64_t constant;
  int32_t multiplier;
  uint32_t shift;
} scale;

/** Rows at work, one or two, or one twice, and where their outputs go. */
typedef struct rows {
  scale scales[2];
  const scale *end;
  /** The first row's first output, and bytes from an output to the other row's, or to the one four places later. */
  uint8_t *target;
  uint32_t plane;
  int32_t clamp_min;
  uint32_t clamp_span;
} rows;

/** Of an output's plane. */
typedef struct lines {
  /** Outputs that follow each other, and bytes to the next that do. */
  uint32_t line;
  uint32_t gap;
  /** Whether any byte is one. */
  bool is_full_range;
} lines;

/** The next place's output, from the row's first one, and how many places follow it in its line and in the lot. */
typedef struct outputs {
  uint32_t offset;
  uint32_t in_line;
  uint32_t in_lot;
} outputs;

static INLINE int32_t scale_one(const scale *s, uint32_t sum) {
  return (int32_t)(((uint64_t)((int64_t)(int32_t)sum * s->multiplier) + s->constant) >> 32) >> s->shift;
}

/** The outputs of four places of a line, of rows whose outputs may be any byte. */
static NOINLINE void scale_line(const rows *r, const uint32_t *sums, uint32_t offset) {
  uint8_t *target = r->target + offset;
  const scale *from = r->scales;
  const scale *end = r->end;
  do {
    const scale s = *from;
    target[0] = saturate(scale_one(&s, sums[0]));
    target[1] = saturate(scale_one(&s, sums[1]));
    target[2] = saturate(scale_one(&s, sums[2]));
    target[3] = saturate(scale_one(&s, sums[3]));
    target += r->plane;
    sums += QUAD;
  } while (++from < end);
}

static INLINE uint8_t clamp_one(const rows *r, int32_t value) {
  if ((uint32_t)value - (uint32_t)r->clamp_min > r->clamp_span) {
    value = value < r->clamp_min ? r->clamp_min : (int32_t)((uint32_t)r->clamp_min + r->clamp_span);
  }
  return (uint8_t)value;
}

/** The outputs of any four places. Where fewer are left the last one is that of others as well, whose sums are the same. */
static NOINLINE void scale_places(const rows *r, const uint32_t *sums, const outputs *o, const lines *l) {
  uint32_t offsets[QUAD];
  uint32_t in_line = o->in_line;
  uint32_t in_lot = o->in_lot;
  uint32_t offset = o->offset;
  for (unsigned i = 0; i < QUAD; i++) {
    offsets[i] = offset;
    if (in_lot <= i + 1) continue;
    offset++;
    if (--in_line > 0) continue;
    offset += l->gap;
    in_line = l->line;
  }
  uint8_t *target = r->target;
  for (const scale *from = r->scales; from < r->end; from++) {
    const scale s = *from;
    target[offsets[0]] = clamp_one(r, scale_one(&s, sums[0]));
    target[offsets[1]] = clamp_one(r, scale_one(&s, sums[1]));
    target[offsets[2]] = clamp_one(r, scale_one(&s, sums[2]));
    target[offsets[3]] = clamp_one(r, scale_one(&s, sums[3]));
    target += r->plane;
    sums += QUAD;
  }
}

/** Goes to the place `places` later, if there is one. */
static INLINE void pass_places(const lines *l, outputs *o, uint32_t places) {
  o->in_lot -= places;
  o->offset += places;
  while (o->in_line <= places) {
    o->offset += l->gap;
    o->in_line += l->line;
  }
  o->in_line -= places;
}

/** Whether so many outputs may be written at once. */
static INLINE bool are_together(const lines *l, const outputs *o, uint32_t places) {
  return o->in_line >= places && o->in_lot >= places && l->is_full_range;
}

/** Writes outputs of the rows at work at four places, or as many as are left. */
static INLINE void put_quad(const lines *l, const rows *r, const uint32_t *sums, outputs *o) {
  if (are_together(l, o, QUAD)) {
    scale_line(r, sums, o->offset);
  } else {
    scale_places(r, sums, o, l);
  }
  pass_places(l, o, QUAD);
}

static INLINE scale scale_at(const uint8_t *head) {
  return (scale){(uint64_t)load_word(head + 4) << 32 | load_word(head), (int32_t)load_word(head + 8), head[12] & 31u};
}

#endif
