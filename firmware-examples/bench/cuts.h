/** Flash in RAM that fails: its power is cut at any byte that is programmed and in any erase. What slots make of it is checked here, on a host or a board. */
#ifndef CUTS_H
#define CUTS_H

#include "mote-slots.h"

/** An old model and an update of it. */
typedef struct cuts_case {
  const uint8_t *old_model;
  uint32_t old_bytes;
  /** Whole, that installs the old model. */
  const uint8_t *old_update;
  uint32_t old_update_bytes;
  const uint8_t *new_model;
  uint32_t new_bytes;
  const uint8_t *update;
  uint32_t update_bytes;
} cuts_case;

/** How a cut leaves what was being written. */
typedef enum cut_kind {
  /** A byte with some of its bits; of a sector the first half. */
  CUT_HALF,
  /** Any bits that may have changed, of the unit or of the sector. */
  CUT_GARBAGE,
  /** A byte as it was; of a sector one word erased, each time another. */
  CUT_WORD,
  CUT_KINDS,
} cut_kind;

typedef struct cuts_result {
  /** Places where the power may fail between the first byte of an update and its model's confirmation. */
  uint32_t places;
  uint32_t tried;
  /** After which exactly the old or the new model was there, and the update went on to be installed. */
  uint32_t survived;
  /** Starts with either model, of those. */
  uint32_t old_starts;
  uint32_t new_starts;
} cuts_result;

/** The flash, as a config's; slots are as large as the sectors that each is given. */
typedef struct cuts_flash {
  uint8_t *bytes;
  /** Of both slots. */
  uint32_t size;
  mote_slots_config config;
  /** Reads and writes out of the slots, or of what is no whole unit. */
  uint32_t mistakes;
} cuts_flash;

/** @param bytes of flash, 2 * sectors * sector_bytes */
void cuts_flash_init(cuts_flash *flash, uint8_t *bytes, uint32_t sectors, uint32_t sector_bytes, uint32_t unit_bytes);

/** Called with the model that a start has found, for each cut that is looked at. @returns whether it is right */
typedef bool (*cuts_look)(void *context, mote_slots *slots, bool is_new);

/**
 * Cuts the power at each `step`th place, starts, and goes on.
 * @param keep as large as the flash, or twice that where the power is cut twice
 * @param second_step 0: once; otherwise the power is cut a second time, at each such place of what is done after the first one
 * @param look may be null
 */
cuts_result cuts_all(cuts_flash *flash, uint8_t *keep, const cuts_case *of, uint32_t step, uint32_t second_step, cuts_look look, void *context);

/** Installs an update and confirms it. @returns MOTE_DONE, or the first error */
mote_status cuts_install(cuts_flash *flash, const uint8_t *update, uint32_t update_bytes);

#endif
