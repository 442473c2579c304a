/** What stands outside linear memory: a container or a fast module's stream. What the library itself reads of it: SPEC.md, "File". */
#include <string.h>

#include "mote-internal.h"

/** Bytes asked of the source's `read` at a time: the head and some tensors. */
#define PIECE_BYTES 48u

/** Goes through a container, or through metadata alone. After an error all that is read is 0. */
typedef struct reader {
  const mote_source *source;
  const uint8_t *next;
  const uint8_t *end;
  /** Offset in the container of what comes behind `end`. */
  uint32_t offset;
  mote_status status;
  /** Of a small container: its fields are bits of a stream, of which this is the interval that has been chosen, and the place in it; 0 otherwise. */
  uint32_t range;
  uint32_t code;
  uint8_t piece[PIECE_BYTES];
} reader;

static void begin(reader *r, const mote_source *source, uint32_t offset) {
  r->source = source;
  r->next = r->end = r->piece;
  r->offset = offset;
  r->status = MOTE_DONE;
  r->range = r->code = 0;
}

/** Bytes that have not been read. */
static uint32_t bytes_left(const reader *r) { return (uint32_t)(r->end - r->next) + r->source->container_bytes - r->offset; }

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

/** A byte as it stands. */
static uint32_t read_plain(reader *r) {
  if (r->next == r->end && r->status == MOTE_DONE) r->status = refill(r);
  return r->status == MOTE_DONE ? *r->next++ : 0;
}

/** A bit of a stream, which is as likely a 0 as a 1. Behind the stream's end there are zeros. */
static uint32_t read_bit(reader *r) {
  while (r->range < 1u << 24) {
    r->range <<= 8;
    r->code = r->code << 8 | (bytes_left(r) > 0 ? read_plain(r) : 0);
  }
  uint32_t bound = r->range >> 16 << 15;
  if (r->code < bound) {
    r->range = bound;
    return 1;
  }
  r->code -= bound;
  r->range -= bound;
  return 0;
}

/** @param count at most 32 */
static uint32_t read_bits(reader *r, uint32_t count) {
  uint32_t value = 0;
  for (uint32_t place = 0; place < count; place++) value |= read_bit(r) << place;
  return value;
}

/** A number of a stream, below 2^31. */
static uint32_t read_number(reader *r) {
  uint32_t length = 0;
  while (length < MOTE_MAX_NUMBER_LENGTH && read_bit(r) != 0) length++;
  return (1u << length) - 1 + read_bits(r, length);
}

/** Whether a field is there: of a small container a bit in front of it says so. */
static bool is_stated(reader *r) { return r->range == 0 || read_bit(r) != 0; }

static uint32_t read_u8(reader *r) { return r->range != 0 ? read_number(r) : read_plain(r); }

static uint32_t read_u32(reader *r) {
  uint32_t value = 0;
  for (unsigned shift = 0; shift < 32; shift += 8) value |= read_u8(r) << shift;
  return value;
}

