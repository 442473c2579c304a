/**
 * The engine that takes a fast module for data: the module's initial data becomes linear memory, then the layer table is walked as assembly/fast/graph.ts
 * does it, with the library's kernels over the stream where it lies. No code of the module runs. Neither table nor stream is trusted: kernels check
 * what they are about to touch, and no layer may write over the table or the progress, so that a run ends when the table does.
 */
#include "mote-native.h"

#include "mote-module.h"

/** A unit of the module's own kernels is about 3 instructions. */
#define NATIVE_SHIFT 2u

/** Above it a slice ends before its budget does. */
#define MOST_BUDGET (1u << 30)

/** A bit for each kind whose kernel may keep sums below MOTE_PLAN_BASE. */
#define KINDS_WITH_STATICS \
  (1u << MOTE_KIND_CONV_BLOCKS | 1u << MOTE_KIND_CONV_GAPS | 1u << MOTE_KIND_CONV_QUADS | 1u << MOTE_KIND_DENSE_ROWS)

/** Of no entry. */
#define NO_KIND UINT32_MAX

/** How far the walk has come. Addresses are copies, which a layer cannot change. */
typedef struct walk {
  /** Of the layer table: what fills the states; what every run does; the entry at hand. */
  uint32_t states;
  uint32_t layers;
  uint32_t entry;
  /** Of the progress, which ends where the window begins. */
  uint32_t progress;
  /** Behind the window: layers write from here on. */
  uint32_t writable;
  /** Stream offset of the layer at hand. */
  uint32_t position;
  /** Of layers that go by turns: the turn at hand, and the first entry that it may lead back to. */
  uint32_t turn;
  uint32_t turns_from;
  /** The table has been looked at. */
  bool is_open;
  bool is_running;
  /** No run has been complete since the model was opened or reset: the states are still to be filled. */
  bool is_fresh;
} walk;

mote_status mote_data_measure(mote *model) {
  mote_bytes module = {model->source.module, model->source.module_bytes};
  if (!mote_module_is_sealed(module)) return MOTE_ERROR_MODULE;
  mote_bytes version = mote_module_section(module, MOTE_LAYOUT_SECTION);
  if (version.length != 1 || version.data[0] != MOTE_LAYOUT_VERSION) return MOTE_ERROR_MODULE;
  mote_bytes stream = mote_module_section(module, MOTE_STREAM_SECTION);
  return stream.data == NULL ? MOTE_ERROR_MODULE : mote_module_measure(model, module, stream);
}

size_t mote_data_needs(const mote *model) {
  return mote_heap_bytes(sizeof(mote)) + mote_heap_bytes(sizeof(walk)) + mote_heap_bytes(model->linear_bytes);
}

mote_status mote_data_instantiate(mote *model) {
  model->instance = mote_heap_calloc(&model->heap, sizeof(walk));
  model->linear = mote_heap_calloc(&model->heap, model->linear_bytes);
  if (model->instance == NULL || model->linear == NULL) return MOTE_ERROR_MEMORY;
  mote_bytes module = {model->source.module, model->source.module_bytes};
  return mote_module_fill(module, model->linear, model->linear_bytes) ? MOTE_DONE : MOTE_ERROR_MODULE;
}

static mote_status find_regions(const mote *model, walk *w) {
  uint32_t window = mote_linear_u32(model, MOTE_CONTROL_WINDOW_PTR);
  uint32_t window_bytes = mote_linear_u32(model, MOTE_CONTROL_WINDOW_BYTES);
  uint32_t tensors = mote_linear_u32(model, MOTE_CONTROL_TENSORS_PTR);
  uint32_t count = mote_linear_u32(model, MOTE_CONTROL_TENSOR_COUNT);
  w->layers = mote_linear_u32(model, MOTE_CONTROL_LAYERS_PTR);
  if (window > model->linear_bytes || window_bytes > model->linear_bytes - window) return MOTE_ERROR_MODULE;
  if (window_bytes < MOTE_FURTHER_BYTES || w->layers > window || tensors > w->layers || count > MOTE_MAX_TENSORS) return MOTE_ERROR_MODULE;
  w->states = tensors + count * MOTE_TENSOR_ENTRY_BYTES;
  if (w->states < MOTE_CONTROL_BLOCK_BYTES || w->states > w->layers) return MOTE_ERROR_MODULE;
  /* Not below 0, since both addresses are between the control block and the window. */
  w->progress = window - MOTE_PROGRESS_BYTES;
  w->writable = window + window_bytes;
  w->is_fresh = true;
  return MOTE_DONE;
}

