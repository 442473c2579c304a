/**
 * The flash of two slots fails once, each time: reads, programs and erases of all that a signed update takes. To be built with AddressSanitizer and
 * UBSan. Each call ends with a status, a start finds the old model or the new one, whole, and the next try installs the new one.
 * Argument: the folder that tests/firmware/support/slots.ts makes.
 */
#include "check.h"
#include "cuts.h"
#include "fault.h"
#include "key.h"
#include "mote-ed25519.h"

enum { FLASH_BYTES = 8 << 10, FRAGMENT_BYTES = 48 };
static uint8_t memory[FLASH_BYTES];
static uint8_t keep[FLASH_BYTES];
static cuts_flash flash;
static mote_slots_config faulty;
static fault reads, programs, erases;

static sha512_context hash;
static const uint8_t keys[][MOTE_KEY_BYTES] = {FIELD_KEY};
static const mote_signatures signatures = MOTE_ED25519(&hash, keys);

static int32_t read_flash(void *context, uint32_t offset, void *data, uint32_t count) {
  return fails(&reads) ? -1 : flash.config.read(context, offset, data, count);
}

static int32_t program_flash(void *context, uint32_t offset, const void *data, uint32_t count) {
  return fails(&programs) ? -1 : flash.config.program(context, offset, data, count);
}

static int32_t erase_flash(void *context, uint32_t offset) { return fails(&erases) ? -1 : flash.config.erase(context, offset); }

static bytes file(const char *folder, const char *name) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return read_bytes(path);
}

static bool is_model(mote_slots *slots, bytes model) {
  if (slots->length != model.length) return false;
  uint8_t *found = malloc(model.length);
  bool is = mote_slots_read(slots, 0, found, model.length) == 0 && memcmp(found, model.data, model.length) == 0;
  free(found);
  return is;
}

/** A start, an update, a start that tries it, its confirmation. @returns the first error; MOTE_ERROR_NO_MODEL where the old one is tried instead */
static mote_status install(bytes update, uint32_t sequence) {
  mote_slots slots;
  mote_update under_way;
  mote_status status = mote_slots_boot(&slots, &faulty);
  if (status == MOTE_DONE) status = mote_update_begin(&under_way, &slots);
  for (uint32_t at = 0; status == MOTE_BUSY && at < update.length; at += FRAGMENT_BYTES) {
    uint32_t left = update.length - at;
    status = mote_update_write(&under_way, update.data + at, left < FRAGMENT_BYTES ? left : FRAGMENT_BYTES);
  }
  if (status == MOTE_BUSY) status = mote_update_end(&under_way);
  if (status == MOTE_DONE) status = mote_slots_boot(&slots, &faulty);
  if (status == MOTE_DONE && slots.sequence != sequence) return MOTE_ERROR_NO_MODEL;
  if (status != MOTE_DONE) return status;
  status = mote_slots_confirm(&slots);
  if (status != MOTE_DONE) CHECK(mote_slots_confirm(&slots) == MOTE_DONE, "confirmed at the next try");
  return status;
}

/** A start without a fault: the old model or the new one; then the new one is installed where it is not there. */
static void recover(bytes old, bytes made, bytes update, const char *name, uint32_t k) {
  mote_slots slots;
  CHECK(mote_slots_boot(&slots, &faulty) == MOTE_DONE, "%s %u: no model", name, k);
  CHECK(is_model(&slots, old) || is_model(&slots, made), "%s %u: neither model", name, k);
  if (slots.sequence == 8) CHECK(mote_slots_confirm(&slots) == MOTE_DONE, "%s %u: confirm", name, k);
  else CHECK(install(update, 8) == MOTE_DONE, "%s %u: the next try", name, k);
  CHECK(mote_slots_boot(&slots, &faulty) == MOTE_DONE && slots.is_confirmed && is_model(&slots, made), "%s %u: not the new model", name, k);
}

static void fail_each(const char *folder, const char *update_name, fault *f, const char *name) {
  bytes old = file(folder, "old.mote"), made = file(folder, "new.mote"), update = file(folder, update_name);
  uint32_t told = 0;
  uint32_t k = 0;
  do {
    memcpy(memory, keep, sizeof memory);
    *f = (fault){0, ++k};
    mote_status status = install(update, 8);
    bool is_over = f->calls < k;
    told += status != MOTE_DONE;
    *f = (fault){0, 0};
    CHECK(status == MOTE_DONE || (!is_over && (status == MOTE_ERROR_FLASH || status == MOTE_ERROR_NO_MODEL)), "%s %u: %s", name, k,
          mote_slots_status_text(status));
    recover(old, made, update, name, k);
    if (is_over) break;
  } while (k < 100000);
  /* Each erase is told of; of reads and programs those are not that a model is started without. */
  CHECK(k > 1 && told + (f == &erases ? 2 : 8) > k, "%s: %u of %u told", name, told, k);
  CHECK(flash.mistakes == 0, "%u", flash.mistakes);
  printf("%s, %s: %u failed\n", update_name, name, k - 1);
  free(old.data);
  free(made.data);
  free(update.data);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  cuts_flash_init(&flash, memory, 4, 1024, 8);
  flash.config.signatures = &signatures;
  bytes old_update = file(argv[1], "old.signed");
  CHECK(cuts_install(&flash, old_update.data, old_update.length) == MOTE_DONE, "old");
  free(old_update.data);
  memcpy(keep, memory, sizeof memory);
  faulty = flash.config;
  faulty.read = read_flash;
  faulty.program = program_flash;
  faulty.erase = erase_flash;
  static const char *const updates[] = {"new.signed", "patch.signed"};
  for (int i = 0; i < 2; i++) {
    fail_each(argv[1], updates[i], &reads, "reads");
    fail_each(argv[1], updates[i], &programs, "programs");
    fail_each(argv[1], updates[i], &erases, "erases");
  }
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed > 0;
}
