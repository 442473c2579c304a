#include "cuts.h"

#include <setjmp.h>
#include <string.h>

/** Bytes of an update that come at a time: a fragment of LoRaWAN's. */
#define FRAGMENT_BYTES 48u

/** Writes until the power fails; 0: it does not. */
static uint32_t writes_left;
static uint32_t writes_done;
static cut_kind kind_of_cut;
static jmp_buf power_failed;

static uint32_t random_bits(void) {
  static uint32_t state = 1;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

/** @returns whether the power fails now */
static bool is_cut(void) {
  writes_done++;
  return writes_left > 0 && --writes_left == 0;
}

static bool is_inside(cuts_flash *flash, uint32_t offset, uint32_t count) {
  if (offset <= flash->size && count <= flash->size - offset) return true;
  flash->mistakes++;
  return false;
}

static int32_t flash_read(void *context, uint32_t offset, void *bytes, uint32_t count) {
  cuts_flash *flash = context;
  if (!is_inside(flash, offset, count)) return -1;
  memcpy(bytes, flash->bytes + offset, count);
  return 0;
}

static int32_t flash_program(void *context, uint32_t offset, const void *bytes, uint32_t count) {
  cuts_flash *flash = context;
  const uint8_t *from = bytes;
  uint32_t unit = flash->config.unit_bytes;
  if (!is_inside(flash, offset, count)) return -1;
  if (offset % unit != 0 || count % unit != 0) flash->mistakes++;
  for (uint32_t i = 0; i < count; i++) {
    uint8_t *byte = &flash->bytes[offset + i];
    /* Only what was erased may be programmed, but for zeros. */
    if (*byte != 0xff && from[i] != 0) flash->mistakes++;
    if (is_cut()) {
      if (kind_of_cut == CUT_HALF) *byte &= (uint8_t)(from[i] | random_bits());
      uint32_t first = i - i % unit;
      for (uint32_t k = first; kind_of_cut == CUT_GARBAGE && k < first + unit; k++) flash->bytes[offset + k] &= (uint8_t)(from[k] | random_bits());
      longjmp(power_failed, 1);
    }
    *byte &= from[i];
  }
  return 0;
}

static int32_t flash_erase(void *context, uint32_t offset) {
  cuts_flash *flash = context;
  uint32_t sector = flash->config.sector_bytes;
  if (!is_inside(flash, offset, sector)) return -1;
  if (offset % sector != 0) flash->mistakes++;
  uint8_t *bytes = flash->bytes + offset;
  if (is_cut()) {
    static uint32_t turn;
    if (kind_of_cut == CUT_WORD) memset(bytes + turn++ % (sector / 4) * 4, 0xff, 4);
    for (uint32_t i = 0; i < sector; i++) {
      if (kind_of_cut == CUT_GARBAGE) bytes[i] |= (uint8_t)random_bits();
      if (kind_of_cut == CUT_HALF && i < sector / 2) bytes[i] = 0xff;
    }
    longjmp(power_failed, 1);
  }
  memset(bytes, 0xff, sector);
  return 0;
}

void cuts_flash_init(cuts_flash *flash, uint8_t *bytes, uint32_t sectors, uint32_t sector_bytes, uint32_t unit_bytes) {
  memset(flash, 0, sizeof *flash);
  flash->bytes = bytes;
  flash->size = 2 * sectors * sector_bytes;
  memset(bytes, 0xff, flash->size);
  flash->config = (mote_slots_config){
      .read = flash_read,
      .program = flash_program,
      .erase = flash_erase,
      .context = flash,
      .unit_bytes = unit_bytes,
      .sector_bytes = sector_bytes,
      .slots = {0, sectors * sector_bytes},
      .slot_bytes = sectors * sector_bytes,
  };
}

mote_status cuts_install(cuts_flash *flash, const uint8_t *update, uint32_t update_bytes) {
  mote_slots slots;
  mote_update under_way;
  mote_slots_boot(&slots, &flash->config);
  mote_status status = mote_update_begin(&under_way, &slots);
  for (uint32_t at = 0; status == MOTE_BUSY && at < update_bytes; at += FRAGMENT_BYTES) {
    uint32_t left = update_bytes - at;
    status = mote_update_write(&under_way, update + at, left < FRAGMENT_BYTES ? left : FRAGMENT_BYTES);
  }
  if (status == MOTE_BUSY) status = mote_update_end(&under_way);
  if (status == MOTE_DONE) status = mote_slots_boot(&slots, &flash->config);
  return status == MOTE_DONE ? mote_slots_confirm(&slots) : status;
}

/** Whether the model that has been found has these bytes. */
static bool is_model(mote_slots *slots, const uint8_t *bytes, uint32_t length) {
  if (slots->length != length) return false;
  for (uint32_t at = 0; at < length;) {
    uint8_t piece[64];
    uint32_t count = length - at < sizeof piece ? length - at : (uint32_t)sizeof piece;
    if (mote_slots_read(slots, at, piece, count) != 0 || memcmp(piece, bytes + at, count) != 0) return false;
    at += count;
  }
  return true;
}

typedef struct scenario {
  cuts_flash *flash;
  const cuts_case *of;
  cuts_look look;
  void *context;
  cuts_result *result;
} scenario;

/** A start that finds exactly one of the two models, and goes on until the new one is there. */
static bool restart(const scenario *s) {
  mote_slots slots;
  const cuts_case *of = s->of;
  if (mote_slots_boot(&slots, &s->flash->config) != MOTE_DONE) return false;
  bool is_new = is_model(&slots, of->new_model, of->new_bytes);
  if (!is_new && !is_model(&slots, of->old_model, of->old_bytes)) return false;
  if (s->look != NULL && !s->look(s->context, &slots, is_new)) return false;
  if (is_new) {
    s->result->new_starts++;
    return mote_slots_confirm(&slots) == MOTE_DONE;
  }
  s->result->old_starts++;
  return cuts_install(s->flash, of->update, of->update_bytes) == MOTE_DONE;
}

/** The same, with the power cut at a write. @returns whether it failed before all was done */
static bool is_cut_at(const scenario *s, uint32_t write, cut_kind kind, bool (*work)(const scenario *)) {
  writes_left = write;
  writes_done = 0;
  kind_of_cut = kind;
  if (setjmp(power_failed) != 0) return true;
  work(s);
  writes_left = 0;
  return false;
}

static bool install(const scenario *s) { return cuts_install(s->flash, s->of->update, s->of->update_bytes) == MOTE_DONE; }

/** Ends with the new model in use, whatever was cut before. */
static bool ends_well(const scenario *s) {
  mote_slots slots;
  if (!restart(s)) return false;
  return mote_slots_boot(&slots, &s->flash->config) == MOTE_DONE && slots.is_confirmed &&
         is_model(&slots, s->of->new_model, s->of->new_bytes);
}

cuts_result cuts_all(cuts_flash *flash, uint8_t *keep, const cuts_case *of, uint32_t step, uint32_t second_step, cuts_look look, void *context) {
  static cuts_result result;
  static uint8_t *second_keep;
  scenario s = {flash, of, look, context, &result};
  memset(&result, 0, sizeof result);
  memcpy(keep, flash->bytes, flash->size);
  is_cut_at(&s, 0, CUT_HALF, install);
  result.places = writes_done;
  second_keep = keep + flash->size;
  for (uint32_t write = 1; write <= result.places; write += step) {
    for (int kind = 0; kind < CUT_KINDS; kind++) {
      memcpy(flash->bytes, keep, flash->size);
      if (!is_cut_at(&s, write, (cut_kind)kind, install)) continue;
      if (second_step == 0) {
        result.tried++;
        if (ends_well(&s)) result.survived++;
        continue;
      }
      memcpy(second_keep, flash->bytes, flash->size);
      for (uint32_t second = 1;; second += second_step) {
        memcpy(flash->bytes, second_keep, flash->size);
        if (!is_cut_at(&s, second, (cut_kind)kind, restart)) break;
        result.tried++;
        if (ends_well(&s)) result.survived++;
      }
    }
  }
  memcpy(flash->bytes, keep, flash->size);
  return result;
}
