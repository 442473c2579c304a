/** What slots, updates and patches share. Internal to the library. */
#ifndef MOTE_SLOTS_INTERNAL_H
#define MOTE_SLOTS_INTERNAL_H

#include "mote-internal.h"
#include "mote-slots.h"

/** The largest model: as a container's. */
#define MOTE_SLOT_MAX_MODEL (1u << 28)

/** What stands in front of a model, without the state: spec/update.md, "Slot". */
#define MOTE_SLOT_HEADER_BYTES 86u

/** What a slot's header and an update's head say of a model. */
typedef struct mote_slot_header {
  uint32_t sequence;
  uint32_t length;
  uint32_t crc;
  uint8_t kind;
  bool is_signed;
  uint8_t signature[MOTE_SIGNATURE_BYTES];
} mote_slot_header;

/** Bytes in front of a slot's model. */
uint32_t mote_slot_model_offset(const mote_slots_config *config);

/** Whether a sequence is behind another: they wrap (RFC 1982). */
static inline bool mote_is_newer(uint32_t sequence, uint32_t than) {
  return sequence != than && sequence - than < 1u << 31;
}

static inline bool mote_is_kind(uint8_t kind) { return kind == MOTE_KIND_CONTAINER || kind == MOTE_KIND_MODULE; }

/** Programs a slot's `confirmed`, once more where it has been, and reads it back. */
mote_status mote_slot_confirm(const mote_slots_config *config, int32_t slot);

/** Makes sure that no model is in a slot, whatever happens from now on, and erases it. */
mote_status mote_slot_clear(const mote_slots_config *config, int32_t slot);

/** Whether a slot's model is the one that the header says: its bytes by the CRC, and by the signature where there are keys. */
mote_status mote_slot_check(const mote_slots_config *config, int32_t slot, const mote_slot_header *header);

/** Writes the header, which makes it a model, in front of a state that is erased. */
mote_status mote_slot_write_header(const mote_slots_config *config, int32_t slot, const mote_slot_header *header);

/** Adds a bit to the new model. */
mote_status mote_update_bit(mote_update *update, uint32_t bit);

void mote_patch_begin(mote_patch *patch);

/** Takes a byte of the patch, and does all that then is known. @returns MOTE_BUSY, or an error */
mote_status mote_patch_byte(mote_update *update, uint8_t byte);

#endif
