/**
 * Slots, updates and patches, to be built with AddressSanitizer and UBSan: the power cut at every byte and every erase, what is to be refused, and
 * hostile bytes. Arguments: a folder with the models and updates that tests/firmware/slots.test.ts makes.
 */
#include "check.h"
#include "core.h"
#include "cuts.h"
#include "key.h"
#include "mote-ed25519.h"
#include "mote-internal.h"

/* The same code as of a library that requires signatures. */
#define MOTE_REQUIRE_SIGNATURE
#define mote_slots_boot strict_slots_boot
#define mote_slots_room strict_slots_room
#define mote_slots_read strict_slots_read
#define mote_slots_confirm strict_slots_confirm
#define mote_slot_check strict_slot_check
#define mote_slot_confirm strict_slot_confirm
#define mote_slot_clear strict_slot_clear
#define mote_slot_model_offset strict_slot_model_offset
#define mote_slot_write_header strict_slot_write_header
#include "mote-slots.c"
#undef mote_slots_boot
#undef mote_slots_room
#undef mote_slots_read
#undef mote_slots_confirm
#undef mote_slot_check
#undef mote_slot_confirm
#undef mote_slot_clear
#undef mote_slot_model_offset
#undef mote_slot_write_header

static const char *folder;
static sha512_context hash;
static const uint8_t keys[][MOTE_KEY_BYTES] = {OTHER_KEY, FIELD_KEY};
static const mote_signatures signatures = MOTE_ED25519(&hash, keys);

/** Read once, and kept to the end. */
static bytes file(const char *name) {
  static struct {
    char name[32];
    bytes content;
  } files[32];
  uint32_t i = 0;
  while (files[i].name[0] != '\0' && strcmp(files[i].name, name) != 0) i++;
  if (files[i].name[0] == '\0') {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(files[i].name, sizeof files[i].name, "%s", name);
    files[i].content = read_bytes(path);
  }
  return files[i].content;
}

static bytes copy_of(bytes from, uint32_t length) {
  bytes copy = {calloc(length, 1), length};
  memcpy(copy.data, from.data, length < from.length ? length : from.length);
  return copy;
}

enum { FLASH_BYTES = 64 << 10 };
static uint8_t memory[FLASH_BYTES];
static uint8_t keep[2 * FLASH_BYTES];
static cuts_flash flash;

/** The model's answers to a picture, by the core ahead of time. */
enum { LOGITS = 10, PIXELS = 28 * 28 };
static bool answers(const mote_source *source, int8_t *logits) {
  static uint64_t room[1024];
  static uint8_t picture[PIXELS];
  for (uint32_t i = 0; i < PIXELS; i++) picture[i] = (uint8_t)(i * i / 7);
  mote *model;
  mote_status status = mote_open(&model, source, room, sizeof room);
  if (status == MOTE_DONE) status = mote_input_u8(model, picture, PIXELS);
  if (status == MOTE_DONE) status = mote_run(model);
  if (status == MOTE_DONE) status = mote_output(model, logits, LOGITS);
  mote_close(model);
  return status == MOTE_DONE;
}

typedef struct looker {
  uint32_t looks;
  /** Of the old and of the new model, from memory. */
  int8_t expected[2][LOGITS];
} looker;

/** Every few starts, the model runs from its slot. */
static bool look(void *context, mote_slots *slots, bool is_new) {
  looker *l = context;
  if (l->looks++ % 40 != 0) return true;
  int8_t logits[LOGITS];
  mote_source source = {&mote_aot, &core_module, 0, NULL, slots->length, mote_slots_read, slots};
  return answers(&source, logits) && memcmp(logits, l->expected[is_new], LOGITS) == 0;
}

static cuts_case case_of(const char *old_model, const char *old_update, const char *new_model, const char *update) {
  bytes a = file(old_model), b = file(old_update), c = file(new_model), d = file(update);
  cuts_case of = {a.data, a.length, b.data, b.length, c.data, c.length, d.data, d.length};
  return of;
}

static mote_status write_update(mote_slots *slots, bytes update, uint32_t at_a_time);

