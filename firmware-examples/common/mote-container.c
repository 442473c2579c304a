/** What stands outside linear memory: a container or a fast module's stream. What the library itself reads of it: SPEC.md, "File". */
#include <string.h>

#include "mote-internal.h"

/** Bytes asked of the source's `read` at a time: a header, or two or three tensors. */
#define PIECE_BYTES 48u

/** Goes through a container, or through metadata alone. After an error all that is read is 0. */
typedef struct reader {
  const mote_source *source;
  const uint8_t *next;
  const uint8_t *end;
  /** Offset in the container of what comes behind `end`. */
  uint32_t offset;
  mote_status status;
  uint8_t piece[PIECE_BYTES];
} reader;

static void begin(reader *r, const mote_source *source, uint32_t offset) {
  r->source = source;
  r->next = r->end = r->piece;
  r->offset = offset;
  r->status = MOTE_DONE;
}

static mote_status refill(reader *r) {
  const mote_source *source = r->source;
  uint32_t length = source->container_bytes - r->offset;
  if (length == 0) return MOTE_STATUS_TRUNCATED;
  if (source->read == NULL) {
    r->next = source->container + r->offset;
  } else {
    if (length > PIECE_BYTES) length = PIECE_BYTES;
    if (source->read(source->read_context, r->offset, r->piece, length) != 0) return MOTE_STATUS_READ;
    r->next = r->piece;
  }
  r->end = r->next + length;
  r->offset += length;
  return MOTE_DONE;
}

static uint32_t read_u8(reader *r) {
  if (r->next == r->end && r->status == MOTE_DONE) r->status = refill(r);
  return r->status == MOTE_DONE ? *r->next++ : 0;
}

static uint32_t read_u32(reader *r) {
  uint32_t value = 0;
  for (unsigned shift = 0; shift < 32; shift += 8) value |= read_u8(r) << shift;
  return value;
}

/** LEB128 below 2^31. */
static uint32_t read_varint(reader *r) {
  uint32_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    uint32_t byte = read_u8(r);
    if (shift == 28 && byte > 7) break;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  if (r->status == MOTE_DONE) r->status = MOTE_STATUS_RANGE;
  return 0;
}

/** Up to the first tensor. */
static mote_status read_header(reader *r, mote_header *header) {
  uint32_t magic = read_u32(r);
  uint32_t version = read_u8(r);
  if (r->status != MOTE_DONE) return r->status;
  if (magic != MOTE_MAGIC) return MOTE_STATUS_MAGIC;
  if (version != MOTE_VERSION) return MOTE_STATUS_VERSION;
  (void)read_u32(r);    /* crc */
  (void)read_varint(r); /* fileBytes */
  uint32_t tensors = read_varint(r);
  (void)read_varint(r); /* layerCount */
  uint64_t window = (uint64_t)read_varint(r) * MOTE_PLAN_UNIT;
  uint64_t rest = MOTE_PLAN_BASE + (uint64_t)tensors * MOTE_TENSOR_ENTRY_BYTES;
  for (int region = 0; region < 5; region++) rest += (uint64_t)read_varint(r) * MOTE_PLAN_UNIT;
  if (r->status != MOTE_DONE) return r->status;
  if (window + rest >= MOTE_MAX_BYTES) return MOTE_STATUS_RANGE;
  header->plan_bytes = (uint32_t)(window + rest);
  header->plan_without_window_bytes = (uint32_t)rest;
  return MOTE_DONE;
}

mote_status mote_container_header(const mote_source *source, mote_header *header) {
  reader r;
  begin(&r, source, 0);
  return read_header(&r, header);
}

mote_status mote_container_scales(mote *model, uint32_t output) {
  reader r;
  mote_header header;
  begin(&r, &model->source, 0);
  mote_status status = read_header(&r, &header);
  for (uint32_t tensor = 0; tensor <= output && status == MOTE_DONE; tensor++) {
    for (int field = 0; field < 4; field++) (void)read_varint(&r); /* channels .. nominalChannels */
    (void)read_u8(&r);                                              /* border */
    model->output.scale_bits = read_u32(&r);
    if (tensor == 0) model->input.scale_bits = model->output.scale_bits;
    (void)read_u8(&r);     /* zeroPoint */
    (void)read_varint(&r); /* offset */
    status = r.status;
  }
  return status;
}

