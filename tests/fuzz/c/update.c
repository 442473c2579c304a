/** Updates, whole and as patches, in pieces of any size: refused, with the old model still in use, or installed as a model that is whole. */
#include "flash.h"
#include "old.h"

/** Installs the old model, once. */
static void restore(void) {
  static uint8_t keep[FLASH_BYTES];
  static bool is_kept;
  if (!is_kept) {
    erase_flash();
    EXPECT(cuts_install(&flash, old_update, sizeof old_update) == MOTE_DONE, "the old model is refused\n");
    memcpy(keep, memory, sizeof keep);
    is_kept = true;
  }
  memcpy(memory, keep, sizeof keep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mote_slots slots;
  mote_update update;
  restore();
  EXPECT(mote_slots_boot(&slots, &flash.config) == MOTE_DONE, "start\n");
  uint32_t old_sequence = slots.sequence;
  mote_status status = mote_update_begin(&update, &slots);
  /* Behind the head, whatever its last byte says. */
  size_t piece = size == 0 ? 1 : 1 + data[size - 1] % 97u;
  for (size_t at = 0; status == MOTE_BUSY && at < size; at += piece) {
    status = mote_update_write(&update, data + at, size - at < piece ? size - at : piece);
  }
  if (status == MOTE_BUSY) status = mote_update_end(&update);
  EXPECT(status <= 0 && status != MOTE_ERROR_FLASH, "update: %d\n", (int)status);
  EXPECT(mote_slots_boot(&slots, &flash.config) == MOTE_DONE, "no model any more\n");
  EXPECT((slots.sequence != old_sequence) == (status == MOTE_DONE), "update: %d, sequence %u\n", (int)status, slots.sequence);
  read_model(&slots);
  EXPECT(flash.mistakes == 0, "flash was written where it may not be\n");
  return 0;
}

/** The beginning of most is put right, that of an update. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0 && size >= 4) memcpy(data, old_update, 4);
  return size;
}
