/** All cuts of an update, on a host: prints places, cuts and those survived. */
#include <stdio.h>

#include "cuts.h"
#include "trust-files.h"

enum { SECTORS = 4, SECTOR_BYTES = 1024, FLASH_BYTES = 2 * SECTORS * SECTOR_BYTES };

int main(void) {
  static uint8_t memory[FLASH_BYTES];
  static uint8_t keep[FLASH_BYTES];
  static cuts_flash flash;
  cuts_flash_init(&flash, memory, SECTORS, SECTOR_BYTES, 4);
  if (cuts_install(&flash, trust_old_update, trust_old_update_bytes) != MOTE_DONE) return 1;
  cuts_case of = {trust_old, trust_old_bytes, trust_old_update, trust_old_update_bytes, trust_new, trust_new_bytes, trust_patch_update, trust_patch_update_bytes};
  cuts_result result = cuts_all(&flash, keep, &of, 1, 0, NULL, NULL);
  printf("%u %u %u\n", (unsigned)result.places, (unsigned)result.tried, (unsigned)result.survived);
  return flash.mistakes > 0;
}
