/**
 * Checks a module before wasm3 0.5.0 sees it, which runs what it gets: SPEC.md, "Modules". A validator for the integers of WebAssembly 1.0 as
 * `mote pack` writes them, with limits on what wasm3 keeps in arrays of fixed size or on the native stack.
 */
#include "mote-check.h"

#include <string.h>

enum { TYPE_SECTION = 1, IMPORT_SECTION, FUNCTION_SECTION, MEMORY_SECTION = 5, GLOBAL_SECTION, EXPORT_SECTION, CODE_SECTION = 10 };

/** A bit for each section there may be. */
#define KNOWN_SECTIONS 0x0ceeu

uint32_t mote_read_below(mote_reader *r, uint32_t limit) {
  uint32_t value = mote_read_leb(r);
  if (value < limit) return value;
  r->ok = false;
  return 0;
}

uint32_t mote_read_type(mote_reader *r) {
  uint32_t type = 0x7f - mote_read_u8(r);
  if (type > MOTE_I64) r->ok = false;
  return type;
}

void mote_skip_leb(mote_reader *r) {
  while (mote_read_u8(r) >= 0x80) {
  }
}

static mote_signature read_signature(mote_reader *r) {
  mote_signature read = {0, 0, MOTE_NONE};
  if (mote_read_u8(r) != 0x60) r->ok = false;
  read.count = (uint8_t)mote_read_below(r, MOTE_MODULE_MAX_PARAMETERS + 1);
  for (uint32_t i = 0; i < read.count; i++) read.types |= (uint8_t)(mote_read_type(r) << i);
  if (mote_read_below(r, 2) != 0) read.result = (uint8_t)mote_read_type(r);
  return read;
}

static void read_entry(mote_checker *c, mote_reader *r, uint32_t section) {
  switch (section) {
    case TYPE_SECTION:
      c->types[c->type_count++] = read_signature(r);
      break;
    case IMPORT_SECTION:
      (void)mote_read_bytes(r);
      (void)mote_read_bytes(r);
      /* A function. */
      if (mote_read_u8(r) != 0) r->ok = false;
      c->frames[c->imported++] = 1;
      /* fall through */
    case FUNCTION_SECTION:
      c->function_types[c->function_count++] = (uint8_t)mote_read_below(r, c->type_count);
      break;
    case MEMORY_SECTION:
      /* It has a maximum. */
      if (mote_read_u8(r) != 1) r->ok = false;
      mote_skip_leb(r);
      mote_skip_leb(r);
      break;
    case GLOBAL_SECTION: {
      uint32_t type = mote_read_type(r);
      c->global_types[c->global_count++] = (uint8_t)type;
      /* It can be set; a constant; its end. */
      if (mote_read_u8(r) != 1 || mote_read_u8(r) != MOTE_OP_I32_CONST + type) r->ok = false;
      mote_skip_leb(r);
      if (mote_read_u8(r) != MOTE_OP_END) r->ok = false;
      break;
    }
    case EXPORT_SECTION:
      (void)mote_read_bytes(r);
      (void)mote_read_u8(r);
      mote_skip_leb(r);
      break;
    case CODE_SECTION:
      (void)mote_read_bytes(r);
      break;
    default: {
      uint32_t address;
      (void)mote_read_segment(r, &address);
    }
  }
}

/** Sections in order, each at most once, with entries of known kinds. */
static bool check_sections(mote_checker *c, mote_bytes module) {
  mote_reader sections = mote_module_sections(module);
  uint32_t last = 0;
  uint32_t body_count = 0;
  while (sections.ok && sections.next != sections.end) {
    uint32_t id = mote_read_u8(&sections);
    mote_reader section = mote_read_part(&sections);
    if (id == MOTE_CUSTOM_SECTION) {
      /* wasm3 looks into the one called "name". */
      if (mote_read_bytes(&section).length == 4 || !section.ok) return false;
      continue;
    }
    if (id > MOTE_DATA_SECTION || (KNOWN_SECTIONS >> id & 1) == 0 || id <= last) return false;
    last = id;
    uint32_t most = id == TYPE_SECTION ? MOTE_MODULE_MAX_TYPES : MOTE_MODULE_MAX_ITEMS;
    if (id == FUNCTION_SECTION) most -= c->imported;
    uint32_t count = mote_read_below(&section, most + 1);
    if (id == CODE_SECTION) {
      c->bodies = section;
      body_count = count;
    }
    for (; section.ok && count > 0; count--) read_entry(c, &section, id);
    if (!section.ok || section.next != section.end) return false;
  }
  return sections.ok && body_count == c->function_count - c->imported;
}

bool mote_module_check(mote_bytes module) {
  mote_checker c;
  memset(&c, 0, sizeof c);
  if (!check_sections(&c, module)) return false;
  /* Again as long as that makes more functions known. What calls itself, or one another, never is. */
  uint32_t left = c.function_count - c.imported;
  uint32_t before;
  do {
    before = left;
    mote_reader bodies = c.bodies;
    for (uint32_t function = c.imported; function < c.function_count; function++) {
      c.code = mote_read_part(&bodies);
      if (c.frames[function] != 0) continue;
      c.frames[function] = (uint8_t)mote_check_function(&c, mote_signature_of(&c, function));
      if (!c.code.ok) return false;
      left -= c.frames[function] != 0;
    }
  } while (left < before);
  return left == 0;
}

uint32_t mote_module_follow(mote_bytes module, const mote_function_set *replaced, mote_function_set *runs) {
  mote_checker c;
  memset(&c, 0, sizeof c);
  if (!check_sections(&c, module)) return 0;
  memset(c.frames, 1, sizeof c.frames);
  c.called = *runs;
  uint32_t idle;
  do {
    *runs = c.called;
    idle = 0;
    mote_reader bodies = c.bodies;
    for (uint32_t function = c.imported; function < c.function_count; function++) {
      c.code = mote_read_part(&bodies);
      if (mote_function_is_in(runs, function) && !mote_function_is_in(replaced, function)) {
        (void)mote_check_function(&c, mote_signature_of(&c, function));
      } else {
        idle += (uint32_t)(c.code.end - c.code.next);
      }
    }
  } while (memcmp(&c.called, runs, sizeof *runs) != 0);
  for (size_t i = 0; i < sizeof runs->bits; i++) runs->bits[i] &= (uint8_t)~replaced->bits[i];
  return idle;
}
