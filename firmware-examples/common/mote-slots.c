/** Two slots in flash, which of them is taken, and what makes a slot's bytes a model: spec/update.md, "Slot". */
#include <string.h>

#include "mote-slots-internal.h"

static const uint8_t magic[4] = {'M', 'O', 'S', 1};
/** What a signature is of, before what it says of the model. */
static const uint8_t purpose[12] = "mote model 1";

/** Of flash that is looked at at a time. */
#define PIECE_BYTES 64u

/** What the state's words are programmed by. */
static uint32_t word_bytes(const mote_slots_config *config) { return config->unit_bytes < 4 ? 4 : config->unit_bytes; }

static uint32_t rounded_up(uint32_t bytes, uint32_t unit) { return (bytes + unit - 1) / unit * unit; }

/** Behind the header, in words of their own. */
static uint32_t tried_offset(const mote_slots_config *config) { return rounded_up(MOTE_SLOT_HEADER_BYTES, word_bytes(config)); }

static uint32_t confirmed_offset(const mote_slots_config *config) { return tried_offset(config) + word_bytes(config); }

/** A multiple of 8, for engines that read the model where it lies. */
uint32_t mote_slot_model_offset(const mote_slots_config *config) {
  return rounded_up(confirmed_offset(config) + word_bytes(config), 8);
}

uint32_t mote_slots_room(const mote_slots_config *config) {
  uint32_t offset = mote_slot_model_offset(config);
  uint32_t room = config->slot_bytes > offset ? config->slot_bytes - offset : 0;
  return room < MOTE_SLOT_MAX_MODEL ? room : MOTE_SLOT_MAX_MODEL;
}

static bool read_slot(const mote_slots_config *config, int32_t slot, uint32_t offset, void *bytes, uint32_t count) {
  return config->read(config->context, config->slots[slot] + offset, bytes, count) == 0;
}

static bool program_slot(const mote_slots_config *config, int32_t slot, uint32_t offset, const void *bytes, uint32_t count) {
  return config->program(config->context, config->slots[slot] + offset, bytes, count) == 0;
}

/** Whether all bytes of one of the state's words are `value`. */
static mote_status word_is(const mote_slots_config *config, int32_t slot, uint32_t offset, uint8_t value, bool *is) {
  uint8_t word[MOTE_MAX_UNIT_BYTES];
  uint32_t count = word_bytes(config);
  if (!read_slot(config, slot, offset, word, count)) return MOTE_ERROR_FLASH;
  *is = true;
  for (uint32_t i = 0; i < count; i++) *is = *is && word[i] == value;
  return MOTE_DONE;
}

/** Programs a word with zeros: the state's, or what becomes no header. */
static mote_status set_word(const mote_slots_config *config, int32_t slot, uint32_t offset) {
  /* Not constant: a controller does not read the flash that it programs. */
  uint64_t zeros[MOTE_MAX_UNIT_BYTES / 8] = {0};
  return program_slot(config, slot, offset, zeros, word_bytes(config)) ? MOTE_DONE : MOTE_ERROR_FLASH;
}

mote_status mote_slot_confirm(const mote_slots_config *config, int32_t slot) {
  bool is_confirmed = false;
  mote_status status = set_word(config, slot, confirmed_offset(config));
  if (status == MOTE_DONE) status = word_is(config, slot, confirmed_offset(config), 0, &is_confirmed);
  return status == MOTE_DONE && !is_confirmed ? MOTE_ERROR_FLASH : status;
}

static void write_header(const mote_slot_header *header, uint8_t *bytes) {
  memcpy(bytes, magic, sizeof magic);
  mote_put_u32(bytes + 4, header->sequence);
  mote_put_u32(bytes + 8, header->length);
  mote_put_u32(bytes + 12, header->crc);
  bytes[16] = header->kind;
  bytes[17] = header->is_signed ? 1 : 0;
  memcpy(bytes + 18, header->signature, MOTE_SIGNATURE_BYTES);
  mote_put_u32(bytes + 82, mote_crc32(bytes, 82));
}

/** @param is_there whether there is one, that no cut has left half done */
static mote_status read_header(const mote_slots_config *config, int32_t slot, mote_slot_header *header, bool *is_there) {
  uint8_t bytes[MOTE_SLOT_HEADER_BYTES];
  if (!read_slot(config, slot, 0, bytes, sizeof bytes)) return MOTE_ERROR_FLASH;
  header->sequence = mote_get_u32(bytes + 4);
  header->length = mote_get_u32(bytes + 8);
  header->crc = mote_get_u32(bytes + 12);
  header->kind = bytes[16];
  header->is_signed = bytes[17] == 1;
  memcpy(header->signature, bytes + 18, MOTE_SIGNATURE_BYTES);
  *is_there = memcmp(bytes, magic, sizeof magic) == 0 && mote_get_u32(bytes + 82) == mote_crc32(bytes, 82) &&
              mote_is_kind(header->kind) && bytes[17] <= 1 && header->length > 0 && header->length <= mote_slots_room(config);
  return MOTE_DONE;
}

