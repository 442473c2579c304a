/** Sections and data segments of a module: WebAssembly core specification 1.0, 5.5. */
#include "mote-module.h"

#include <string.h>

#define HEADER_BYTES 8u
#define CUSTOM_SECTION 0u
#define CODE_SECTION 10u
#define DATA_SECTION 11u
#define I32_CONST 0x41u
#define END 0x0bu

/** Goes through the bytes of a module or a section. Behind their end `ok` is false, and what is read means nothing. */
typedef struct reader {
  const uint8_t *next;
  const uint8_t *end;
  bool ok;
} reader;

static uint32_t read_u8(reader *r) {
  if (r->next >= r->end) {
    r->ok = false;
    return 0;
  }
  return *r->next++;
}

static uint32_t read_leb(reader *r) {
  uint32_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    uint32_t byte = read_u8(r);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  r->ok = false;
  return 0;
}

/** A length, then as many bytes. */
static mote_bytes read_bytes(reader *r) {
  mote_bytes found = {NULL, read_leb(r)};
  found.data = r->next;
  if (!r->ok || found.length > (uint32_t)(r->end - r->next)) {
    r->ok = false;
    found.length = 0;
  }
  r->next += found.length;
  return found;
}

static reader reader_of(mote_bytes bytes) {
  reader r = {bytes.data, bytes.data + bytes.length, true};
  return r;
}

/** The next section's content; ok is false behind the last one. */
static reader read_section(reader *sections, uint32_t *id) {
  *id = read_u8(sections);
  reader section = reader_of(read_bytes(sections));
  section.ok = sections->ok;
  return section;
}

static reader sections_of(mote_bytes module) {
  reader sections = reader_of(module);
  sections.ok = module.length > HEADER_BYTES;
  if (sections.ok) sections.next += HEADER_BYTES;
  return sections;
}

bool mote_module_is_sealed(mote_bytes module) {
  static const uint8_t head[] = {0x00, 0x0d, 0x08, 'm', 'o', 't', 'e', '.', 'c', 'r', 'c'};
  if (module.length < sizeof head + 4) return false;
  const uint8_t *seal = module.data + module.length - sizeof head - 4;
  if (memcmp(seal, head, sizeof head) != 0) return false;
  return mote_get_u32(seal + sizeof head) == mote_crc32(module.data, (size_t)(seal - module.data));
}

/** The next data segment's bytes, and the address they go to. */
static mote_bytes read_segment(reader *segments, uint32_t *address) {
  if (read_leb(segments) != 0 || read_u8(segments) != I32_CONST) segments->ok = false;
  /* Signed; addresses stay far below where the sign would matter. */
  *address = read_leb(segments);
  if (*address > MOTE_MAX_BYTES || read_u8(segments) != END) segments->ok = false;
  return read_bytes(segments);
}

const uint8_t *mote_module_initial(mote_bytes module, uint32_t address, uint32_t length) {
  reader sections = sections_of(module);
  while (sections.ok) {
    uint32_t id;
    reader segments = read_section(&sections, &id);
    if (id != DATA_SECTION) continue;
    for (uint32_t left = read_leb(&segments); segments.ok && left > 0; left--) {
      uint32_t start;
      mote_bytes segment = read_segment(&segments, &start);
      if (segments.ok && address >= start && length <= segment.length && address - start <= segment.length - length) {
        return segment.data + (address - start);
      }
    }
  }
  return NULL;
}

uint32_t mote_module_initial_u32(mote_bytes module, uint32_t address) {
  const uint8_t *word = mote_module_initial(module, address, 4);
  return word == NULL ? 0 : mote_get_u32(word);
}

uint32_t mote_module_code_bytes(mote_bytes module) {
  reader sections = sections_of(module);
  while (sections.ok) {
    uint32_t id;
    reader section = read_section(&sections, &id);
    if (id == CODE_SECTION) return (uint32_t)(section.end - section.next);
  }
  return 0;
}

mote_bytes mote_module_stream(mote_bytes module) {
  reader sections = sections_of(module);
  while (sections.ok) {
    uint32_t id;
    reader section = read_section(&sections, &id);
    if (id != CUSTOM_SECTION) continue;
    mote_bytes name = read_bytes(&section);
    if (section.ok && name.length == sizeof MOTE_STREAM_SECTION - 1 && memcmp(name.data, MOTE_STREAM_SECTION, name.length) == 0) {
      return (mote_bytes){section.next, (uint32_t)(section.end - section.next)};
    }
  }
  return (mote_bytes){NULL, 0};
}
