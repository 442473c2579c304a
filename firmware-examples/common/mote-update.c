/** Updates as they come, piece by piece, and the slot that they are written to: spec/update.md, "Update". */
#include <string.h>

#include "mote-slots-internal.h"

static const uint8_t magic[4] = {'M', 'O', 'U', 1};

enum { IS_PATCH = 1, IS_SIGNED = 2 };

/** Of a head: without, and of what a patch and a signature add. */
#define HEAD_BYTES 18u
#define BASE_BYTES 8u

mote_status mote_update_begin(mote_update *update, mote_slots *slots) {
  if (update == NULL) return MOTE_ERROR_ARGUMENT;
  /* What is refused takes no bytes, whatever lay there before. */
  memset(update, 0, sizeof *update);
  update->slot = -1;
  update->status = MOTE_ERROR_ARGUMENT;
  if (slots == NULL || slots->config == NULL) return update->status;
  update->slots = slots;
  update->status = slots->active >= 0 && !slots->is_confirmed ? MOTE_ERROR_UNCONFIRMED : MOTE_BUSY;
  return update->status;
}

/** As far as its bytes are known. */
static uint32_t head_bytes(const mote_update *update) {
  if (update->head_bytes < 5) return 5;
  uint32_t flags = update->head[4];
  return HEAD_BYTES + (flags & IS_PATCH ? BASE_BYTES : 0) + (flags & IS_SIGNED ? MOTE_SIGNATURE_BYTES : 0);
}

static bool is_patch(const mote_update *update) { return (update->head[4] & IS_PATCH) != 0; }

static void read_head(const mote_update *update, mote_slot_header *header) {
  const uint8_t *head = update->head;
  header->kind = head[5];
  header->sequence = mote_get_u32(head + 6);
  header->length = mote_get_u32(head + 10);
  header->crc = mote_get_u32(head + 14);
  header->is_signed = (head[4] & IS_SIGNED) != 0;
  memset(header->signature, 0, MOTE_SIGNATURE_BYTES);
  if (header->is_signed) memcpy(header->signature, head + head_bytes(update) - MOTE_SIGNATURE_BYTES, MOTE_SIGNATURE_BYTES);
}

/** Of a head that is complete. */
static mote_status check_head(const mote_update *update) {
  const mote_slots *slots = update->slots;
  const mote_slots_config *config = slots->config;
  mote_slot_header header;
  read_head(update, &header);
  if (!mote_is_kind(header.kind) || header.length == 0) return MOTE_ERROR_UPDATE;
  if (config->signatures != NULL && !header.is_signed) return MOTE_ERROR_SIGNATURE;
  /* What has failed, or was cut short, with no other model beside it may be sent again. */
  bool is_again = slots->active < 0 && header.sequence == slots->sequence;
  if (slots->has_sequence && !is_again && !mote_is_newer(header.sequence, slots->sequence)) return MOTE_ERROR_OLD;
  if (config->built_in != NULL && !mote_is_newer(header.sequence, *config->built_in)) return MOTE_ERROR_OLD;
  if (header.length > mote_slots_room(config)) return MOTE_ERROR_ROOM;
  if (!is_patch(update)) return MOTE_DONE;
  const uint8_t *base = update->head + HEAD_BYTES;
  bool is_base = slots->active >= 0 && mote_get_u32(base) == slots->length && mote_get_u32(base + 4) == slots->crc;
  return is_base ? MOTE_DONE : MOTE_ERROR_BASE;
}

static mote_status begin_model(mote_update *update) {
  mote_slot_header header;
  mote_status status = check_head(update);
  if (status != MOTE_DONE) return status;
  read_head(update, &header);
  update->length = header.length;
  const mote_slots *slots = update->slots;
  /* A cut may have left it half programmed, read as zeros now and not the next time: then it would be the only model. */
  if (slots->active >= 0) status = mote_slot_confirm(slots->config, slots->active);
  if (status == MOTE_DONE) status = mote_slot_clear(slots->config, slots->spare);
  if (status != MOTE_DONE) return status;
  update->slot = slots->spare;
  memset(update->unit, 0xff, sizeof update->unit);
  mote_patch_begin(&update->patch);
  return MOTE_BUSY;
}