/** Bytes that have not been read. */
static uint32_t bytes_left(const reader *r) { return (uint32_t)(r->end - r->next) + r->source->container_bytes - r->offset; }

/** Copies the one of the labels, `length` bytes with a line feed between two, whose index this is. */
static mote_status read_label(reader *r, uint32_t length, uint32_t index, char *text, size_t text_bytes) {
  size_t at = 0;
  for (; length > 0 && r->status == MOTE_DONE; length--) {
    uint32_t byte = read_u8(r);
    if (byte == '\n' && index-- == 0) break;
    if (byte == '\n' || index != 0) continue;
    if (at + 1 >= text_bytes) return MOTE_ERROR_ARGUMENT;
    text[at++] = (char)byte;
  }
  if (r->status != MOTE_DONE) return r->status;
  if (at == 0) return MOTE_ERROR_ARGUMENT;
  text[at] = '\0';
  return MOTE_DONE;
}

static mote_status find_label(const mote_source *source, uint32_t offset, uint32_t index, char *text, size_t text_bytes) {
  reader r;
  if (offset > source->container_bytes) return MOTE_ERROR_MODULE;
  begin(&r, source, offset);
  while (bytes_left(&r) > 0) {
    uint32_t kind = read_varint(&r);
    uint32_t length = read_varint(&r);
    if (r.status != MOTE_DONE) return r.status;
    if (length > bytes_left(&r)) return MOTE_STATUS_TRUNCATED;
    if (kind == MOTE_METADATA_LABELS) return read_label(&r, length, index, text, text_bytes);
    for (; length > 0; length--) (void)read_u8(&r);
  }
  return MOTE_ERROR_ARGUMENT;
}

mote_status mote_label(const mote *model, uint32_t index, char *text, size_t text_bytes) {
  if (model == NULL || text == NULL || text_bytes == 0) return MOTE_ERROR_ARGUMENT;
  text[0] = '\0';
  if (!mote_is_open(model)) return MOTE_ERROR_ORDER;
  mote_source source = model->source;
  uint32_t offset = 0;
  if (model->form == MOTE_FORM_BESIDE) {
    offset = mote_linear_u32(model, MOTE_CONTROL_METADATA);
  } else {
    mote_bytes metadata = source.engine->metadata(model);
    source.container = metadata.data;
    source.container_bytes = metadata.length;
  }
  mote_status status = find_label(&source, offset, index, text, text_bytes);
  if (status != MOTE_DONE) text[0] = '\0';
  return status;
}

mote_status mote_measure_container(mote *model) {
  mote_header header;
  mote_status status = mote_container_header(&model->source, &header);
  if (status == MOTE_DONE) model->linear_bytes = header.plan_bytes;
  return status;
}

void mote_read_inside(mote *model, mote_form form, mote_bytes bytes) {
  model->form = (uint8_t)form;
  model->source.container = bytes.data;
  model->source.container_bytes = bytes.length;
  model->source.read = NULL;
}

mote_status mote_measure_fast(mote *model, mote_bytes stream, uint32_t linear_bytes) {
  if (model->source.container_bytes != 0) return MOTE_ERROR_ARGUMENT;
  if (linear_bytes < MOTE_PLAN_BASE || linear_bytes > MOTE_MAX_BYTES) return MOTE_ERROR_MODULE;
  mote_read_inside(model, MOTE_FORM_FAST, stream);
  model->linear_bytes = linear_bytes;
  return MOTE_DONE;
}

uint32_t mote_import_read(uint32_t offset, uint32_t target, uint32_t length) {
  const mote *model = mote_at_work();
  const mote_source *source = &model->source;
  if (model->linear == NULL) return 1;
  if (offset > source->container_bytes || length > source->container_bytes - offset) return 1;
  if (target > model->linear_bytes || length > model->linear_bytes - target) return 1;
  if (source->read != NULL) return source->read(source->read_context, offset, model->linear + target, length) != 0;
  memcpy(model->linear + target, source->container + offset, length);
  return 0;
}

uint32_t mote_get_u32(const uint8_t *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

uint32_t mote_crc32(const uint8_t *bytes, size_t length) {
  /* A nibble at a time: 64 bytes of table. */
  static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                     0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                     0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    crc = table[crc & 15] ^ (crc >> 4);
    crc = table[crc & 15] ^ (crc >> 4);
  }
  return ~crc;
}
