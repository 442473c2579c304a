/**
 * What updates take on a board, by TRUST_PART. 0 to 2: programs to be compared by their size, without slots, with them, and with signatures.
 * 3: runs them over flash in RAM: the power cut, and instructions counted, as lines of "name value".
 */
#include <string.h>

#include "board.h"
#include "mote-slots.h"

#if TRUST_PART == 0

int main(void) { return 0; }

#else

#if TRUST_PART > 1
#include "mote-ed25519.h"
#include "trust-key.h"

static sha512_context hash;
static const uint8_t keys[][MOTE_KEY_BYTES] = {TRUST_KEY};
static const mote_signatures signatures = MOTE_ED25519(&hash, keys);
#endif

#if TRUST_PART < 3

static int32_t access_flash(void *context, uint32_t offset, void *bytes, uint32_t count) {
  (void)context, (void)bytes;
  return offset + count > 8192;
}
static int32_t program_flash(void *context, uint32_t offset, const void *bytes, uint32_t count) {
  (void)context, (void)bytes;
  return offset + count > 8192;
}
static int32_t erase_flash(void *context, uint32_t offset) {
  (void)context;
  return offset > 8192;
}

static const mote_slots_config config = {
    .read = access_flash,
    .program = program_flash,
    .erase = erase_flash,
    .unit_bytes = 4,
    .sector_bytes = 1024,
    .slots = {0, 4096},
    .slot_bytes = 4096,
#if TRUST_PART > 1
    .signatures = &signatures,
#endif
};
static mote_slots slots;
static mote_update update;
static uint8_t piece[48];

int main(void) {
  mote_slots_boot(&slots, &config);
  mote_slots_read(&slots, 0, piece, sizeof piece);
  mote_slots_confirm(&slots);
  mote_update_begin(&update, &slots);
  mote_update_write(&update, piece, sizeof piece);
  return mote_update_end(&update);
}

#else

#include "cuts.h"
#include "trust-files.h"

enum { SECTORS = 4, SECTOR_BYTES = 1024, FLASH_BYTES = 2 * SECTORS * SECTOR_BYTES };
static uint8_t memory[FLASH_BYTES];
static uint8_t keep[FLASH_BYTES];
static cuts_flash flash;

static void print(const char *name, uint32_t value) {
  char line[64];
  char digits[12];
  size_t at = sizeof digits - 1;
  digits[at] = '\0';
  do {
    digits[--at] = (char)('0' + value % 10);
    value /= 10;
  } while (value > 0);
  strcpy(line, name);
  strcat(line, " ");
  strcat(line, digits + at);
  strcat(line, "\n");
  board_print(line);
}

/** Ticks of the board's clock since `start`. */
static uint32_t since(uint32_t start) { return (board_clock() - start) & ((1u << board_clock_bits) - 1); }

/** @returns whether each step was as it should be; prints ticks */
static bool time_updates(const char *boot, const char *update, const uint8_t *old_update, uint32_t old_bytes, const uint8_t *patch, uint32_t patch_bytes,
                         const mote_signatures *by) {
  cuts_flash_init(&flash, memory, SECTORS, SECTOR_BYTES, 4);
  flash.config.signatures = by;
  if (cuts_install(&flash, old_update, old_bytes) != MOTE_DONE) return false;
  mote_slots slots;
  uint32_t start = board_clock();
  if (mote_slots_boot(&slots, &flash.config) != MOTE_DONE) return false;
  print(boot, since(start));
  static mote_update under_way;
  start = board_clock();
  mote_update_begin(&under_way, &slots);
  mote_update_write(&under_way, patch, patch_bytes);
  if (mote_update_end(&under_way) != MOTE_DONE) return false;
  print(update, since(start));
  return mote_slots_boot(&slots, &flash.config) == MOTE_DONE && slots.length == trust_new_bytes;
}

int main(void) {
  board_paint_stack();
  if (!time_updates("boot", "patch", trust_old_update, trust_old_update_bytes, trust_patch_update, trust_patch_update_bytes, NULL)) {
    board_print("failed\n");
  }
  print("stack", (uint32_t)board_stack_used());
  board_paint_stack();
  if (!time_updates("signed-boot", "signed-patch", trust_old_signed, trust_old_signed_bytes, trust_patch_signed, trust_patch_signed_bytes, &signatures)) {
    board_print("failed\n");
  }
  print("signed-stack", (uint32_t)board_stack_used());
  cuts_flash_init(&flash, memory, SECTORS, SECTOR_BYTES, 4);
  cuts_install(&flash, trust_old_update, trust_old_update_bytes);
  cuts_case of = {trust_old, trust_old_bytes, trust_old_update, trust_old_update_bytes, trust_new, trust_new_bytes, trust_patch_update, trust_patch_update_bytes};
  cuts_result result = cuts_all(&flash, keep, &of, TRUST_STEP, 0, NULL, NULL);
  print("places", result.places);
  print("tried", result.tried);
  print("survived", result.survived);
  print("mistakes", flash.mistakes);
  return 0;
}

#endif
#endif