/** @param failed an update that has been tried and not been confirmed; none: the other slot is empty */
static void check_cuts(const char *name, uint32_t sectors, uint32_t sector_bytes, uint32_t unit, const mote_signatures *by, cuts_case of,
                       uint32_t step, uint32_t second_step, looker *l, const char *failed) {
  cuts_flash_init(&flash, memory, sectors, sector_bytes, unit);
  flash.config.signatures = by;
  mote_status status = cuts_install(&flash, of.old_update, of.old_update_bytes);
  CHECK(status == MOTE_DONE, "%s: %s", name, mote_slots_status_text(status));
  if (failed != NULL) {
    mote_slots slots;
    mote_slots_boot(&slots, &flash.config);
    CHECK(write_update(&slots, file(failed), 48) == MOTE_DONE, "%s", name);
    CHECK(mote_slots_boot(&slots, &flash.config) == MOTE_DONE && !slots.is_confirmed, "%s", name);
  }
  cuts_result r = cuts_all(&flash, keep, &of, step, second_step, l == NULL ? NULL : look, l);
  CHECK(r.survived == r.tried && r.tried > 0, "%s, unit %u: %u of %u", name, unit, r.survived, r.tried);
  /* With the new one only after the last byte of its header, and before the first one of its trial. */
  CHECK(r.old_starts > 0 && (r.new_starts > 0 || step > 1), "%s: %u starts with the old model, %u with the new one", name, r.old_starts, r.new_starts);
  CHECK(flash.mistakes == 0, "%s: %u", name, flash.mistakes);
  printf("%s, unit %u: %u places, survived %u of %u cuts\n", name, unit, r.places, r.survived, r.tried);
}

static void check_all_cuts(void) {
  cuts_case whole = case_of("old.mote", "old.update", "new.mote", "new.update");
  looker l = {0};
  mote_source from_memory = {&mote_aot, &core_module, 0, whole.old_model, whole.old_bytes, NULL, NULL};
  CHECK(answers(&from_memory, l.expected[0]), "old");
  from_memory.container = whole.new_model;
  from_memory.container_bytes = whole.new_bytes;
  CHECK(answers(&from_memory, l.expected[1]), "new");
  CHECK(memcmp(l.expected[0], l.expected[1], LOGITS) != 0, "the models answer the same");
  check_cuts("whole", 4, 1024, 4, NULL, whole, 1, 0, &l, NULL);
  check_cuts("patch, signed", 1, 4096, 8, &signatures, case_of("old.mote", "old.signed", "new.mote", "patch.signed"), 13, 0, &l, NULL);
  CHECK(l.looks > 6000, "%u", l.looks);
  /* Twice in a row, the second time while the first is made good. */
  cuts_case tiny = case_of("tiny-old.mote", "tiny-old.update", "tiny-new.mote", "tiny-new.update");
  check_cuts("tiny, twice", 3, 64, 1, NULL, tiny, 1, 2, NULL, NULL);
  check_cuts("tiny, twice", 1, 256, 8, NULL, tiny, 1, 3, NULL, NULL);
  check_cuts("tiny", 2, 256, 64, NULL, tiny, 1, 0, NULL, NULL);
  check_cuts("tiny", 2, 128, 2, NULL, tiny, 1, 0, NULL, NULL);
  /* What has failed stays out, though cut erases leave any bits. */
  cuts_case third = case_of("tiny-old.mote", "tiny-old.update", "tiny-third.mote", "tiny-third.update");
  for (int word = 0; word < 256 / 4; word++) check_cuts("failed", 1, 256, 1, NULL, third, 1, 0, NULL, "tiny-new.update");
  check_cuts("failed", 4, 64, 4, NULL, third, 1, 0, NULL, "tiny-new.update");
  /* From the last sequence to the first. */
  cuts_case wrap = case_of("tiny-old.mote", "tiny-last.update", "tiny-new.mote", "tiny-first.update");
  check_cuts("wrap", 2, 256, 16, NULL, wrap, 1, 0, NULL, NULL);
}

static mote_status write_update(mote_slots *slots, bytes update, uint32_t at_a_time) {
  mote_update under_way;
  mote_status status = mote_update_begin(&under_way, slots);
  for (uint32_t at = 0; status == MOTE_BUSY && at < update.length; at += at_a_time) {
    uint32_t left = update.length - at;
    /* A copy, so that its end is guarded. */
    uint32_t count = left < at_a_time ? left : at_a_time;
    uint8_t *piece = malloc(count);
    memcpy(piece, update.data + at, count);
    status = mote_update_write(&under_way, piece, count);
    free(piece);
  }
  return status == MOTE_BUSY ? mote_update_end(&under_way) : status;
}

