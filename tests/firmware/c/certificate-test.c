/**
 * Self-tests of models' certificates, to be built with AddressSanitizer and UBSan.
 * Usage: certificate-test CORE.wasm [KIND FILE STATUS]...
 * KIND: core, FILE being a container for the core by wasm3; module, one that wasm3 runs; data, a fast module taken for data. STATUS: what mote_self_test
 * answers.
 */
#include "check.h"
#include "mote.h"

static uint8_t memory[1u << 20];

static mote_source source_of(const char *kind, bytes core, bytes file) {
  mote_source source = {.engine = &mote_wasm3, .module = file.data, .module_bytes = file.length};
  if (strcmp(kind, "data") == 0) source.engine = &mote_data;
  if (strcmp(kind, "core") == 0) {
    source.module = core.data;
    source.module_bytes = core.length;
    source.container = file.data;
    source.container_bytes = file.length;
  }
  return source;
}

static void check_file(mote_source source, const char *path, mote_status expected) {
  mote *model;
  CHECK(mote_begin(&model, &source, memory, sizeof memory) == MOTE_BUSY, "%s: begin", path);
  CHECK(mote_self_test(model) == MOTE_ERROR_ORDER, "%s: while loading", path);
  CHECK(mote_run(model) == MOTE_DONE, "%s: open", path);
  for (int twice = 0; twice < 2; twice++) {
    mote_status status = mote_self_test(model);
    CHECK(status == expected, "%s: %d, expected %d: %s", path, (int)status, (int)expected, mote_status_text(status));
  }
  int8_t element;
  mote_status wanted = mote_rows_at_once(model) < mote_input_tensor(model, 0).height ? MOTE_ERROR_ROWS : MOTE_ERROR_ORDER;
  CHECK(mote_step(model, 1) == wanted, "%s: inputs are to be set anew", path);
  CHECK(mote_get_output_i8(model, 0, &element, 1) == MOTE_ERROR_ORDER, "%s: no output stands", path);
  mote_close(model);
  CHECK(mote_self_test(model) == MOTE_ERROR_ORDER, "%s: closed", path);
}

int main(int argc, char **argv) {
  bytes core = read_bytes(argv[1]);
  CHECK(mote_self_test(NULL) == MOTE_ERROR_ARGUMENT, "null");
  for (int i = 2; i + 2 < argc; i += 3) {
    bytes file = read_bytes(argv[i + 1]);
    check_file(source_of(argv[i], core, file), argv[i + 1], (mote_status)atoi(argv[i + 2]));
    free(file.data);
  }
  free(core.data);
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed != 0;
}
