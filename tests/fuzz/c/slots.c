/** Flash with anything in it: starts end, within the slots, and what is confirmed is there again at the next one. */
#include "flash.h"

/** Where a slot's header has what it says of the model, its own checksum, and where the model is. */
enum { LENGTH = 8, CRC = 12, HEADER_CRC = 82, MODEL = 96 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mote_slots slots;
  mote_slots again;
  erase_flash();
  memcpy(memory, data, size < sizeof memory ? size : sizeof memory);
  mote_status status = mote_slots_boot(&slots, &flash.config);
  EXPECT(status == MOTE_DONE || status == MOTE_ERROR_NO_MODEL || status == MOTE_ERROR_FLASH, "start: %d\n", (int)status);
  if (status != MOTE_DONE) return 0;
  read_model(&slots);
  if (mote_slots_confirm(&slots) != MOTE_DONE) return 0;
  status = mote_slots_boot(&again, &flash.config);
  EXPECT(status == MOTE_DONE && again.is_confirmed && again.sequence == slots.sequence, "what was confirmed is not there: %d\n", (int)status);
  return 0;
}

/** Checksums are put right half of the times, of the header and of the model. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
  size = LLVMFuzzerMutate(data, size, max_size < sizeof memory ? max_size : sizeof memory);
  for (size_t slot = 0; slot + SLOT_BYTES <= size; slot += SLOT_BYTES) {
    uint8_t *header = data + slot;
    uint32_t length = mote_get_u32(header + LENGTH);
    if ((seed & 1) != 0 && length <= SLOT_BYTES - MODEL) mote_put_u32(header + CRC, mote_crc32(header + MODEL, length));
    if ((seed & 2) != 0) mote_put_u32(header + HEADER_CRC, mote_crc32(header, HEADER_CRC));
    seed >>= 2;
  }
  return size;
}