/** The update is answered so, and the model in use stays what it was. */
static void check_refused(mote_slots *slots, bytes update, mote_status expected, const char *what) {
  mote_slots after;
  for (uint32_t at_a_time = 1; at_a_time < 5000; at_a_time *= 7) {
    mote_status status = write_update(slots, update, at_a_time);
    CHECK(status == expected, "%s: %s, not %s", what, mote_slots_status_text(status), mote_slots_status_text(expected));
  }
  mote_status status = mote_slots_boot(&after, slots->config);
  CHECK(status == MOTE_DONE && after.sequence == slots->sequence && after.crc == slots->crc, "%s: %s", what, mote_slots_status_text(status));
}

static void check_refusals(void) {
  cuts_flash_init(&flash, memory, 4, 1024, 4);
  flash.config.signatures = &signatures;
  mote_slots slots;
  CHECK(mote_slots_boot(&slots, &flash.config) == MOTE_ERROR_NO_MODEL, "empty");
  CHECK(mote_slots_read(&slots, 0, memory, 0) != 0 && mote_slots_confirm(&slots) == MOTE_ERROR_NO_MODEL, "no model");
  CHECK(write_update(&slots, file("patch.signed"), 48) == MOTE_ERROR_BASE, "a patch of nothing");
  bytes old = file("old.signed");
  CHECK(write_update(&slots, old, 48) == MOTE_DONE, "old");
  CHECK(mote_slots_boot(&slots, &flash.config) == MOTE_DONE && !slots.is_confirmed && slots.sequence == 7, "on trial");
  CHECK(slots.kind == MOTE_KIND_CONTAINER, "kind");
  mote_update update;
  CHECK(mote_update_begin(&update, &slots) == MOTE_ERROR_UNCONFIRMED, "on trial");
  CHECK(mote_update_write(&update, "MOU", 3) == MOTE_ERROR_UNCONFIRMED && mote_update_end(&update) == MOTE_ERROR_UNCONFIRMED, "on trial");
  CHECK(mote_slots_confirm(&slots) == MOTE_DONE && mote_slots_confirm(&slots) == MOTE_DONE, "confirm");

  check_refused(&slots, old, MOTE_ERROR_OLD, "the same");
  check_refused(&slots, file("older.signed"), MOTE_ERROR_OLD, "older");
  check_refused(&slots, file("new.update"), MOTE_ERROR_SIGNATURE, "unsigned");
  check_refused(&slots, file("stranger.signed"), MOTE_ERROR_SIGNATURE, "a stranger's");
  check_refused(&slots, file("resequenced.signed"), MOTE_ERROR_SIGNATURE, "another sequence under an old signature");
  check_refused(&slots, file("large.signed"), MOTE_ERROR_ROOM, "too large");
  check_refused(&slots, file("base.signed"), MOTE_ERROR_BASE, "a patch of another model");
  bytes patch = file("patch.signed");
  bytes cut = {patch.data, patch.length - 1};
  check_refused(&slots, cut, MOTE_ERROR_UPDATE, "a byte too few");
  check_refused(&slots, file("moves-out.signed"), MOTE_ERROR_UPDATE, "a cursor outside the old model");
  bytes more = copy_of(patch, patch.length + 1);
  check_refused(&slots, more, MOTE_ERROR_UPDATE, "a byte too many");
  free(more.data);
  bytes none = {patch.data, 0};
  CHECK(write_update(&slots, none, 1) == MOTE_ERROR_UPDATE, "nothing");
  bytes whole = file("new.signed");
  for (uint32_t i = 0; i < whole.length; i += 1 + i / 90 * 6) {
    bytes changed = copy_of(whole, whole.length);
    changed.data[i] ^= (uint8_t)(1u << random_u32() % 8);
    CHECK(write_update(&slots, changed, 64) < 0, "byte %u of a signed update changed", i);
    free(changed.data);
  }

  /* The model that a later firmware brings along. */
  uint32_t built_in = 7;
  flash.config.built_in = &built_in;
  CHECK(mote_slots_boot(&slots, &flash.config) == MOTE_ERROR_NO_MODEL, "built in");
  CHECK(write_update(&slots, old, 48) == MOTE_ERROR_OLD, "built in");
  flash.config.built_in = NULL;
  CHECK(mote_slots_boot(&slots, &flash.config) == MOTE_DONE, "as before");

  /* A trial that is not confirmed has failed, and may be replaced. */
  CHECK(write_update(&slots, patch, 48) == MOTE_DONE, "patch");
  mote_slots next;
  CHECK(mote_slots_boot(&next, &flash.config) == MOTE_DONE && next.sequence == 8 && !next.is_confirmed, "trial");
  CHECK(mote_slots_boot(&next, &flash.config) == MOTE_DONE && next.sequence == 7 && next.is_confirmed, "failed");
  CHECK(write_update(&next, file("new.signed"), 48) == MOTE_DONE, "again");
  CHECK(mote_slots_boot(&next, &flash.config) == MOTE_DONE && next.sequence == 8, "second trial");
  CHECK(mote_slots_confirm(&next) == MOTE_DONE, "second trial");
  CHECK(flash.mistakes == 0, "%u", flash.mistakes);

  const mote_signatures no_keys = {signatures.hash_begin, signatures.hash_add, signatures.hash_end, signatures.verify, &hash, NULL, 0};
  flash.config.signatures = &no_keys;
  CHECK(mote_slots_boot(&next, &flash.config) == MOTE_ERROR_SIGNATURE, "no keys");
  /* An array that is longer than its keys: anyone can sign by a key of zeros. */
  static const uint8_t short_of[2][MOTE_KEY_BYTES] = {FIELD_KEY};
  const mote_signatures zero_key = MOTE_ED25519(&hash, short_of);
  flash.config.signatures = &zero_key;
  CHECK(mote_slots_boot(&next, &flash.config) == MOTE_ERROR_SIGNATURE && next.active == -1, "a key of zeros");
  mote_signatures incomplete = signatures;
  incomplete.verify = NULL;
  flash.config.signatures = &incomplete;
  CHECK(mote_slots_boot(&next, &flash.config) == MOTE_ERROR_ARGUMENT, "no verify");
  flash.config.signatures = &signatures;
  CHECK(strict_slots_boot(&next, &flash.config) == MOTE_DONE && next.sequence == 8, "signed");
  flash.config.signatures = NULL;
  CHECK(mote_slots_boot(&next, &flash.config) == MOTE_DONE && next.sequence == 8, "without keys");
  CHECK(strict_slots_boot(&next, &flash.config) == MOTE_ERROR_SIGNATURE, "signatures are required");
}

