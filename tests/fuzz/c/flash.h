/** Two slots of flash in RAM, as the targets of slots and updates have them. */
#ifndef FLASH_H
#define FLASH_H

#include "cuts.h"
#include "target.h"

enum { SECTORS = 2, SECTOR_BYTES = 512, UNIT_BYTES = 4, SLOT_BYTES = SECTORS * SECTOR_BYTES, FLASH_BYTES = 2 * SLOT_BYTES };

static uint8_t memory[FLASH_BYTES];
static cuts_flash flash;

static inline void erase_flash(void) { cuts_flash_init(&flash, memory, SECTORS, SECTOR_BYTES, UNIT_BYTES); }

/** The model in use is inside its slot, and can be read. */
static inline void read_model(mote_slots *slots) {
  static uint8_t model[SLOT_BYTES];
  EXPECT(slots->length <= sizeof model && mote_slots_read(slots, 0, model, slots->length) == 0, "%u bytes cannot be read\n", slots->length);
  EXPECT(mote_crc32(model, slots->length) == slots->crc, "damaged\n");
  EXPECT(mote_slots_read(slots, slots->length, model, 1) != 0, "read beyond the model\n");
}

#endif
