/** The library's calls over an engine that runs the core: see mote.h for what each does, SPEC.md for the core's interface. */
#include "mote-internal.h"

/** The innermost call's. Null between calls. */
static mote *at_work;

mote *mote_at_work(void) { return at_work; }

/** A call begins that may lead to the engine, and thence, by the source's `read`, to calls for other models. */
static void enter(mote *model) {
  model->outer = at_work;
  model->is_busy = true;
  at_work = model;
}

static void leave(mote *model) {
  at_work = model->outer;
  model->is_busy = false;
}

/** Up to the first slice of loading. */
static mote_status begin(mote *model) {
  const mote_engine *engine = model->source.engine;
  mote_status status = engine->measure(model);
  if (status != MOTE_DONE) return status;
  status = engine->instantiate(model);
  if (status != MOTE_DONE) return status;
  if (model->form == MOTE_FORM_BESIDE) {
    mote_put_u32(model->linear + MOTE_CONTROL_MODEL_PTR, 0);
    mote_put_u32(model->linear + MOTE_CONTROL_MODEL_BYTES, model->source.container_bytes);
  }
  status = engine->call(model, MOTE_EXPORT_OPEN, model->linear_bytes);
  if (status < 0) return status;
  uint32_t version = mote_linear_u32(model, MOTE_CONTROL_VERSION);
  if (version != MOTE_INTERFACE_VERSION && version != MOTE_INTERFACE_VERSION_LINES) return MOTE_ERROR_MODULE;
  return status > MOTE_BUSY ? MOTE_ERROR_MODULE : MOTE_BUSY;
}

/** Whether there is all that the engines rely on. */
static bool is_whole(const mote_source *source) {
  if (source == NULL || source->engine == NULL || source->module == NULL) return false;
  return source->container != NULL || source->read != NULL || source->container_bytes == 0;
}

mote_status mote_begin(mote **model, const mote_source *source, void *memory, size_t memory_bytes) {
  if (model == NULL) return MOTE_ERROR_ARGUMENT;
  *model = NULL;
  if (memory == NULL || !is_whole(source)) return MOTE_ERROR_ARGUMENT;
  mote_heap heap;
  mote_heap_init(&heap, memory, memory_bytes);
  mote *m = mote_heap_calloc(&heap, sizeof(mote));
  if (m == NULL) return MOTE_ERROR_MEMORY;
  m->source = *source;
  m->heap = heap;
  m->skipped_bytes = (uint8_t)(heap.base - (uint8_t *)memory);
  enter(m);
  mote_status status = begin(m);
  leave(m);
  if (status == MOTE_BUSY) *model = m;
  return status;
}

mote_status mote_open(mote **model, const mote_source *source, void *memory, size_t memory_bytes) {
  mote_status status = mote_begin(model, source, memory, memory_bytes);
  if (status != MOTE_BUSY) return status;
  status = mote_run(*model);
  if (status != MOTE_DONE) *model = NULL;
  return status;
}

size_t mote_memory_needed(const mote_source *source) {
  if (!is_whole(source)) return 0;
  mote model = {.source = *source};
  enter(&model);
  mote_status status = source->engine->measure(&model);
  leave(&model);
  if (status != MOTE_DONE) return 0;
  return source->engine->needs(&model) + mote_heap_bytes(model.end_count * sizeof(mote_end)) + MOTE_HEAP_SKIP;
}

void mote_close(mote *model) {
  if (model == NULL) return;
  model->state = MOTE_STATE_DEAD;
  model->has_output = false;
}

size_t mote_memory_used(const mote *model) { return model == NULL ? 0 : model->skipped_bytes + model->heap.peak; }

size_t mote_linear_bytes(const mote *model) { return model == NULL ? 0 : model->linear_bytes; }

static uint32_t default_budget(const mote *model) {
  const mote_engine *engine = model->source.engine;
  return model->form == MOTE_FORM_FAST ? engine->fast_budget : engine->budget;
}

static mote_status call_step(mote *model, uint32_t budget) {
  if (budget == MOTE_DEFAULT_BUDGET) budget = default_budget(model);
  return model->source.engine->call(model, MOTE_EXPORT_STEP, budget);
}

/** What there is to do of a run before its next slice. */
static mote_status prepare(mote *model) {
  if (model->state == MOTE_STATE_READY) {
    model->state = MOTE_STATE_RUNNING;
    model->inputs_set = 0;
    model->is_to_start = true;
  }
  mote_status status = model->rows == NULL ? MOTE_DONE : model->rows(model, false);
  if (status != MOTE_DONE || !model->is_to_start) return status;
  model->is_to_start = false;
  status = model->source.engine->call(model, MOTE_EXPORT_START, 0);
  return status == MOTE_BUSY ? MOTE_DONE : status;
}

/** A slice of loading or of a run. */
static mote_status slice(mote *model, uint32_t budget) {
  mote_status status = model->state == MOTE_STATE_LOADING ? MOTE_DONE : prepare(model);
  if (status != MOTE_DONE) return status;
  status = call_step(model, budget);
  if (status == MOTE_STATUS_LINES && model->rows != NULL) {
    status = model->rows(model, true);
    return status == MOTE_DONE ? MOTE_BUSY : status;
  }
  return status == MOTE_DONE && model->state == MOTE_STATE_LOADING ? mote_take_tables(model) : status;
}

