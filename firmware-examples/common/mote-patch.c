/** Applies a patch as it comes, a byte at a time: spec/update.md, "Patch". */
#include <string.h>

#include "mote-slots-internal.h"

/** The numbers of a command, in their order. */
enum { COPY, INSERT, MOVE, NO_NUMBER };

/** The interval is widened by a byte before a bit where it has become smaller than this. */
#define LEAST_RANGE (1u << 24)
/** A probability of a half. */
#define HALF 0x8000u
/** By how much of what is missing a probability moves. */
#define RATE 4

/** The first bit behind a number's width has a context up to this width. */
#define WIDTHS 32u
#define FIRST_BITS (MOTE_PATCH_CONTEXTS - WIDTHS)

void mote_patch_begin(mote_patch *patch) {
  memset(patch, 0, sizeof *patch);
  patch->range = 1;
  patch->number = COPY;
  patch->piece_offset = UINT32_MAX;
  for (uint32_t number = 0; number < MOTE_PATCH_NUMBERS; number++) {
    for (uint32_t i = 0; i < MOTE_PATCH_CONTEXTS; i++) patch->contexts[number][i] = HALF;
  }
}

/** Of a range that is at least LEAST_RANGE. The lower part of the interval is that of a 1. */
static uint32_t decode(mote_patch *patch, uint32_t probability) {
  uint32_t bound = (patch->range >> 16) * probability;
  if (patch->code < bound) {
    patch->range = bound;
    return 1;
  }
  patch->code -= bound;
  patch->range -= bound;
  return 0;
}

static uint32_t decode_by(mote_patch *patch, uint16_t *context) {
  uint32_t probability = *context;
  uint32_t bit = decode(patch, probability);
  *context = (uint16_t)(bit ? probability + ((0x10000u - probability) >> RATE) : probability - (probability >> RATE));
  return bit;
}

/** A bit of the number under way. @returns MOTE_DONE when the number is complete: `value` */
static mote_status decode_number(mote_patch *patch) {
  uint16_t *contexts = patch->contexts[patch->number];
  if (!patch->is_width_known) {
    if (decode_by(patch, &contexts[patch->width]) != 0) return ++patch->width < WIDTHS ? MOTE_BUSY : MOTE_ERROR_UPDATE;
    patch->is_width_known = true;
    patch->bits_left = patch->width;
    patch->value = 1;
  } else {
    bool has_context = patch->bits_left == patch->width && patch->width <= FIRST_BITS;
    uint32_t bit = has_context ? decode_by(patch, &contexts[WIDTHS + patch->width - 1]) : decode(patch, HALF);
    patch->value = patch->value << 1 | bit;
    patch->bits_left--;
  }
  if (patch->bits_left > 0) return MOTE_BUSY;
  patch->value--;
  patch->width = 0;
  patch->is_width_known = false;
  return MOTE_DONE;
}

/** A bit of the model in use. */
static mote_status old_bit(mote_update *update, uint32_t at, uint32_t *bit) {
  mote_patch *patch = &update->patch;
  uint32_t offset = at / 8 / (uint32_t)sizeof patch->piece * (uint32_t)sizeof patch->piece;
  if (offset != patch->piece_offset) {
    uint32_t left = update->slots->length - offset;
    uint32_t count = left < sizeof patch->piece ? left : (uint32_t)sizeof patch->piece;
    if (mote_slots_read(update->slots, offset, patch->piece, count) != 0) return MOTE_ERROR_FLASH;
    patch->piece_offset = offset;
  }
  *bit = patch->piece[at / 8 - offset] >> at % 8 & 1;
  return MOTE_BUSY;
}

static mote_status copy(mote_update *update, uint32_t count) {
  mote_patch *patch = &update->patch;
  uint32_t old_bits = update->slots->length * 8;
  if (count > 0 && (patch->from > old_bits || count > old_bits - patch->from)) return MOTE_ERROR_UPDATE;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t bit;
    mote_status status = old_bit(update, patch->from++, &bit);
    if (status == MOTE_BUSY) status = mote_update_bit(update, bit);
    if (status != MOTE_BUSY) return status;
  }
  return MOTE_BUSY;
}

/** Moves the cursor. Even numbers move on, odd ones back. */
static mote_status move(mote_update *update, uint32_t value) {
  mote_patch *patch = &update->patch;
  int64_t by = value / 2;
  int64_t from = (int64_t)patch->from + patch->insert + (value % 2 == 0 ? by : -by - 1);
  if (from < 0 || from > (int64_t)update->slots->length * 8) return MOTE_ERROR_UPDATE;
  patch->from = (uint32_t)from;
  patch->number = patch->insert > 0 ? NO_NUMBER : COPY;
  return MOTE_BUSY;
}

/** Does what a command's next number says. */
static mote_status obey(mote_update *update) {
  mote_patch *patch = &update->patch;
  uint32_t value = patch->value;
  uint32_t left = update->length * 8 - update->done_bits;
  switch (patch->number) {
    case COPY:
      if (value > left) return MOTE_ERROR_UPDATE;
      patch->has_copied = value > 0;
      patch->number = INSERT;
      return copy(update, value);
    case INSERT:
      /* A command that does nothing could be followed by any number of them. */
      if (value > left || (value == 0 && !patch->has_copied)) return MOTE_ERROR_UPDATE;
      patch->insert = value;
      patch->number = value == left ? NO_NUMBER : MOVE;
      return MOTE_BUSY;
    default:
      return move(update, value);
  }
}

/** Of a range that is at least LEAST_RANGE: the next bit, and what follows from it. */
static mote_status step(mote_update *update) {
  mote_patch *patch = &update->patch;
  if (patch->number == NO_NUMBER) {
    if (--patch->insert == 0) patch->number = COPY;
    return mote_update_bit(update, decode(patch, HALF));
  }
  mote_status status = decode_number(patch);
  return status == MOTE_DONE ? obey(update) : status;
}

mote_status mote_patch_byte(mote_update *update, uint8_t byte) {
  mote_patch *patch = &update->patch;
  patch->range <<= 8;
  patch->code = patch->code << 8 | byte;
  mote_status status = MOTE_BUSY;
  while (status == MOTE_BUSY && patch->range >= LEAST_RANGE && update->done_bits < update->length * 8) status = step(update);
  return status;
}
