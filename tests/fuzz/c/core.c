/**
 * Containers by the core as C, which tests each access of linear memory: each call ends with a status, and none traps. Small containers, of which loading
 * passes up to a million weights at a stroke, are left to `npm run fuzz -- --target container`.
 */
#include "core.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 0 && data[0] == MOTE_SMALL_TAG) return -1;
  mote_source source = {&mote_aot, &core_module, 0, data, (uint32_t)size, NULL, NULL};
  mote_status status = open_and_run(&source);
  EXPECT(status <= MOTE_BUSY && status != MOTE_ERROR_TRAP && status != MOTE_STATUS_STATE, "status %d\n", (int)status);
  return 0;
}

/** Most get their checksum put right, since otherwise only the checksum would be tested. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 16 != 0 && size >= MOTE_CRC_START) mote_put_u32(data + MOTE_CRC_START - 4, mote_crc32(data + MOTE_CRC_START, size - MOTE_CRC_START));
  return size;
}