/** What a status of the core, the engine or a hook means for the model's state. */
static mote_status settle(mote *model, mote_status status) {
  if (model->state == MOTE_STATE_DEAD) return MOTE_ERROR_ORDER; /* Closed by its own `read` or mote_row. */
  if (status == MOTE_BUSY) return status;
  bool loading = model->state == MOTE_STATE_LOADING;
  if (status > MOTE_BUSY) status = MOTE_ERROR_MODULE;
  model->state = loading && status != MOTE_DONE ? MOTE_STATE_DEAD : MOTE_STATE_IDLE;
  model->has_output = !loading && status == MOTE_DONE;
  return status;
}

mote_status mote_step(mote *model, uint32_t budget) {
  if (model == NULL) return MOTE_ERROR_ARGUMENT;
  if (model->is_busy || model->state == MOTE_STATE_DEAD) return MOTE_ERROR_ORDER;
  if (model->state == MOTE_STATE_IDLE) return model->coming_lines == 0 ? MOTE_ERROR_ORDER : MOTE_ERROR_ROWS;
  enter(model);
  mote_status status = slice(model, budget);
  leave(model);
  return settle(model, status);
}

mote_status mote_run(mote *model) {
  mote_status status;
  do {
    status = mote_step(model, MOTE_DEFAULT_BUDGET);
  } while (status == MOTE_BUSY);
  return status;
}

mote_status mote_run_within(mote *model, uint32_t work) {
  if (model == NULL || work == 0) return MOTE_ERROR_ARGUMENT;
  mote_status status = MOTE_BUSY;
  uint32_t budget = default_budget(model);
  while (status == MOTE_BUSY && work > 0) {
    if (budget > work) budget = work;
    work -= budget;
    status = mote_step(model, budget);
  }
  return status == MOTE_BUSY ? settle(model, MOTE_ERROR_WORK) : status;
}

static mote_status call_reset(mote *model) {
  mote_status status = model->source.engine->call(model, MOTE_EXPORT_RESET, 0);
  while (status == MOTE_BUSY) status = call_step(model, MOTE_DEFAULT_BUDGET);
  return status;
}

/** Resets the states. A run that ended without the module's knowing, by a mote_row that failed or for want of work, has to come to its end first, whatever comes of it. */
static mote_status reset(mote *model) {
  mote_status status = call_reset(model);
  if (status != MOTE_STATUS_STATE) return status;
  do status = call_step(model, MOTE_DEFAULT_BUDGET);
  while (status == MOTE_BUSY || status == MOTE_STATUS_LINES);
  return call_reset(model);
}

mote_status mote_reset(mote *model) {
  if (model == NULL) return MOTE_ERROR_ARGUMENT;
  if (!mote_is_open(model) || model->state == MOTE_STATE_RUNNING) return MOTE_ERROR_ORDER;
  uint8_t state = model->state;
  model->state = MOTE_STATE_RUNNING;
  enter(model);
  mote_status status = reset(model);
  leave(model);
  if (model->state == MOTE_STATE_DEAD) return MOTE_ERROR_ORDER; /* Closed by its own `read`. */
  model->state = state;
  return status > MOTE_DONE ? MOTE_ERROR_MODULE : status;
}

bool mote_is_open(const mote *model) {
  return model != NULL && model->state != MOTE_STATE_LOADING && model->state != MOTE_STATE_DEAD;
}

uint32_t mote_layer_count(const mote *model) { return mote_is_open(model) ? model->layer_count : 0; }

uint32_t mote_layers_done(const mote *model) {
  uint32_t done = mote_is_open(model) ? mote_linear_u32(model, MOTE_CONTROL_LAYERS_DONE) : 0;
  return done < mote_layer_count(model) ? done : mote_layer_count(model);
}

uint32_t mote_work(const mote *model) { return mote_is_open(model) ? mote_linear_u32(model, MOTE_CONTROL_WORK) : 0; }

uint32_t mote_error_offset(const mote *model) { return model == NULL ? 0 : mote_linear_u32(model, MOTE_CONTROL_ERROR_OFFSET); }

const char *mote_lacking(mote_status status, uint32_t number) {
#define MOTE_TEXT(name, text) \
  if (number == (name)) return text;
  if (status == MOTE_STATUS_OP) {
    MOTE_OP_NAMES(MOTE_TEXT)
  } else if (status == MOTE_STATUS_CODEC) {
    MOTE_CODEC_NAMES(MOTE_TEXT)
  } else if (status == MOTE_ERROR_KERNEL) {
    MOTE_KIND_NAMES(MOTE_TEXT)
  }
#undef MOTE_TEXT
  return "unknown";
}

const char *mote_status_text(mote_status status) {
  switch (status) {
#define MOTE_TEXT(name, text) \
  case name:                  \
    return text;
    MOTE_STATUS_TEXTS(MOTE_TEXT)
#undef MOTE_TEXT
    case MOTE_ERROR_MEMORY:
      return "the memory given to mote_open is too small: see mote_memory_needed";
    case MOTE_ERROR_MODULE:
      return "the module is damaged, has another interface version, or the engine refuses it";
    case MOTE_ERROR_TRAP:
      return "the engine stopped inside the module";
    case MOTE_ERROR_ARGUMENT:
      return "a null pointer, or a count that is not the tensor's";
    case MOTE_ERROR_ORDER:
      return "a call that the model is not ready for";
    case MOTE_ERROR_KERNEL:
      return "a kind of layers this engine has no kernel for";
    case MOTE_ERROR_ROWS:
      return "the model takes its input by rows: mote_input_rows";
    case MOTE_ERROR_WORK:
      return "the work that was allowed did not suffice";
    case MOTE_ERROR_SELF_TEST:
      return "the outputs are not those of the model's certificate";
    default:
      return "unknown status";
  }
}