static void check_configs(void) {
  mote_slots slots;
  cuts_flash_init(&flash, memory, 4, 1024, 4);
  const mote_slots_config right = flash.config;
#define REFUSED(field, value)                                                                      \
  do {                                                                                             \
    mote_slots_config wrong = right;                                                               \
    wrong.field = value;                                                                           \
    CHECK(mote_slots_boot(&slots, &wrong) == MOTE_ERROR_ARGUMENT && slots.active == -1, #field); \
  } while (0)
  REFUSED(read, NULL);
  REFUSED(program, NULL);
  REFUSED(erase, NULL);
  REFUSED(unit_bytes, 0);
  REFUSED(unit_bytes, 3);
  REFUSED(unit_bytes, 128);
  REFUSED(sector_bytes, 0);
  REFUSED(sector_bytes, 1022);
  REFUSED(slot_bytes, 4095);
  REFUSED(slot_bytes, 0);
  REFUSED(slots[1], 4095);
  REFUSED(slots[1], 0);
  REFUSED(slots[1], 4096 + 4);
  REFUSED(slots[1], 0xfffffffcu);
#undef REFUSED
  mote_slots_config small = right;
  small.slot_bytes = 64;
  CHECK(mote_slots_room(&right) == 4096 - 96 && mote_slots_room(&small) == 0, "room");
  CHECK(mote_slots_boot(&slots, NULL) == MOTE_ERROR_ARGUMENT && mote_slots_boot(NULL, &right) == MOTE_ERROR_ARGUMENT, "null");
  mote_update update;
  /* What lies in it before may say that one is under way. */
  memset(&update, 0xa5, sizeof update);
  update.status = MOTE_BUSY;
  CHECK(mote_update_begin(NULL, &slots) == MOTE_ERROR_ARGUMENT && mote_update_begin(&update, NULL) == MOTE_ERROR_ARGUMENT, "null");
  CHECK(mote_update_write(&update, "MOU", 3) == MOTE_ERROR_ARGUMENT && mote_update_end(&update) == MOTE_ERROR_ARGUMENT, "no slots");
  update.status = MOTE_BUSY;
  CHECK(mote_update_begin(&update, &slots) == MOTE_ERROR_ARGUMENT, "slots that were not started");
  CHECK(mote_update_write(&update, "MOU", 3) == MOTE_ERROR_ARGUMENT && mote_update_end(&update) == MOTE_ERROR_ARGUMENT, "not started");
  CHECK(mote_update_write(NULL, "", 0) == MOTE_ERROR_ARGUMENT && mote_update_end(NULL) == MOTE_ERROR_ARGUMENT, "null");
  CHECK(mote_slots_confirm(NULL) == MOTE_ERROR_ARGUMENT, "null");
  for (mote_status status = MOTE_ERROR_UNCONFIRMED; status <= MOTE_ERROR_NO_MODEL; status++) {
    CHECK(strcmp(mote_slots_status_text(status), mote_slots_status_text(-9999)) != 0, "text of %d", (int)status);
  }
  CHECK(strcmp(mote_slots_status_text(MOTE_ERROR_ARGUMENT), mote_status_text(MOTE_ERROR_ARGUMENT)) == 0, "text");
}

/** Flash that does not take what is written, or answers with errors. */
static uint32_t stuck_at;
static int32_t stuck_program(void *context, uint32_t offset, const void *data, uint32_t count) {
  if (offset <= stuck_at && stuck_at < offset + count) return 0;
  return flash.config.program(context, offset, data, count);
}
static int32_t failing(void *context, uint32_t offset, void *data, uint32_t count) {
  (void)context, (void)offset, (void)data, (void)count;
  return -1;
}
static int32_t failing_program(void *context, uint32_t offset, const void *data, uint32_t count) {
  (void)context, (void)offset, (void)data, (void)count;
  return -1;
}
static int32_t failing_erase(void *context, uint32_t offset) {
  (void)context, (void)offset;
  return -1;
}

/** Erases, but for a byte of the second slot. */
static uint32_t kept_at;
static int32_t keeping_erase(void *context, uint32_t offset) {
  int32_t status = flash.config.erase(context, offset);
  memory[kept_at] = 0;
  return status;
}

/** The state that a start finds, without a model that runs. */
static void check_no_model(void) {
  bytes old = file("old.update"), third = file("tiny-third.update");
  mote_slots slots;
  /* The only model, tried and not confirmed: what is older stays out, and its header stays until there is another model. */
  cuts_flash_init(&flash, memory, 4, 1024, 4);
  CHECK(mote_slots_boot(&slots, &flash.config) == MOTE_ERROR_NO_MODEL && !slots.has_sequence, "empty");
  CHECK(write_update(&slots, old, 48) == MOTE_DONE && mote_slots_boot(&slots, &flash.config) == MOTE_DONE, "old");
  CHECK(mote_slots_boot(&slots, &flash.config) == MOTE_ERROR_NO_MODEL && slots.has_sequence && slots.sequence == 7, "tried");
  CHECK(write_update(&slots, third, 48) == MOTE_ERROR_OLD, "3 after 7");
  CHECK(write_update(&slots, old, 48) == MOTE_DONE, "the same again");
  CHECK(mote_slots_boot(&slots, &flash.config) == MOTE_DONE && slots.active == 1 && slots.sequence == 7, "the slot beside it");
  /* What no key has signed counts for nothing where there are keys. */
  flash.config.signatures = &signatures;
  CHECK(mote_slots_boot(&slots, &flash.config) == MOTE_ERROR_NO_MODEL && !slots.has_sequence, "unsigned");

  /* A start that could not read: nothing may be written. */
  cuts_flash_init(&flash, memory, 4, 1024, 4);
  CHECK(cuts_install(&flash, old.data, old.length) == MOTE_DONE, "old");
  mote_slots_config unread = flash.config;
  unread.read = failing;
  CHECK(mote_slots_boot(&slots, &unread) == MOTE_ERROR_FLASH, "read");
  unread.read = flash.config.read;
  CHECK(write_update(&slots, file("new.update"), 48) == MOTE_ERROR_ARGUMENT, "an update after an error of the flash");
  CHECK(mote_slots_boot(&slots, &flash.config) == MOTE_DONE && slots.sequence == 7, "read again");

  /* The model in use is confirmed once more before the other slot is erased: a cut may have left it half done. */
  memory[92] = 1;
  CHECK(write_update(&slots, file("new.update"), 48) == MOTE_DONE && memory[92] == 0, "confirmed by half");
  /* A state that is not erased. */
  for (kept_at = 4096 + 88; kept_at < 4096 + 96; kept_at++) {
    cuts_flash_init(&flash, memory, 4, 1024, 4);
    CHECK(cuts_install(&flash, old.data, old.length) == MOTE_DONE, "old");
    mote_slots_config keeping = flash.config;
    keeping.erase = keeping_erase;
    CHECK(mote_slots_boot(&slots, &keeping) == MOTE_DONE, "old");
    CHECK(write_update(&slots, file("new.update"), 48) == MOTE_ERROR_FLASH, "byte %u is not erased", kept_at);
  }

  /* Headers with a right checksum that break a rule. */
  for (uint32_t at = 8; at <= 16; at += 8) {
    cuts_flash_init(&flash, memory, 4, 1024, 4);
    CHECK(cuts_install(&flash, old.data, old.length) == MOTE_DONE, "old");
    if (at == 16) memory[at] = 3;
    else mote_put_u32(memory + at, 0), mote_put_u32(memory + 12, 0);
    mote_put_u32(memory + 82, mote_crc32(memory, 82));
    CHECK(mote_slots_boot(&slots, &flash.config) == MOTE_ERROR_NO_MODEL && !slots.has_sequence, "header, byte %u", at);
  }
  CHECK(flash.mistakes == 0, "%u", flash.mistakes);
}

static void check_bad_flash(void) {
  bytes old = file("old.update"), new_update = file("new.update");
  for (stuck_at = 4096; stuck_at < 8192; stuck_at += 61) {
    cuts_flash_init(&flash, memory, 4, 1024, 4);
    CHECK(cuts_install(&flash, old.data, old.length) == MOTE_DONE, "old");
    mote_slots_config stuck = flash.config;
    stuck.program = stuck_program;
    mote_slots slots, after;
    CHECK(mote_slots_boot(&slots, &stuck) == MOTE_DONE, "boot");
    mote_status status = write_update(&slots, new_update, 48);
    bool is_state = stuck_at >= 4096 + 88 && stuck_at < 4096 + 96;
    bool is_behind = stuck_at >= 4096 + 96 + file("new.mote").length;
    if (is_state || is_behind) CHECK(status == MOTE_DONE, "stuck at %u: %s", stuck_at, mote_slots_status_text(status));
    else CHECK(status == MOTE_ERROR_CHECKSUM || status == MOTE_ERROR_FLASH, "stuck at %u: %s", stuck_at, mote_slots_status_text(status));
    status = mote_slots_boot(&after, &stuck);
    CHECK(status == MOTE_DONE && after.sequence == (is_behind || (is_state && stuck_at >= 4096 + 92) ? 8 : 7), "stuck at %u", stuck_at);
  }
  cuts_flash_init(&flash, memory, 4, 1024, 4);
  CHECK(cuts_install(&flash, old.data, old.length) == MOTE_DONE, "old");
  mote_slots slots;
  CHECK(mote_slots_boot(&slots, &flash.config) == MOTE_DONE, "boot");
  mote_slots_config config = flash.config;
  slots.config = &config;
  config.erase = failing_erase;
  CHECK(write_update(&slots, new_update, 48) == MOTE_ERROR_FLASH, "erase");
  config = flash.config;
  config.program = failing_program;
  CHECK(write_update(&slots, new_update, 48) == MOTE_ERROR_FLASH, "program");
  config = flash.config;
  config.read = failing;
  CHECK(write_update(&slots, new_update, 48) == MOTE_ERROR_FLASH && write_update(&slots, file("patch.update"), 48) == MOTE_ERROR_FLASH, "read");
  CHECK(mote_slots_boot(&slots, &config) == MOTE_ERROR_FLASH, "read");
}

/** Whatever comes, an answer; and the model in use is as it was. */
static void check_hostile_updates(void) {
  static const char *const names[] = {"new.update", "patch.update", "tiny-new.update", "whole-patch.update"};
  uint32_t taken = 0;
  for (uint32_t i = 0; i < 20000; i++) {
    if (i % 1000 == 0) {
      cuts_flash_init(&flash, memory, 4, 1024, 4);
      bytes old = file("old.update");
      CHECK(cuts_install(&flash, old.data, old.length) == MOTE_DONE, "old");
    }
    bytes original = file(names[i % 4]);
    bytes update = copy_of(original, original.length);
    uint32_t changes = 1 + random_u32() % 4;
    /* Behind the head as often as in it. */
    for (uint32_t k = 0; k < changes; k++) {
      uint32_t at = random_u32() % (random_u32() % 2 == 0 && update.length > 26 ? 26 : update.length);
      update.data[at] = (uint8_t)(random_u32() % 3 == 0 ? random_u32() : update.data[at] ^ 1u << random_u32() % 8);
    }
    /* A right base and checksum of what is refused would spare the rest. */
    if (random_u32() % 2 == 0) memcpy(update.data, "MOU\1", 4);
    if (random_u32() % 8 == 0) update.length = random_u32() % (update.length + 1);
    mote_slots slots;
    CHECK(mote_slots_boot(&slots, &flash.config) == MOTE_DONE && slots.sequence == 7, "update %u", i);
    mote_status status = write_update(&slots, update, 1 + random_u32() % 100);
    CHECK(status <= 0 && status != MOTE_ERROR_FLASH, "update %u: %d", i, (int)status);
    if (status == MOTE_DONE) {
      taken++;
      /* Another sequence or kind, without a signature to hold them. */
      mote_slots next;
      CHECK(mote_slots_boot(&next, &flash.config) == MOTE_DONE && mote_slots_boot(&next, &flash.config) == MOTE_DONE, "update %u", i);
    }
    free(update.data);
  }
  CHECK(taken < 2000, "%u taken", taken);
  CHECK(flash.mistakes == 0, "%u", flash.mistakes);
}

/** Flash with anything in it: starts end, within the slots. */
static void check_hostile_flash(void) {
  bytes old = file("old.signed"), new_update = file("patch.signed");
  cuts_flash_init(&flash, memory, 4, 1024, 4);
  flash.config.signatures = &signatures;
  CHECK(cuts_install(&flash, old.data, old.length) == MOTE_DONE && cuts_install(&flash, new_update.data, new_update.length) == MOTE_DONE, "both");
  memcpy(keep, memory, flash.size);
  uint32_t starts[3] = {0};
  for (uint32_t i = 0; i < 3000; i++) {
    memcpy(memory, keep, flash.size);
    uint32_t changes = 1 + random_u32() % 3;
    for (uint32_t k = 0; k < changes; k++) {
      uint32_t slot = random_u32() % 2 * 4096;
      uint32_t at = slot + random_u32() % (random_u32() % 2 == 0 ? 100 : 3100);
      memory[at] ^= (uint8_t)(1u << random_u32() % 8);
    }
    if (i % 10 == 0) {
      for (uint32_t k = 0; k < 96; k++) memory[k] = (uint8_t)random_u32();
    }
    /* A right checksum, so that what it covers is believed. */
    if (i % 4 == 0) {
      uint32_t crc = mote_crc32(memory, 82);
      for (uint32_t k = 0; k < 4; k++) memory[82 + k] = (uint8_t)(crc >> 8 * k);
    }
    mote_slots slots;
    mote_status status = mote_slots_boot(&slots, &flash.config);
    CHECK(status == MOTE_DONE || status == MOTE_ERROR_NO_MODEL, "flash %u: %s", i, mote_slots_status_text(status));
    CHECK(status != MOTE_DONE || slots.sequence == 7 || slots.sequence == 8, "flash %u: %u", i, slots.sequence);
    starts[status == MOTE_DONE ? slots.sequence - 7 : 2]++;
  }
  CHECK(starts[0] > 100 && starts[1] > 100 && starts[2] > 100, "%u, %u, %u", starts[0], starts[1], starts[2]);
  CHECK(flash.mistakes == 0, "%u", flash.mistakes);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  folder = argv[1];
  check_all_cuts();
  check_refusals();
  check_configs();
  check_no_model();
  check_bad_flash();
  check_hostile_updates();
  check_hostile_flash();
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed > 0;
}