/** Whether one of the keys has signed what the header says, of a model with this digest. */
static bool is_signed_right(const mote_signatures *signatures, const mote_slot_header *header, const uint8_t *digest) {
  uint8_t message[sizeof purpose + 9 + MOTE_DIGEST_BYTES];
  memcpy(message, purpose, sizeof purpose);
  message[sizeof purpose] = header->kind;
  mote_put_u32(message + sizeof purpose + 1, header->sequence);
  mote_put_u32(message + sizeof purpose + 5, header->length);
  memcpy(message + sizeof purpose + 9, digest, MOTE_DIGEST_BYTES);
  for (uint32_t i = 0; i < signatures->key_count; i++) {
    if (signatures->verify(header->signature, message, sizeof message, signatures->keys[i])) return true;
  }
  return false;
}

mote_status mote_slot_check(const mote_slots_config *config, int32_t slot, const mote_slot_header *header) {
  const mote_signatures *signatures = config->signatures;
  if (signatures != NULL && !header->is_signed) return MOTE_ERROR_SIGNATURE;
  uint32_t at = mote_slot_model_offset(config);
  uint32_t crc = 0;
  uint8_t digest[MOTE_DIGEST_BYTES];
  if (signatures != NULL) signatures->hash_begin(signatures->state);
  for (uint32_t left = header->length; left > 0;) {
    uint8_t piece[PIECE_BYTES];
    uint32_t count = left < sizeof piece ? left : (uint32_t)sizeof piece;
    if (!read_slot(config, slot, at, piece, count)) return MOTE_ERROR_FLASH;
    crc = mote_crc32_on(crc, piece, count);
    if (signatures != NULL) signatures->hash_add(signatures->state, piece, count);
    at += count;
    left -= count;
  }
  if (crc != header->crc) return MOTE_ERROR_CHECKSUM;
  if (signatures == NULL) return MOTE_DONE;
  signatures->hash_end(signatures->state, digest);
  return is_signed_right(signatures, header, digest) ? MOTE_DONE : MOTE_ERROR_SIGNATURE;
}

mote_status mote_slot_clear(const mote_slots_config *config, int32_t slot) {
  /* An erase that is cut short may set any bits. Were the header still there, those of the state would make a model that has failed a new one. */
  for (uint32_t at = 0; at < tried_offset(config); at += word_bytes(config)) {
    if (set_word(config, slot, at) != MOTE_DONE) return MOTE_ERROR_FLASH;
  }
  for (uint32_t at = config->slot_bytes; at > 0;) {
    at -= config->sector_bytes;
    if (config->erase(config->context, config->slots[slot] + at) != 0) return MOTE_ERROR_FLASH;
  }
  return MOTE_DONE;
}

mote_status mote_slot_write_header(const mote_slots_config *config, int32_t slot, const mote_slot_header *header) {
  uint64_t bytes[MOTE_MAX_UNIT_BYTES / 4];
  mote_slot_header found;
  bool is_there, is_untried, is_unconfirmed;
  mote_status status = word_is(config, slot, tried_offset(config), 0xff, &is_untried);
  if (status == MOTE_DONE) status = word_is(config, slot, confirmed_offset(config), 0xff, &is_unconfirmed);
  if (status != MOTE_DONE || !is_untried || !is_unconfirmed) return MOTE_ERROR_FLASH;
  memset(bytes, 0xff, sizeof bytes);
  write_header(header, (uint8_t *)bytes);
  if (!program_slot(config, slot, 0, bytes, tried_offset(config))) return MOTE_ERROR_FLASH;
  status = read_header(config, slot, &found, &is_there);
  return status == MOTE_DONE && !is_there ? MOTE_ERROR_FLASH : status;
}

/** @returns MOTE_DONE where the model may run and is now in use; otherwise what speaks against it */
static mote_status take(mote_slots *slots, int32_t slot, const mote_slot_header *header) {
  const mote_slots_config *config = slots->config;
  bool is_untried, is_confirmed;
  mote_status status = word_is(config, slot, tried_offset(config), 0xff, &is_untried);
  if (status == MOTE_DONE) status = word_is(config, slot, confirmed_offset(config), 0, &is_confirmed);
  if (status != MOTE_DONE) return status;
  if (!is_confirmed && !is_untried) return MOTE_ERROR_UNCONFIRMED;
  if (config->built_in != NULL && !mote_is_newer(header->sequence, *config->built_in)) return MOTE_ERROR_OLD;
  status = mote_slot_check(config, slot, header);
  if (status != MOTE_DONE) return status;
  if (!is_confirmed) {
    status = set_word(config, slot, tried_offset(config));
    if (status == MOTE_DONE) status = word_is(config, slot, tried_offset(config), 0xff, &is_untried);
    /* It would be tried again and again. */
    if (status == MOTE_DONE && is_untried) status = MOTE_ERROR_FLASH;
    if (status != MOTE_DONE) return status;
  }
  slots->active = slot;
  slots->spare = (uint8_t)(1 - slot);
  slots->has_sequence = true;
  slots->offset = config->slots[slot] + mote_slot_model_offset(config);
  slots->length = header->length;
  slots->sequence = header->sequence;
  slots->crc = header->crc;
  slots->kind = header->kind;
  slots->is_confirmed = is_confirmed;
  return MOTE_DONE;
}

