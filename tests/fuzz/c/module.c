/**
 * Modules by wasm3, with and without native kernels, and as data: what mote_module_check lets through may do nonsense, trap or run without end, but
 * touches no memory but its own. As data it ends.
 */
/* For sigsetjmp, sigaction and setitimer. */
#define _XOPEN_SOURCE 600

#include "container.h"
#include "mote-module.h"
#include "patience.h"
#include "target.h"

/** Of processor time, for a call that does not come back. */
#define PATIENCE_US 20000
/** Behind a module: a section of four bytes, CRC-32 of what is in front of it. */
#define SEAL_BYTES 15u

static void interpret(mote_source source, const mote_engine *engine) {
  mote_bytes all = {source.module, source.module_bytes};
  source.engine = engine;
  if (mote_module_section(all, MOTE_STREAM_SECTION).data == NULL && mote_module_initial_u32(all, MOTE_CONTROL_MODEL_PTR) == 0) {
    source.container = container;
    source.container_bytes = sizeof container;
  }
  struct sigaction action = {.sa_handler = give_up};
  sigaction(SIGVTALRM, &action, NULL);
  if (sigsetjmp(endless, 1) != 0) return;
  set_patience(PATIENCE_US);
  (void)open_and_run(&source);
  set_patience(0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mote_source source = {&mote_data, data, (uint32_t)size, NULL, 0, NULL, NULL};
  if (size == 0) return 0;
  mote_status status = open_and_run(&source);
  EXPECT(status <= MOTE_BUSY, "as data: %d\n", (int)status);
  if (!mote_module_check((mote_bytes){data, (uint32_t)size})) return 0;
  interpret(source, &mote_wasm3);
  interpret(source, &mote_wasm3_native);
  return 0;
}

/** Most get their seal put right, since otherwise only the seal would be tested. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 16 != 0 && size > SEAL_BYTES) mote_put_u32(data + size - 4, mote_crc32(data, size - SEAL_BYTES));
  return size;
}