static mote_status take_head(mote_update *update, uint8_t byte) {
  uint32_t at = update->head_bytes++;
  update->head[at] = byte;
  if (at < sizeof magic) return byte == magic[at] ? MOTE_BUSY : MOTE_ERROR_UPDATE;
  if (update->head[4] > (IS_PATCH | IS_SIGNED)) return MOTE_ERROR_UPDATE;
  return update->head_bytes < head_bytes(update) ? MOTE_BUSY : begin_model(update);
}

/** Where the model's byte at an offset stands in the unit that is being filled. */
static uint8_t *unit_byte(mote_update *update, uint32_t offset) {
  return (uint8_t *)update->unit + offset % update->slots->config->unit_bytes;
}

/** Writes the unit that has been filled, the last `count` bytes of the model so far. */
static mote_status write_unit(mote_update *update, uint32_t count) {
  const mote_slots_config *config = update->slots->config;
  uint32_t at = config->slots[update->slot] + mote_slot_model_offset(config) + update->done_bits / 8 - count;
  if (config->program(config->context, at, update->unit, config->unit_bytes) != 0) return MOTE_ERROR_FLASH;
  memset(update->unit, 0xff, sizeof update->unit);
  return MOTE_BUSY;
}

/** Behind the last bit of a byte. */
static mote_status end_byte(mote_update *update) {
  uint32_t done = update->done_bits / 8;
  uint32_t count = (done - 1) % update->slots->config->unit_bytes + 1;
  return count == update->slots->config->unit_bytes || done == update->length ? write_unit(update, count) : MOTE_BUSY;
}

mote_status mote_update_bit(mote_update *update, uint32_t bit) {
  uint32_t at = update->done_bits++;
  uint8_t *byte = unit_byte(update, at / 8);
  if (bit == 0) *byte = (uint8_t)(*byte & ~(1u << at % 8));
  return at % 8 == 7 ? end_byte(update) : MOTE_BUSY;
}

static mote_status take_byte(mote_update *update, uint8_t byte) {
  if (update->slot < 0) return take_head(update, byte);
  if (update->done_bits == update->length * 8) return MOTE_ERROR_UPDATE;
  if (is_patch(update)) return mote_patch_byte(update, byte);
  *unit_byte(update, update->done_bits / 8) = byte;
  update->done_bits += 8;
  return end_byte(update);
}

mote_status mote_update_write(mote_update *update, const void *bytes, size_t count) {
  if (update == NULL || (bytes == NULL && count > 0)) return MOTE_ERROR_ARGUMENT;
  const uint8_t *next = bytes;
  for (size_t i = 0; i < count && update->status == MOTE_BUSY; i++) update->status = take_byte(update, next[i]);
  return update->status;
}

mote_status mote_update_end(mote_update *update) {
  if (update == NULL) return MOTE_ERROR_ARGUMENT;
  if (update->status != MOTE_BUSY) return update->status;
  const mote_slots_config *config = update->slots->config;
  mote_slot_header header;
  update->status = MOTE_ERROR_UPDATE;
  if (update->slot < 0 || update->done_bits != update->length * 8) return update->status;
  read_head(update, &header);
  update->status = mote_slot_check(config, update->slot, &header);
  if (update->status == MOTE_DONE) update->status = mote_slot_write_header(config, update->slot, &header);
  return update->status;
}

const char *mote_slots_status_text(mote_status status) {
  switch (status) {
    case MOTE_ERROR_NO_MODEL:
      return "no slot has a model that may run";
    case MOTE_ERROR_FLASH:
      return "the flash answers with an error, or does not hold what was written";
    case MOTE_ERROR_UPDATE:
      return "not an update, or one that breaks off or breaks a rule of its format";
    case MOTE_ERROR_OLD:
      return "the update is not newer than the model in use";
    case MOTE_ERROR_ROOM:
      return "the new model is larger than a slot";
    case MOTE_ERROR_BASE:
      return "a patch of another model than the one in use";
    case MOTE_ERROR_CHECKSUM:
      return "the bytes are not the model that was announced";
    case MOTE_ERROR_SIGNATURE:
      return "not signed, or not by a key that is trusted";
    case MOTE_ERROR_UNCONFIRMED:
      return "the model in use has not been confirmed";
    default:
      return mote_status_text(status);
  }
}