static bool is_config_right(const mote_slots_config *config) {
  if (config == NULL || config->read == NULL || config->program == NULL || config->erase == NULL) return false;
  uint32_t unit = config->unit_bytes;
  if (unit == 0 || unit > MOTE_MAX_UNIT_BYTES || (unit & (unit - 1)) != 0) return false;
  uint32_t sector = config->sector_bytes;
  if (sector == 0 || sector % unit != 0 || config->slot_bytes % sector != 0) return false;
  if (config->slot_bytes <= mote_slot_model_offset(config)) return false;
  uint32_t low = config->slots[0] < config->slots[1] ? config->slots[0] : config->slots[1];
  uint32_t high = config->slots[0] ^ config->slots[1] ^ low;
  return high - low >= config->slot_bytes && high + (config->slot_bytes - 1) >= high && low % sector == 0 && high % sector == 0;
}

static bool has_functions(const mote_signatures *signatures) {
  return signatures->hash_begin != NULL && signatures->hash_add != NULL && signatures->hash_end != NULL && signatures->verify != NULL;
}

/** Whether a key is missing. One of zeros is an array's that was not filled in: as a point it is of order 4, and anyone can sign by it. */
static bool is_key_missing(const mote_signatures *signatures) {
  if (signatures->key_count == 0 || signatures->keys == NULL) return true;
  for (uint32_t i = 0; i < signatures->key_count; i++) {
    uint8_t any = 0;
    for (uint32_t k = 0; k < MOTE_KEY_BYTES; k++) any |= signatures->keys[i][k];
    if (any == 0) return true;
  }
  return false;
}

static mote_status check_signatures(const mote_signatures *signatures) {
#ifdef MOTE_REQUIRE_SIGNATURE
  if (signatures == NULL) return MOTE_ERROR_SIGNATURE;
#else
  if (signatures == NULL) return MOTE_DONE;
#endif
  if (is_key_missing(signatures)) return MOTE_ERROR_SIGNATURE;
  return has_functions(signatures) ? MOTE_DONE : MOTE_ERROR_ARGUMENT;
}

mote_status mote_slots_boot(mote_slots *slots, const mote_slots_config *config) {
  if (slots == NULL) return MOTE_ERROR_ARGUMENT;
  memset(slots, 0, sizeof *slots);
  slots->active = -1;
  if (!is_config_right(config)) return MOTE_ERROR_ARGUMENT;
  mote_slot_header headers[2];
  bool is_there[2];
  mote_status status[2];
  status[0] = check_signatures(config->signatures);
  if (status[0] != MOTE_DONE) return status[0];
  slots->config = config;
  for (int32_t slot = 0; slot < 2; slot++) {
    status[slot] = read_header(config, slot, &headers[slot], &is_there[slot]);
    if (status[slot] != MOTE_DONE) is_there[slot] = false;
  }
  bool is_second_first = is_there[1] && (!is_there[0] || mote_is_newer(headers[1].sequence, headers[0].sequence));
  for (int32_t turn = 0; turn < 2; turn++) {
    int32_t slot = is_second_first ? 1 - turn : turn;
    if (is_there[slot]) status[slot] = take(slots, slot, &headers[slot]);
    if (slots->active >= 0) return MOTE_DONE;
  }
  if (status[0] == MOTE_ERROR_FLASH || status[1] == MOTE_ERROR_FLASH) {
    /* A model that could not be read may be whole: an update must not take its place. */
    slots->config = NULL;
    return MOTE_ERROR_FLASH;
  }
  /* What may not run says all the same what is old, and stays: the other slot takes the next update. */
  int32_t newest = is_second_first ? 1 : 0;
  if (is_there[newest]) slots->spare = (uint8_t)(1 - newest);
  for (int32_t turn = 0; turn < 2 && !slots->has_sequence; turn++) {
    int32_t slot = turn == 0 ? newest : 1 - newest;
    slots->has_sequence = is_there[slot] && status[slot] != MOTE_ERROR_SIGNATURE && (config->signatures == NULL || headers[slot].is_signed);
    if (slots->has_sequence) slots->sequence = headers[slot].sequence;
  }
  return MOTE_ERROR_NO_MODEL;
}

int32_t mote_slots_read(void *slots, uint32_t offset, void *bytes, uint32_t count) {
  const mote_slots *of = slots;
  if (of->active < 0 || offset > of->length || count > of->length - offset) return -1;
  return of->config->read(of->config->context, of->offset + offset, bytes, count);
}

mote_status mote_slots_confirm(mote_slots *slots) {
  if (slots == NULL) return MOTE_ERROR_ARGUMENT;
  if (slots->active < 0) return MOTE_ERROR_NO_MODEL;
  if (slots->is_confirmed) return MOTE_DONE;
  mote_status status = mote_slot_confirm(slots->config, slots->active);
  slots->is_confirmed = status == MOTE_DONE;
  return status;
}
