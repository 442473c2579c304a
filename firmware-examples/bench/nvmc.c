/**
 * Slots in the flash of a micro:bit, the nRF51's, whose controller QEMU models: the CPU is reset in the middle of an update, at another write each time, and
 * what it starts with is checked. What is to happen next is kept in a page of the same flash. Prints "tried N", "survived N" and, of those, "old-starts N".
 */
#include <string.h>

#include "board.h"
#include "mote-slots.h"
#include "trust-files.h"

#define NVMC_READY (*(volatile uint32_t *)0x4001e400)
#define NVMC_CONFIG (*(volatile uint32_t *)0x4001e504)
#define NVMC_ERASEPAGE (*(volatile uint32_t *)0x4001e508)
#define AIRCR (*(volatile uint32_t *)0xe000ed0c)

enum { PAGE = 1024, SLOT_BYTES = 4 * PAGE, FIRST = 0x30000, LOG = 0x3fc00, TRIALS = TRUST_TRIALS }; /* at most 63 */

/** Of each trial: that it has begun, that it has ended, that it has been survived. A word that is programmed is 0. */
typedef struct trial {
  uint32_t begun;
  uint32_t ended;
  uint32_t survived;
  /** That the start behind the reset was with the old model. */
  uint32_t was_old;
} trial;
static volatile trial *const log_of = (volatile trial *)LOG;
/** Behind them, once the flash has been erased: an emulator's begins with zeros. */
static volatile uint32_t *const erased = (volatile uint32_t *)(LOG + PAGE - 4);
#define IS_ERASED 0x4d4f5445u
/** Writes and erases of an update, of which the first one tells. */
static volatile uint32_t *const places = (volatile uint32_t *)(LOG + PAGE - 8);
static uint32_t writes_done;

/** Words until the power fails; 0: it does not. */
static uint32_t writes_left;

static void reset(void) {
  AIRCR = 0x05fa0004;
  for (;;) {
  }
}

/** The power fails before this write or erase, where it is its turn. */
static void count_write(void) {
  writes_done++;
  if (writes_left > 0 && --writes_left == 0) reset();
}

static void write_word(volatile uint32_t *at, uint32_t word) {
  NVMC_CONFIG = 1;
  *at = word;
  while (NVMC_READY == 0) {
  }
  NVMC_CONFIG = 0;
}

static int32_t flash_read(void *context, uint32_t offset, void *bytes, uint32_t count) {
  (void)context;
  memcpy(bytes, (const void *)(uintptr_t)offset, count);
  return 0;
}

static int32_t flash_program(void *context, uint32_t offset, const void *bytes, uint32_t count) {
  (void)context;
  for (uint32_t at = 0; at < count; at += 4) {
    uint32_t word;
    memcpy(&word, (const uint8_t *)bytes + at, 4);
    count_write();
    write_word((volatile uint32_t *)(uintptr_t)(offset + at), word);
  }
  return 0;
}

static int32_t flash_erase(void *context, uint32_t offset) {
  (void)context;
  count_write();
  NVMC_CONFIG = 2;
  NVMC_ERASEPAGE = offset;
  while (NVMC_READY == 0) {
  }
  NVMC_CONFIG = 0;
  return 0;
}

static const mote_slots_config config = {
    .read = flash_read,
    .program = flash_program,
    .erase = flash_erase,
    .unit_bytes = 4,
    .sector_bytes = PAGE,
    .slots = {FIRST, FIRST + SLOT_BYTES},
    .slot_bytes = SLOT_BYTES,
};

/** An unsigned update, under another sequence, is installed and confirmed. */
static bool install(const uint8_t *bytes, uint32_t count, uint32_t sequence) {
  static mote_update update;
  mote_slots slots;
  uint8_t number[4] = {(uint8_t)sequence, (uint8_t)(sequence >> 8), 0, 0};
  mote_slots_boot(&slots, &config);
  if (mote_update_begin(&update, &slots) != MOTE_BUSY) return false;
  mote_update_write(&update, bytes, 6);
  mote_update_write(&update, number, sizeof number);
  mote_update_write(&update, bytes + 10, count - 10);
  return mote_update_end(&update) == MOTE_DONE && mote_slots_boot(&slots, &config) == MOTE_DONE && mote_slots_confirm(&slots) == MOTE_DONE;
}

static bool is_model(const mote_slots *slots, const uint8_t *bytes, uint32_t count) {
  return slots->length == count && memcmp((const void *)(uintptr_t)slots->offset, bytes, count) == 0;
}

/** After the power has failed in trial `t`. */
static bool is_survived(uint32_t t) {
  mote_slots slots;
  if (mote_slots_boot(&slots, &config) != MOTE_DONE) return false;
  if (is_model(&slots, trust_new, trust_new_bytes)) return slots.sequence == 2 * t + 4 && mote_slots_confirm(&slots) == MOTE_DONE;
  if (!is_model(&slots, trust_old, trust_old_bytes) || slots.sequence != 2 * t + 3) return false;
  write_word(&log_of[t].was_old, 0);
  return install(trust_patch_update, trust_patch_update_bytes, 2 * t + 4);
}

static void print(const char *name, uint32_t value) {
  char line[32];
  size_t length = strlen(name);
  memcpy(line, name, length);
  for (uint32_t digit = 1000; digit > 0; digit /= 10) line[length++] = (char)('0' + value / digit % 10);
  line[length++] = '\n';
  line[length] = '\0';
  board_print(line);
}

int main(void) {
  uint32_t survived = 0;
  uint32_t old_starts = 0;
  if (*erased != IS_ERASED) {
    for (uint32_t at = 0; at < 2 * SLOT_BYTES; at += PAGE) flash_erase(NULL, FIRST + at);
    flash_erase(NULL, LOG);
    if (!install(trust_old_update, trust_old_update_bytes, 1)) return 1;
    writes_done = 0;
    if (!install(trust_patch_update, trust_patch_update_bytes, 2)) return 1;
    write_word(places, writes_done);
    write_word(erased, IS_ERASED);
  }
  for (uint32_t t = 0; t < TRIALS; t++) {
    if (log_of[t].ended == 0) continue;
    if (log_of[t].begun != 0) {
      if (!install(trust_old_update, trust_old_update_bytes, 2 * t + 3)) break;
      write_word(&log_of[t].begun, 0);
      /* All over the update, and before each of the last writes: the header, and the states. */
      writes_left = t < TRIALS / 2 ? 1 + t * *places / (TRIALS / 2) : *places - (TRIALS - 1 - t);
      install(trust_patch_update, trust_patch_update_bytes, 2 * t + 4);
      writes_left = 0;
    }
    if (is_survived(t)) write_word(&log_of[t].survived, 0);
    write_word(&log_of[t].ended, 0);
  }
  for (uint32_t t = 0; t < TRIALS; t++) {
    survived += log_of[t].survived == 0;
    old_starts += log_of[t].was_old == 0;
  }
  print("tried ", TRIALS);
  print("survived ", survived);
  print("old-starts ", old_starts);
  return 0;
}