/** LEB128 below 2^31, or a number. */
static uint32_t read_varint(reader *r) {
  if (r->range != 0) return read_number(r);
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

/** @param count at least 1. @returns the last one */
static uint32_t read_varints(reader *r, uint32_t count) {
  uint32_t value;
  do value = read_varint(r);
  while (--count > 0);
  return value;
}

/** Up to the first tensor. */
static mote_status read_head(reader *r, mote_head *head) {
  uint32_t magic = read_plain(r);
  bool is_small = magic == MOTE_SMALL_TAG;
  for (unsigned shift = 8; shift < (is_small ? 24 : 32); shift += 8) magic |= read_plain(r) << shift; /* of a small one, the crc */
  if (r->status != MOTE_DONE) return r->status;
  if (is_small) {
    r->range = 1;
  } else {
    if ((magic & 0xffffff) != MOTE_MAGIC) return MOTE_STATUS_MAGIC;
    if (magic >> 24 != MOTE_VERSION) return MOTE_STATUS_VERSION;
    (void)read_u32(r); /* crc */
  }
  head->tensor_count = read_varints(r, 3); /* behind ops and codecs */
  (void)read_varint(r);                    /* layerCount */
  uint64_t window = MOTE_SMALL_WINDOW_BYTES;
  if (is_stated(r)) window = (uint64_t)read_varint(r) * MOTE_PLAN_UNIT;
  uint64_t rest = read_varint(r);                                  /* scratch */
  rest = (rest + read_varint(r)) * MOTE_PLAN_UNIT;                 /* arena */
  if (r->status != MOTE_DONE) return r->status;
  if (head->tensor_count > MOTE_MAX_TENSORS) return MOTE_STATUS_RANGE;
  rest += MOTE_PLAN_BASE + head->tensor_count * MOTE_TENSOR_ENTRY_BYTES;
  if (window + rest >= MOTE_MAX_BYTES) return MOTE_STATUS_RANGE;
  head->plan_bytes = (uint32_t)(window + rest);
  head->plan_without_window_bytes = (uint32_t)rest;
  return MOTE_DONE;
}

/** The bits of a scale, of a small container where they are not what goes without saying. */
static uint32_t read_scale(reader *r) {
  if (!is_stated(r)) return MOTE_SMALL_SCALE_BITS;
  return r->range != 0 ? read_bits(r, 32) : read_u32(r);
}

/** Reads a tensor. @returns whether it is an end: then `scale_bits` is its scale's */
static bool read_tensor(reader *r, uint32_t *scale_bits) {
  if (is_stated(r)) (void)read_varint(r); /* channels */
  uint32_t flags = read_u8(r);
  if (r->range != 0) flags = flags << 4 | flags >> 4;
  if ((flags & MOTE_FLAG_SIZE) != 0) (void)read_varints(r, 2); /* height, width */
  if ((flags & MOTE_FLAG_NOMINAL) != 0) (void)read_varint(r);
  if ((flags & MOTE_FLAG_END) != 0) *scale_bits = read_scale(r);
  if (is_stated(r)) (void)(r->range != 0 ? read_bits(r, 8) : read_u8(r)); /* zeroPoint */
  if (is_stated(r)) (void)read_varint(r);                                /* offset */
  if ((flags & MOTE_FLAG_STATE) != 0) (void)read_varint(r);              /* source */
  return (flags & MOTE_FLAG_END) != 0;
}

mote_status mote_container_head(mote *model, mote_head *head) {
  reader r;
  uint32_t scale_bits = 0;
  uint32_t ends = 0;
  begin(&r, &model->source, 0);
  mote_status status = read_head(&r, head);
  for (uint32_t tensor = 0; status == MOTE_DONE && tensor < head->tensor_count; tensor++) {
    if (read_tensor(&r, &scale_bits)) {
      if (model->ends != NULL) {
        if (ends == model->end_count || !mote_is_scale(scale_bits)) return MOTE_STATUS_RANGE;
        model->ends[ends].scale_bits = scale_bits;
      }
      ends++;
    }
    status = r.status;
  }
  if (model->ends == NULL) model->end_count = (uint16_t)ends;
  return status == MOTE_DONE && ends != model->end_count ? MOTE_STATUS_RANGE : status;
}

/** Where the metadata of a model is, and the reader of it up to an entry's content. */
typedef struct entry {
  mote_source source;
  reader reader;
  uint32_t length;
} entry;

/** Finds the first entry of a kind. @returns MOTE_ERROR_ARGUMENT where there is none; otherwise as mote_label */
static mote_status find_entry(const mote *model, uint32_t kind, entry *e) {
  if (!mote_is_open(model)) return MOTE_ERROR_ORDER;
  e->source = model->source;
  uint32_t offset = 0;
  if (model->form == MOTE_FORM_BESIDE) {
    offset = mote_linear_u32(model, MOTE_CONTROL_METADATA);
    if (offset > e->source.container_bytes) return MOTE_ERROR_MODULE;
  } else {
    mote_bytes metadata = model->source.engine->metadata(model);
    e->source.container = metadata.data;
    e->source.container_bytes = metadata.length;
  }
  begin(&e->reader, &e->source, offset);
  while (bytes_left(&e->reader) > 0) {
    uint32_t found = read_varint(&e->reader);
    e->length = read_varint(&e->reader);
    if (e->reader.status != MOTE_DONE) return e->reader.status;
    if (e->length > bytes_left(&e->reader)) return MOTE_STATUS_TRUNCATED;
    if (found == kind) return MOTE_DONE;
    for (; e->length > 0; e->length--) (void)read_u8(&e->reader);
  }
  return MOTE_ERROR_ARGUMENT;
}

/** Copies the one of the entry's lines, with a line feed between two, whose index this is. */
static mote_status read_line(entry *e, uint32_t index, char *text, size_t text_bytes) {
  size_t at = 0;
  for (; e->length > 0 && e->reader.status == MOTE_DONE; e->length--) {
    uint32_t byte = read_u8(&e->reader);
    if (byte == '\n' && index-- == 0) break;
    if (byte == '\n' || index != 0) continue;
    if (at + 1 >= text_bytes) return MOTE_ERROR_ARGUMENT;
    text[at++] = (char)byte;
  }
  if (e->reader.status != MOTE_DONE) return e->reader.status;
  if (at == 0) return MOTE_ERROR_ARGUMENT;
  text[at] = '\0';
  return MOTE_DONE;
}

static mote_status copy_line(const mote *model, uint32_t kind, uint32_t index, char *text, size_t text_bytes) {
  entry e;
  if (model == NULL || text == NULL || text_bytes == 0) return MOTE_ERROR_ARGUMENT;
  mote_status status = find_entry(model, kind, &e);
  if (status == MOTE_DONE) status = read_line(&e, index, text, text_bytes);
  if (status != MOTE_DONE) text[0] = '\0';
  return status;
}

mote_status mote_label(const mote *model, uint32_t index, char *text, size_t text_bytes) {
  return copy_line(model, MOTE_METADATA_LABELS, index, text, text_bytes);
}

mote_status mote_input_name(const mote *model, uint32_t input, char *text, size_t text_bytes) {
  uint32_t line = input < mote_input_count(model) ? input : UINT32_MAX;
  return copy_line(model, MOTE_METADATA_NAMES, line, text, text_bytes);
}

mote_status mote_output_name(const mote *model, uint32_t output, char *text, size_t text_bytes) {
  uint32_t line = output < mote_output_count(model) ? mote_input_count(model) + output : UINT32_MAX;
  return copy_line(model, MOTE_METADATA_NAMES, line, text, text_bytes);
}

static float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

mote_status mote_get_preprocessing(const mote *model, uint32_t channel, mote_preprocessing *preprocessing) {
  entry e;
  if (model == NULL || preprocessing == NULL) return MOTE_ERROR_ARGUMENT;
  mote_status status = find_entry(model, MOTE_METADATA_PREPROCESSING, &e);
  if (status != MOTE_DONE) return status;
  if (channel >= mote_input_tensor(model, 0).channels) return MOTE_ERROR_ARGUMENT;
  if (e.length != 2 + 8 * mote_input_tensor(model, 0).channels) return MOTE_STATUS_RANGE;
  preprocessing->layout = read_u8(&e.reader);
  preprocessing->colours = read_u8(&e.reader);
  uint32_t mean = 0;
  uint32_t std = 0;
  for (uint32_t at = 0; at <= channel; at++) {
    mean = read_u32(&e.reader);
    std = read_u32(&e.reader);
  }
  if (e.reader.status != MOTE_DONE) return e.reader.status;
  preprocessing->mean = float_of(mean);
  preprocessing->std = float_of(std);
  bool is_known = preprocessing->layout <= MOTE_LAYOUT_INTERLEAVED && preprocessing->colours <= MOTE_COLOURS_BGR;
  bool is_finite = (mean & 0x7f800000u) != 0x7f800000u && mote_is_scale(std);
  return is_known && is_finite ? MOTE_DONE : MOTE_STATUS_RANGE;
}

mote_status mote_certificate(const mote *model, uint32_t *vectors, uint32_t *outputs_crc) {
  entry e;
  mote_status status = find_entry(model, MOTE_METADATA_CERTIFICATE, &e);
  if (status != MOTE_DONE) return status;
  *vectors = read_varint(&e.reader);
  *outputs_crc = read_u32(&e.reader);
  /* Behind the runs are four words. */
  bool is_whole = e.length == (*vectors < 128 ? 17u : 18u);
  if (e.reader.status != MOTE_DONE) return e.reader.status;
  return is_whole && *vectors >= 1 && *vectors <= MOTE_MAX_VECTORS ? MOTE_DONE : MOTE_STATUS_RANGE;
}

mote_status mote_measure_container(mote *model) {
  mote_head head;
  mote_status status = mote_container_head(model, &head);
  if (status == MOTE_DONE) model->linear_bytes = head.plan_bytes;
  return status;
}

void mote_read_inside(mote *model, mote_form form, mote_bytes bytes) {
  model->form = (uint8_t)form;
  model->source.container = bytes.data;
  model->source.container_bytes = bytes.length;
  model->source.read = NULL;
}

mote_status mote_measure_fast(mote *model, mote_bytes stream, uint32_t linear_bytes, uint32_t end_count) {
  if (model->source.container_bytes != 0) return MOTE_ERROR_ARGUMENT;
  if (linear_bytes < MOTE_PLAN_BASE || linear_bytes > MOTE_MAX_BYTES) return MOTE_ERROR_MODULE;
  mote_read_inside(model, MOTE_FORM_FAST, stream);
  model->linear_bytes = linear_bytes;
  model->end_count = (uint16_t)end_count;
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

void mote_put_u32(uint8_t *bytes, uint32_t word) {
  for (unsigned i = 0; i < 4; i++) bytes[i] = (uint8_t)(word >> (8 * i));
}

uint32_t mote_crc32_on(uint32_t crc, const uint8_t *bytes, size_t length) {
  /* A nibble at a time: 64 bytes of table. */
  static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                     0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                     0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  crc = ~crc;
  for (size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    crc = table[crc & 15] ^ (crc >> 4);
    crc = table[crc & 15] ^ (crc >> 4);
  }
  return ~crc;
}

uint32_t mote_crc32(const uint8_t *bytes, size_t length) { return mote_crc32_on(0, bytes, length); }
