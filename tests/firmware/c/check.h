/** What the C test programs share: files, checks that go on after a failure, and buffers whose ends AddressSanitizer guards. */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks_failed;
static int checks_passed;

#define CHECK(condition, ...)                                        \
  do {                                                               \
    if (condition) {                                                 \
      checks_passed++;                                               \
    } else {                                                         \
      checks_failed++;                                               \
      printf("%s:%d: not true: %s: ", __FILE__, __LINE__, #condition); \
      printf(__VA_ARGS__);                                           \
      printf("\n");                                                  \
    }                                                                \
  } while (0)

typedef struct bytes {
  uint8_t *data;
  uint32_t length;
} bytes;

static inline bytes read_bytes(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
    printf("%s: cannot be read\n", path);
    exit(2);
  }
  bytes found = {NULL, (uint32_t)ftell(file)};
  rewind(file);
  found.data = malloc(found.length == 0 ? 1 : found.length);
  if (found.data == NULL || fread(found.data, 1, found.length, file) != found.length) exit(2);
  fclose(file);
  return found;
}

static inline uint32_t u32_at(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/** xorshift32: the same everywhere. */
static uint32_t random_state = 1;

static inline uint32_t random_u32(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state;
}

#endif