/** @returns NO_KIND for an entry that is not all below the progress, which MOTE_KIND_END has but for its kind */
static uint32_t kind_at(const mote *model, const walk *w, uint32_t entry) {
  if (entry > w->progress - 4) return NO_KIND;
  uint32_t kind = mote_linear_u32(model, entry + MOTE_LAYER_KIND);
  return kind == MOTE_KIND_END || w->progress - entry >= MOTE_LAYER_ENTRY_BYTES ? kind : NO_KIND;
}

static mote_kernel_function kernel_for(const mote *model, uint32_t kind) {
  const mote_kind *known = model->source.engine->kinds;
  while (known->run != NULL && known->kind != kind) known++;
  return known->run;
}

/** Whether the walk itself does what there is to do for an entry of this kind. */
static bool takes_no_kernel(uint32_t kind) {
  return kind == MOTE_KIND_CONCAT || kind == MOTE_KIND_TURN || kind == MOTE_KIND_INPUT;
}

/** Whether there is a kernel for each layer. */
static mote_status look_at_table(mote *model, walk *w) {
  uint32_t entry = w->states;
  for (;; entry += MOTE_LAYER_ENTRY_BYTES) {
    uint32_t kind = kind_at(model, w, entry);
    if (kind == MOTE_KIND_END) break;
    if (kind > MOTE_KIND_END) return MOTE_ERROR_MODULE;
    if (takes_no_kernel(kind) || kernel_for(model, kind) != NULL) continue;
    mote_put_u32(model->linear + MOTE_CONTROL_ERROR_OFFSET, kind);
    return MOTE_ERROR_KERNEL;
  }
  w->is_open = true;
  return MOTE_DONE;
}

/** @returns whether the layer there may run: neither its outputs nor what its kernel keeps for itself are where the table or the progress is */
static bool begin_layer(mote *model, walk *w, uint32_t entry) {
  uint32_t window = w->progress + MOTE_PROGRESS_BYTES;
  uint32_t kind = kind_at(model, w, entry);
  if (kind >= MOTE_KIND_END || (w->states < MOTE_PLAN_BASE && (KINDS_WITH_STATICS >> kind & 1) != 0)) return false;
  /* Of layers that go by turns the output stands in the next entry; what lines these keep their kernel checks. */
  bool has_output = kind != MOTE_KIND_LINES && kind != MOTE_KIND_TURN;
  if (has_output && mote_linear_u32(model, entry + MOTE_LAYER_OUTPUT) < w->writable) return false;
  if (mote_linear_u32(model, MOTE_CONTROL_WINDOW_PTR) != window) return false;
  if (mote_linear_u32(model, MOTE_CONTROL_WINDOW_BYTES) != w->writable - window) return false;
  w->entry = entry;
  uint8_t *progress = model->linear + w->progress;
  for (uint32_t word = 0; word < MOTE_PROGRESS_BYTES; word += 4) mote_put_u32(progress + word, 0);
  /* Kernels that go by the turn find it here, and those whose entries do not say where their rows begin this. */
  mote_put_u32(progress + MOTE_PROGRESS_TURN, w->turn);
  mote_put_u32(progress + MOTE_PROGRESS_OWN + 8, w->position);
  return true;
}

static bool is_complete(const mote *model, const walk *w) {
  return mote_linear_u32(model, w->progress + MOTE_PROGRESS_ROW) >= mote_linear_u32(model, w->entry + MOTE_LAYER_ROWS);
}

static mote_status trap(walk *w) {
  w->is_running = false;
  return MOTE_ERROR_TRAP;
}

