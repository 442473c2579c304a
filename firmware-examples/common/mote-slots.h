/**
 * Two slots for a model in flash, of which one is in use and the other takes the next update: whenever the power fails, the device starts with the
 * old model or the new one, whole. Updates come in pieces of any size, whole or as a patch, and may have to be signed. spec/update.md says what
 * lies in flash and what comes.
 *
 *   mote_slots slots;
 *   if (mote_slots_boot(&slots, &config) == MOTE_DONE) {
 *     mote_source source = {&mote_aot, &core_module, 0, NULL, slots.length, mote_slots_read, &slots};
 *     ...  mote_open, a first run that is as it should be, then:
 *     mote_slots_confirm(&slots);
 *   }
 *
 *   mote_update update;
 *   mote_status status = mote_update_begin(&update, &slots);
 *   while (status == MOTE_BUSY && ... a piece has come) status = mote_update_write(&update, piece, bytes);
 *   if (mote_update_end(&update) == MOTE_DONE) ...  restart, or close the open model, then mote_slots_boot again
 *
 * A new model that is not confirmed before the next mote_slots_boot has failed: the old one is back. Nothing is allocated; a call that writes takes as
 * long as the flash does. One call at a time for both slots.
 */
#ifndef MOTE_SLOTS_H
#define MOTE_SLOTS_H

#include <stdbool.h>

#include "mote.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Neither slot has a model that may run. */
#define MOTE_ERROR_NO_MODEL (-111)
/** The flash answered with an error, or does not hold what was written to it. */
#define MOTE_ERROR_FLASH (-112)
/** The bytes are no update, or break a rule of its format. */
#define MOTE_ERROR_UPDATE (-113)
/** The update is not newer than the model in use, or than the one built in. */
#define MOTE_ERROR_OLD (-114)
/** The new model is larger than a slot. */
#define MOTE_ERROR_ROOM (-115)
/** A patch of another model than the one in use. */
#define MOTE_ERROR_BASE (-116)
/** What came, or came out of a patch, is not the model that was announced. */
#define MOTE_ERROR_CHECKSUM (-117)
/** Not signed, or not by one of the keys. */
#define MOTE_ERROR_SIGNATURE (-118)
/** The model in use has not been confirmed: an update would overwrite the only one that has. */
#define MOTE_ERROR_UNCONFIRMED (-119)

#define MOTE_SIGNATURE_BYTES 64u
#define MOTE_KEY_BYTES 32u
/** Of SHA-512. */
#define MOTE_DIGEST_BYTES 64u
/** The largest unit that flash may be programmed by. */
#define MOTE_MAX_UNIT_BYTES 64u

/** What a model is. */
#define MOTE_KIND_CONTAINER 1u
#define MOTE_KIND_MODULE 2u

/** Ed25519 and SHA-512 of a library: mote-ed25519.h fills it in for one. */
typedef struct mote_signatures {
  void (*hash_begin)(void *state);
  void (*hash_add)(void *state, const uint8_t *bytes, size_t count);
  void (*hash_end)(void *state, uint8_t digest[MOTE_DIGEST_BYTES]);
  /** @returns whether the signature of the message is the key's */
  bool (*verify)(const uint8_t signature[MOTE_SIGNATURE_BYTES], const uint8_t *message, size_t message_bytes, const uint8_t key[MOTE_KEY_BYTES]);
  /** The hash's, handed to its three functions. */
  void *state;
  /** Public keys, any of which may have signed: `mote keygen` writes one. */
  const uint8_t (*keys)[MOTE_KEY_BYTES];
  uint32_t key_count;
} mote_signatures;

/** The device's flash, and what it takes. It stays as it is while it is in use. */
typedef struct mote_slots_config {
  /** Copies bytes out. Offsets are the application's, as those in `slots`. All three return 0, or anything else for an error. */
  mote_read read;
  /**
   * Programs whole units: each was erased before, or becomes all zeros. Flash that allows no second time (some with error correction) may leave a unit as
   * it is that holds something already: then a model that has failed may be tried again, once, where the power fails while its slot is erased.
   * The bytes lie in RAM, at an address that is a multiple of 8 (on a machine that aligns numbers of 64 bits so).
   */
  int32_t (*program)(void *context, uint32_t offset, const void *bytes, uint32_t count);
  /** Makes every byte of the sector that begins at the offset FF. */
  int32_t (*erase)(void *context, uint32_t offset);
  void *context;
  /** A power of two, at most MOTE_MAX_UNIT_BYTES. */
  uint32_t unit_bytes;
  /** A multiple of the unit. */
  uint32_t sector_bytes;
  /** Where the slots begin, at a sector; they do not overlap. */
  uint32_t slots[2];
  /** Of each slot: a multiple of the sector. A model may have mote_slots_room of them. */
  uint32_t slot_bytes;
  /** What models must be signed by. Null: anything goes; with MOTE_REQUIRE_SIGNATURE defined when the library is compiled, nothing does. */
  const mote_signatures *signatures;
  /** The sequence of a model that the firmware brings along, than which what is not newer is not taken. Null: none. */
  const uint32_t *built_in;
} mote_slots_config;

