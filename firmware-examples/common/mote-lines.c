/**
 * The kernel of layers that go by turns of some lines: makes room in the lines that a layer's output keeps, then says in the layer's entry, which stands
 * behind, what the layer is to do in this turn.
 */
#include "mote-layer.h"

/** Native units of a channel, and of a byte of it that moves or is filled. */
enum { CHANNEL_WORK = 40, BYTE_WORK = 4 };

/** An entry at work, and what it says of the turn. */
typedef struct turn {
  mote_layer w;
  const uint8_t *entry;
  /** The layer's. */
  uint8_t *following;
  uint32_t number;
  /** The layer has had so many before; and whether it has none now, but waits for another. */
  uint32_t passed;
  bool waits;
  /** Lines of the output, from the first one on, which may be above it, to before the end. */
  int64_t first;
  int64_t end;
  /** Bytes of a channel that stay, and that are new. */
  uint32_t kept;
  uint32_t added;
} turn;

/** @returns whether the layer's entry is there, in front of the progress, and all lines that are kept are within linear memory */
static bool begin_turn(turn *t, const mote *model, uint32_t layer, uint32_t progress) {
  mote_layer *w = &t->w;
  if (!mote_layer_read(w, model, layer, progress)) return false;
  if (progress < 2 * MOTE_LAYER_ENTRY_BYTES || layer > progress - 2 * MOTE_LAYER_ENTRY_BYTES) return false;
  t->entry = model->linear + layer;
  t->following = model->linear + layer + MOTE_LAYER_ENTRY_BYTES;
  t->number = load_word(w->progress + MOTE_PROGRESS_TURN);
  uint32_t shift = t->entry[MOTE_LINES_SHIFT] & 31;
  t->passed = t->number >> shift;
  t->waits = ((t->number + 1) & ((1u << shift) - 1)) != 0;
  uint32_t count = t->entry[MOTE_LINES_COUNT];
  uint32_t height = load_half(t->entry + MOTE_LINES_HEIGHT);
  t->first = (int64_t)t->passed * count - t->entry[MOTE_LINES_ABOVE];
  t->end = t->first + count < height ? t->first + count : height;
  t->kept = load_word(t->entry + MOTE_LINES_KEPT);
  t->added = load_word(t->entry + MOTE_LINES_NEW);
  if (t->added == 0) return true;
  uint64_t last = w->output + (uint64_t)w->output_plane * (w->rows - 1) + t->kept + t->added;
  return w->output >= progress + MOTE_PROGRESS_BYTES && last <= model->linear_bytes;
}

/** Moves bytes to lower addresses. memmove goes byte by byte where the two are not aligned alike, and lines hardly ever are. */
static void move(uint8_t *to, const uint8_t *from, uint32_t bytes) {
  if (!HAS_LANES) {
    memmove(to, from, bytes);
    return;
  }
  for (; bytes >= 16; bytes -= 16, to += 16, from += 16) {
    uint32_t a = load_word(from);
    uint32_t b = load_word(from + 4);
    uint32_t c = load_word(from + 8);
    uint32_t d = load_word(from + 12);
    put_word(to, a);
    put_word(to + 4, b);
    put_word(to + 8, c);
    put_word(to + 12, d);
  }
  for (; bytes > 0; bytes--) *to++ = *from++;
}

/** Moves a channel's lines up and fills those that are new. Lines above the output are there from the first turn on, and stay as they are. */
static bool move_lines(const turn *t) {
  const mote_layer *w = &t->w;
  uint8_t *begin = w->model->linear + w->output + w->row * w->output_plane;
  uint64_t outside = 0;
  if (t->passed != 0) {
    uint64_t lines = t->end > t->first ? (uint64_t)(t->end - t->first) : 0;
    move(begin, begin + t->added, t->kept);
    outside = t->kept + lines * load_word(t->following + MOTE_LAYER_OUTPUT_PITCH);
  }
  uint64_t all = (uint64_t)t->kept + t->added;
  if (outside > all) return false;
  memset(begin + outside, t->entry[MOTE_LINES_ZERO], (size_t)(all - outside));
  return true;
}

/** Where something is in this turn: `above` lines of `pitch` behind where the turn begins. */
static uint32_t place_of(const turn *t, uint32_t begin, uint32_t step, uint32_t above, uint32_t pitch) {
  return load_word(t->entry + begin) + t->passed * load_word(t->entry + step) + above * pitch;
}

/** Writes the layer's entry. What stands there is for the layer's kernel to check. */
static void direct(const turn *t) {
  mote_put_u32(t->w.model->linear + MOTE_CONTROL_LAYERS_DONE, load_half(t->entry + MOTE_LINES_LAYER));
  uint32_t above = t->first < 0 ? (uint32_t)-t->first : 0;
  uint32_t height = t->end > t->first + above ? (uint32_t)(t->end - t->first - above) : 0;
  uint8_t *to = t->following;
  mote_put_u32(to + MOTE_LAYER_OUTPUT_HEIGHT, height);
  uint32_t pitch = load_word(to + MOTE_LAYER_OUTPUT_PITCH);
  mote_put_u32(to + MOTE_LAYER_OUTPUT, place_of(t, MOTE_LINES_TARGET, MOTE_LINES_TARGET_STEP, above, pitch));
  pitch = load_word(t->entry + MOTE_LINES_SOURCE_PITCH);
  mote_put_u32(to + MOTE_LAYER_INPUT, place_of(t, MOTE_LINES_SOURCE, MOTE_LINES_SOURCE_STEP, above, pitch));
  if (load_word(t->entry + MOTE_LINES_OTHER) != 0) {
    pitch = load_word(to + MOTE_LAYER_OTHER_PITCH);
    mote_put_u32(to + MOTE_LAYER_OTHER, place_of(t, MOTE_LINES_OTHER, MOTE_LINES_OTHER_STEP, above, pitch));
  }
  if (load_word(to + MOTE_LAYER_KIND) == MOTE_KIND_DEPTHWISE) {
    to[MOTE_LAYER_DEPTH_LINES] = (uint8_t)((height + 1) >> 1);
    to[MOTE_LAYER_DEPTH_LINES + 1] = (uint8_t)((height + 1) >> 9);
  }
}

/** The turn's number stands in the progress from the beginning, and stays there. */
int32_t mote_kernel_lines(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  turn t;
  if (!begin_turn(&t, model, layer, progress)) return MOTE_KERNEL_TRAP;
  int32_t spent = CHANNEL_WORK;
  if (t.waits) {
    mote_put_u32(t.following + MOTE_LAYER_OUTPUT_HEIGHT, 0);
    t.w.row = t.w.rows;
    t.w.position = load_word(t.entry + MOTE_LINES_STREAM);
    mote_layer_end(&t.w, 0, t.number, 0);
    return spent;
  }
  do {
    spent += CHANNEL_WORK;
    if (t.added != 0) {
      if (!move_lines(&t)) return MOTE_KERNEL_TRAP;
      uint32_t moved = t.kept + t.added;
      spent += BYTE_WORK * (int32_t)(moved < INT32_MAX / 16 ? moved : INT32_MAX / 16);
    }
  } while (++t.w.row < t.w.rows && spent < budget);
  t.w.position = load_word(t.entry + MOTE_LINES_STREAM);
  if (t.w.row == t.w.rows) direct(&t);
  mote_layer_end(&t.w, 0, t.number, 0);
  return spent;
}
