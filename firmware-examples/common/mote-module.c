/** Sections and data segments of a module: WebAssembly core specification 1.0, 5.5. */
#include "mote-module.h"

#include <string.h>

#define HEADER_BYTES 8u
#define EXPORT_SECTION 7u
/** The seal's name, and the whole: a custom section (0), its length, the name's length, the name, the CRC-32. */
#define NAME_BYTES ((uint8_t)(sizeof MOTE_SEAL_SECTION - 1))
#define SEAL_BYTES (3u + NAME_BYTES + 4u)

uint32_t mote_read_u8(mote_reader *r) {
  if (r->next >= r->end) {
    r->ok = false;
    return 0;
  }
  return *r->next++;
}

uint32_t mote_read_leb(mote_reader *r) {
  uint32_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    uint32_t byte = mote_read_u8(r);
    if (shift == 28 && byte > 15) break;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  r->ok = false;
  return 0;
}

mote_bytes mote_read_bytes(mote_reader *r) {
  mote_bytes found = {NULL, mote_read_leb(r)};
  found.data = r->next;
  if (!r->ok || found.length > (uint32_t)(r->end - r->next)) {
    r->ok = false;
    found.length = 0;
  }
  r->next += found.length;
  return found;
}

mote_reader mote_read_part(mote_reader *r) {
  mote_bytes bytes = mote_read_bytes(r);
  return (mote_reader){bytes.data, bytes.data + bytes.length, r->ok};
}

mote_reader mote_module_sections(mote_bytes module) {
  mote_reader sections = {module.data, module.data + module.length, module.length > HEADER_BYTES};
  if (sections.ok) sections.next += HEADER_BYTES;
  return sections;
}

/** The next section of this id, behind those before it; not ok when there is none. */
static mote_reader find_section(mote_reader *sections, uint32_t id) {
  mote_reader section = {NULL, NULL, false};
  while (sections->ok) {
    uint32_t found = mote_read_u8(sections);
    section = mote_read_part(sections);
    if (found == id) break;
  }
  return section;
}

bool mote_module_is_sealed(mote_bytes module) {
  static const uint8_t head[] = {0, 1 + NAME_BYTES + 4, NAME_BYTES};
  if (module.length < SEAL_BYTES) return false;
  const uint8_t *seal = module.data + module.length - SEAL_BYTES;
  if (memcmp(seal, head, sizeof head) != 0 || memcmp(seal + sizeof head, MOTE_SEAL_SECTION, NAME_BYTES) != 0) return false;
  return mote_get_u32(seal + sizeof head + NAME_BYTES) == mote_crc32(module.data, (size_t)(seal - module.data));
}

mote_bytes mote_read_segment(mote_reader *segments, uint32_t *address) {
  if (mote_read_leb(segments) != 0 || mote_read_u8(segments) != MOTE_OP_I32_CONST) segments->ok = false;
  *address = mote_read_leb(segments);
  /* A constant is signed: bit 6 of its last byte. */
  if (!segments->ok || *address > MOTE_MAX_BYTES || (segments->next[-1] & 0x40) != 0) segments->ok = false;
  if (mote_read_u8(segments) != MOTE_OP_END) segments->ok = false;
  return mote_read_bytes(segments);
}

uint32_t mote_module_export(mote_bytes module, const char *name) {
  mote_reader sections = mote_module_sections(module);
  mote_reader exports = find_section(&sections, EXPORT_SECTION);
  for (uint32_t left = mote_read_leb(&exports); exports.ok && left > 0; left--) {
    mote_bytes title = mote_read_bytes(&exports);
    uint32_t kind = mote_read_u8(&exports);
    uint32_t index = mote_read_leb(&exports);
    if (exports.ok && kind == 0 && title.length == strlen(name) && memcmp(title.data, name, title.length) == 0) return index;
  }
  return MOTE_NO_FUNCTION;
}

const uint8_t *mote_module_initial(mote_bytes module, uint32_t address, uint32_t length) {
  mote_reader sections = mote_module_sections(module);
  mote_reader segments = find_section(&sections, MOTE_DATA_SECTION);
  for (uint32_t left = mote_read_leb(&segments); segments.ok && left > 0; left--) {
    uint32_t start;
    mote_bytes segment = mote_read_segment(&segments, &start);
    if (segments.ok && address >= start && length <= segment.length && address - start <= segment.length - length) {
      return segment.data + (address - start);
    }
  }
  return NULL;
}

bool mote_module_fill(mote_bytes module, uint8_t *linear, uint32_t linear_bytes) {
  mote_reader sections = mote_module_sections(module);
  mote_reader segments = find_section(&sections, MOTE_DATA_SECTION);
  for (uint32_t left = mote_read_leb(&segments); segments.ok && left > 0; left--) {
    uint32_t start;
    mote_bytes segment = mote_read_segment(&segments, &start);
    if (!segments.ok || start > linear_bytes || segment.length > linear_bytes - start) return false;
    memcpy(linear + start, segment.data, segment.length);
  }
  return segments.ok;
}

uint32_t mote_module_initial_u32(mote_bytes module, uint32_t address) {
  const uint8_t *word = mote_module_initial(module, address, 4);
  return word == NULL ? 0 : mote_get_u32(word);
}

mote_bytes mote_module_section(mote_bytes module, const char *name) {
  mote_reader sections = mote_module_sections(module);
  for (;;) {
    mote_reader section = find_section(&sections, MOTE_CUSTOM_SECTION);
    if (!section.ok) return (mote_bytes){NULL, 0};
    mote_bytes title = mote_read_bytes(&section);
    if (section.ok && title.length == strlen(name) && memcmp(title.data, name, title.length) == 0) {
      return (mote_bytes){section.next, (uint32_t)(section.end - section.next)};
    }
  }
}

mote_status mote_module_measure(mote *model, mote_bytes module, mote_bytes stream) {
  if (mote_module_initial_u32(module, MOTE_CONTROL_MODEL_BYTES) != stream.length) return MOTE_ERROR_MODULE;
  uint32_t tensors = mote_module_initial_u32(module, MOTE_CONTROL_TENSOR_COUNT);
  if (tensors > MOTE_MAX_TENSORS) return MOTE_ERROR_MODULE;
  uint32_t state = mote_module_initial_u32(module, MOTE_CONTROL_TENSORS_PTR) + MOTE_TENSOR_STATE;
  uint32_t ends = 0;
  for (; tensors > 0; tensors--, state += MOTE_TENSOR_ENTRY_BYTES) {
    ends += (mote_module_initial_u32(module, state) & MOTE_TENSOR_IS_END) != 0;
  }
  return mote_measure_fast(model, stream, mote_module_initial_u32(module, MOTE_CONTROL_MEMORY_BYTES), ends);
}

mote_bytes mote_module_metadata(const mote *model) {
  mote_bytes module = {model->source.module, model->source.module_bytes};
  return mote_module_section(module, MOTE_METADATA_SECTION);
}