/** Both slots, and the model in use. */
typedef struct mote_slots {
  const mote_slots_config *config;
  /** The slot of the model in use, 0 or 1; -1: there is none. */
  int32_t active;
  /** Where the model's bytes begin in flash. */
  uint32_t offset;
  uint32_t length;
  /** Without a model in use: the newest that a slot's header names, where `has_sequence`. */
  uint32_t sequence;
  uint32_t crc;
  uint8_t kind;
  bool is_confirmed;
  bool has_sequence;
  /** The slot that the next update is written to. */
  uint8_t spare;
} mote_slots;

/** Bytes that a model may have. */
uint32_t mote_slots_room(const mote_slots_config *config);

/**
 * Takes the newest model that is whole, signed, and confirmed or not yet tried; if it is not yet tried, that is noted in flash first.
 * @returns MOTE_DONE; MOTE_ERROR_NO_MODEL, with which updates may be written all the same; MOTE_ERROR_FLASH where the flash cannot be read,
 *   with which updates are refused until a start has read it; MOTE_ERROR_ARGUMENT for a config that breaks a rule; MOTE_ERROR_SIGNATURE where one is
 *   required and the config has no keys, or one of zeros
 */
mote_status mote_slots_boot(mote_slots *slots, const mote_slots_config *config);

/** Bytes of the model in use, for a mote_source: `slots` is its read_context. */
int32_t mote_slots_read(void *slots, uint32_t offset, void *bytes, uint32_t count);

/**
 * Says that the model in use is as it should be. Until then the next start takes the old one.
 * @returns MOTE_DONE, also where it has been said before; MOTE_ERROR_NO_MODEL; MOTE_ERROR_FLASH
 */
mote_status mote_slots_confirm(mote_slots *slots);

/** Numbers of a patch, each coded with probabilities of its own. */
#define MOTE_PATCH_NUMBERS 3u
#define MOTE_PATCH_CONTEXTS 48u

/** The decoder of a patch. Internal. */
typedef struct mote_patch {
  uint32_t range;
  uint32_t code;
  /** Of the number under way: what it counts, the bits that it has behind its first, those still to come. */
  uint8_t number;
  uint8_t width;
  uint8_t bits_left;
  bool is_width_known;
  uint32_t value;
  /** Whether the command under way has copied. */
  bool has_copied;
  /** Bits still to be inserted. */
  uint32_t insert;
  /** The next bit of the old model. */
  uint32_t from;
  /** Bytes of the old model at `piece_offset`. */
  uint32_t piece_offset;
  uint8_t piece[32];
  uint16_t contexts[MOTE_PATCH_NUMBERS][MOTE_PATCH_CONTEXTS];
} mote_patch;

/** The head of an update, its signature included, at most. */
#define MOTE_UPDATE_HEAD_BYTES 90u

/** An update under way. */
typedef struct mote_update {
  mote_slots *slots;
  /** MOTE_BUSY, or the error that ended it. */
  mote_status status;
  uint8_t head[MOTE_UPDATE_HEAD_BYTES];
  uint32_t head_bytes;
  /** The slot that is written; -1: the head is not yet complete. */
  int32_t slot;
  uint32_t length;
  /** Bits of the new model that are there. */
  uint32_t done_bits;
  /** The bytes of the unit that is being filled, aligned for `program`. */
  uint64_t unit[MOTE_MAX_UNIT_BYTES / 8];
  mote_patch patch;
} mote_update;

/**
 * Begins an update. Nothing is written before its head has come and been checked. An update that is refused takes no bytes: writing and ending it
 * return the same error.
 * @param slots as mote_slots_boot left them, the model in use may go on running
 * @returns MOTE_BUSY; MOTE_ERROR_UNCONFIRMED; MOTE_ERROR_ARGUMENT for a null pointer, or slots whose start ended in another error than MOTE_ERROR_NO_MODEL
 */
mote_status mote_update_begin(mote_update *update, mote_slots *slots);

/**
 * Takes the next bytes. With the last of the head the other slot is erased, what follows is written to it.
 * @returns MOTE_BUSY; or an error, with which the update has ended: MOTE_ERROR_UPDATE, MOTE_ERROR_OLD, MOTE_ERROR_ROOM, MOTE_ERROR_BASE,
 *   MOTE_ERROR_SIGNATURE where there is none, MOTE_ERROR_FLASH, MOTE_ERROR_ARGUMENT for a null pointer
 */
mote_status mote_update_write(mote_update *update, const void *bytes, size_t count);

/**
 * Ends an update: reads back what lies in flash, checks it and its signature, and only then writes what makes it a model that the next
 * mote_slots_boot takes.
 * @returns MOTE_DONE; MOTE_ERROR_UPDATE where bytes are missing; MOTE_ERROR_CHECKSUM; MOTE_ERROR_SIGNATURE; MOTE_ERROR_FLASH; or the error before
 */
mote_status mote_update_end(mote_update *update);

/** A line for people, as mote_status_text, which it asks for what is not of slots and updates. Never null. */
const char *mote_slots_status_text(mote_status status);

#ifdef __cplusplus
}
#endif

#endif