static mote_status start(mote *model, walk *w) {
  w->position = w->turn = 0;
  w->turns_from = w->states;
  mote_put_u32(model->linear + MOTE_CONTROL_LAYERS_DONE, 0);
  w->is_running = true;
  return begin_layer(model, w, w->is_fresh ? w->states : w->layers) ? MOTE_BUSY : trap(w);
}

/** Ends a turn. @returns the entry that follows, or 0 where the next turn would not be of these entries alone, so that turns end */
static uint32_t behind_turn(mote *model, walk *w) {
  const uint8_t *entry = model->linear + w->entry;
  uint32_t back = mote_get_u32(entry + MOTE_TURN_BACK);
  if (++w->turn < mote_get_u32(entry + MOTE_TURN_COUNT)) {
    bool is_one = back >= w->turns_from && back < w->entry && (w->entry - back) % MOTE_LAYER_ENTRY_BYTES == 0;
    return is_one ? back : 0;
  }
  w->turn = 0;
  w->turns_from = w->entry + MOTE_LAYER_ENTRY_BYTES;
  w->position = mote_get_u32(entry + MOTE_LINES_STREAM);
  uint32_t done = entry[MOTE_LINES_LAYER] | (uint32_t)entry[MOTE_LINES_LAYER + 1] << 8;
  mote_put_u32(model->linear + MOTE_CONTROL_LAYERS_DONE, done);
  return w->turns_from;
}

/** The entry behind one that is complete. */
static uint32_t following_entry(mote *model, walk *w, uint32_t kind) {
  uint32_t following = w->entry + MOTE_LAYER_ENTRY_BYTES;
  if (kind == MOTE_KIND_TURN) return behind_turn(model, w);
  /* The layer may have nothing to do in this turn. */
  bool is_idle = kind == MOTE_KIND_LINES && mote_linear_u32(model, following + MOTE_LAYER_OUTPUT_HEIGHT) == 0;
  return is_idle ? following + MOTE_LAYER_ENTRY_BYTES : following;
}

/** Behind a layer that is complete. */
static mote_status go_on(mote *model, walk *w, uint32_t kind) {
  uint32_t position = mote_linear_u32(model, w->progress + MOTE_PROGRESS_POSITION);
  if (position != 0) w->position = position - 1;
  uint8_t *done = model->linear + MOTE_CONTROL_LAYERS_DONE;
  if (kind < MOTE_KIND_BORDER) mote_put_u32(done, mote_get_u32(done) + 1);
  uint32_t following = following_entry(model, w, kind);
  uint32_t next = kind_at(model, w, following);
  if (next == MOTE_KIND_END) {
    w->is_running = w->is_fresh = false;
    return MOTE_DONE;
  }
  if (!begin_layer(model, w, following)) return trap(w);
  return next == MOTE_KIND_INPUT ? MOTE_STATUS_LINES : MOTE_BUSY;
}

/** A slice of a run. */
static mote_status step(mote *model, walk *w, uint32_t budget) {
  uint32_t kind = kind_at(model, w, w->entry);
  mote_kernel_function run = kernel_for(model, kind);
  int32_t left = (int32_t)(budget < MOST_BUDGET ? budget : MOST_BUDGET);
  while (!takes_no_kernel(kind) && !is_complete(model, w)) {
    if (left <= 0) return MOTE_BUSY;
    int32_t work = run == NULL ? MOTE_KERNEL_TRAP : mote_kernel_run(run, w->entry, w->progress, (uint32_t)left, NATIVE_SHIFT);
    if (work < 0) return trap(w);
    left -= work;
  }
  return go_on(model, w, kind);
}

mote_status mote_data_call(mote *model, mote_export which, uint32_t argument) {
  walk *w = model->instance;
  switch (which) {
    case MOTE_EXPORT_OPEN:
      return find_regions(model, w);
    case MOTE_EXPORT_START:
      return start(model, w);
    case MOTE_EXPORT_RESET:
      w->is_fresh = true;
      return MOTE_DONE;
    default:
      if (!w->is_open) return look_at_table(model, w);
      return w->is_running ? step(model, w, argument) : MOTE_DONE;
  }
}
