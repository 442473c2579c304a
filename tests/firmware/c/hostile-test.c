/**
 * Modules that do what a packer's would not, to be built with AddressSanitizer and UBSan. Each call must come back with a status, and
 * nothing outside the caller's memory may be touched, whatever the module does to its linear memory.
 * Usage: hostile-test POKER.wasm GROWER.wasm EARLY.wasm. See support/hostile.ts; the same ahead of time are linked in.
 */
#include "check.h"
#include "early.h"
#include "grower.h"
#include "mote-internal.h"
#include "poker.h"

enum { SCRIPT_BYTES = 1024, MEMORY_BYTES = 1 << 16 };
enum { TABLE = 256, INPUT = 512, OUTPUT = 600, CHANNELS = 2, HEIGHT = 3, WIDTH = 4, PITCH = 6, PLANE = 24, CLASSES = 5 };
/** Tensors: the input, a state, the outputs of two layers of which the last is the model's. */
enum { TENSORS = 4, LAYERS = 2, INPUT_TENSOR = 0, STATE_TENSOR = 1, HIDDEN_TENSOR = 2, OUTPUT_TENSOR = 3 };
/** When the module does it. */
enum { OPEN = 1, START, STEP, RESET };
/** What it does besides storing the value at an address. */
#define ANSWER 0xffffffffu
#define TRAP 0xfffffffeu
#define READ_TO 0xfffffffdu
#define GROW_BY 0xfffffffcu

/** A container with a script behind it, and the library's memory. */
typedef struct stage {
  uint8_t container[64 + SCRIPT_BYTES];
  uint32_t script;
  uint8_t *memory;
  mote_source source;
  mote *model;
} stage;

static void put_u32(uint8_t *at, uint32_t value) {
  for (unsigned i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static void play(stage *s, uint32_t when, uint32_t what, uint32_t value) {
  put_u32(s->container + s->script, when);
  put_u32(s->container + s->script + 4, what);
  put_u32(s->container + s->script + 8, value);
  s->script += 12;
}

static uint32_t entry_of(uint32_t tensor) { return TABLE + tensor * MOTE_TENSOR_ENTRY_BYTES; }

static void play_tensor(stage *s, uint32_t when, uint32_t tensor, const uint32_t words[8]) {
  for (uint32_t i = 0; i < 8; i++) play(s, when, entry_of(tensor) + 4 * i, words[i]);
}

static const uint32_t input_words[8] = {INPUT, CHANNELS, HEIGHT, WIDTH, PITCH, PLANE, 7, MOTE_TENSOR_IS_END | 1};
static const uint32_t output_words[8] = {OUTPUT, CLASSES, 1, 1, 1, 1, (uint32_t)-3, MOTE_TENSOR_IS_END};

/** A container of two ends with scales of 0.5 and 2, a plan of 4,096 bytes, and a module that fills the core's tables as it should. */
static stage *set_stage(mote_source source) {
  static const uint8_t head[] = {'M', 'O', 'T', MOTE_VERSION, 0, 0, 0, 0, 2, 1, TENSORS, LAYERS, 16, 1, 0xbf, 0x03,
                                 CHANNELS, MOTE_FLAG_END | MOTE_FLAG_SIZE | 1, HEIGHT, WIDTH, 0, 0, 0, 0x3f, 7, 0,
                                 5, MOTE_FLAG_STATE, 1, 4, HIDDEN_TENSOR,
                                 5, MOTE_FLAG_NOMINAL, 9, 2, 5,
                                 CLASSES, MOTE_FLAG_END, 0, 0, 0, 0x40, 0xfd, 9};
  stage *s = calloc(1, sizeof(stage));
  memcpy(s->container, head, sizeof head);
  s->script = sizeof s->container - SCRIPT_BYTES;
  s->memory = malloc(MEMORY_BYTES);
  s->source = source;
  s->source.container = s->container;
  s->source.container_bytes = sizeof s->container;
  play(s, OPEN, MOTE_CONTROL_TENSORS_PTR, TABLE);
  play(s, OPEN, MOTE_CONTROL_TENSOR_COUNT, TENSORS);
  play(s, OPEN, MOTE_CONTROL_LAYER_COUNT, LAYERS);
  play(s, OPEN, MOTE_CONTROL_VERSION, MOTE_INTERFACE_VERSION);
  play(s, OPEN, MOTE_CONTROL_WORK, 12345);
  play_tensor(s, OPEN, INPUT_TENSOR, input_words);
  play(s, OPEN, entry_of(STATE_TENSOR) + MOTE_TENSOR_STATE, MOTE_TENSOR_IS_STATE);
  play_tensor(s, OPEN, OUTPUT_TENSOR, output_words);
  return s;
}

static mote_status open_stage(stage *s) { return mote_open(&s->model, &s->source, s->memory, MEMORY_BYTES); }

static void strike(stage *s) {
  mote_close(s->model);
  free(s->memory);
  free(s);
}

/** Everything an application may do with a model that has run, or failed to. */
static void check_use(stage *s, mote_status expected) {
  static const int8_t values[CHANNELS * HEIGHT * WIDTH] = {1, 2, 3};
  static const float floats[CHANNELS * HEIGHT * WIDTH] = {0.5f};
  uint8_t image[CHANNELS * HEIGHT * WIDTH] = {255};
  int8_t output[CLASSES];
  float real[CLASSES];
  for (int turn = 0; turn < 3; turn++) {
    mote_status status = turn == 0   ? mote_input_i8(s->model, values, sizeof values)
                         : turn == 1 ? mote_input_u8(s->model, image, sizeof image)
                                     : mote_input_f32(s->model, floats, sizeof image);
    CHECK(status == MOTE_DONE, "turn %d: %s", turn, mote_status_text(status));
    status = mote_run(s->model);
    CHECK(status == expected, "turn %d: %s", turn, mote_status_text(status));
    CHECK(mote_input_count(s->model) == 1 && mote_output_count(s->model) == 1, "ends");
    mote_tensor shape = mote_input_tensor(s->model, 0);
    CHECK(shape.channels == CHANNELS && shape.height == HEIGHT && shape.width == WIDTH && shape.zero_point == 7, "input");
    CHECK(shape.scale == 0.5f, "scale %g", (double)shape.scale);
    shape = mote_output_tensor(s->model, 0);
    CHECK(shape.channels == CLASSES && shape.height == 1 && shape.width == 1 && shape.zero_point == -3, "output");
    CHECK(shape.scale == 2.0f, "scale %g", (double)shape.scale);
    CHECK(mote_layer_count(s->model) == LAYERS && mote_layers_done(s->model) <= LAYERS, "layers");
    (void)mote_work(s->model);
    (void)mote_error_offset(s->model);
    if (expected != MOTE_DONE) {
      CHECK(mote_top(s->model) == MOTE_ERROR_ORDER, "top");
      continue;
    }
    CHECK(mote_output(s->model, output, sizeof output) == MOTE_DONE, "output");
    CHECK(mote_output_f32(s->model, real, CLASSES) == MOTE_DONE, "output");
    for (uint32_t i = 0; i < CLASSES; i++) {
      CHECK(output[i] == (i == 2 ? 9 : 0) && real[i] == (i == 2 ? 24.0f : 6.0f), "output %u", i);
    }
    CHECK(mote_top(s->model) == 2, "%d", mote_top(s->model));
  }
}

static void check_honest(mote_source source) {
  stage *s = set_stage(source);
  play(s, STEP, OUTPUT, 9u << 16);
  CHECK(open_stage(s) == MOTE_DONE, "open");
  CHECK(mote_work(s->model) == 12345, "%u", mote_work(s->model));
  check_use(s, MOTE_DONE);
  static const int8_t values[CHANNELS * HEIGHT * WIDTH] = {1, 2, 3, 4, 5};
  mote_input_i8(s->model, values, sizeof values);
  CHECK(s->model->linear[INPUT + 3] == 4 && s->model->linear[INPUT + PITCH] == 5, "placed");
  CHECK(mote_run(s->model) == MOTE_DONE && mote_top(s->model) == 2, "run");
  mote_close(s->model);
  int8_t output[CLASSES];
  CHECK(mote_top(s->model) == MOTE_ERROR_ORDER, "top of a closed model");
  CHECK(mote_output(s->model, output, CLASSES) == MOTE_ERROR_ORDER, "output of a closed model");
  CHECK(mote_step(s->model, 1) == MOTE_ERROR_ORDER, "step of a closed model");
  CHECK(mote_input_i8(s->model, values, sizeof values) == MOTE_ERROR_ORDER, "input of a closed model");
  CHECK(mote_reset(s->model) == MOTE_ERROR_ORDER, "reset of a closed model");
  CHECK(mote_input_tensor(s->model, 0).channels == 0 && mote_work(s->model) == 0, "a closed model");
  CHECK(mote_input_count(s->model) == 0 && mote_output_count(s->model) == 0, "ends of a closed model");
  strike(s);
}

/** Control block and tensor table are overwritten in a run. */
static void check_scribbler(mote_source source, uint32_t when, uint32_t word) {
  stage *s = set_stage(source);
  play(s, STEP, OUTPUT, 9u << 16);
  for (uint32_t at = MOTE_CONTROL_TENSORS_PTR; at <= MOTE_CONTROL_WORK; at += 4) {
    /* The bias is no pointer, and what it does to results is the module's right. */
    if (at != MOTE_CONTROL_ELEMENT_BIAS) play(s, when, at, word);
  }
  for (uint32_t at = TABLE; at < entry_of(TENSORS); at += 4) play(s, when, at, word);
  CHECK(s->script < sizeof s->container, "script");
  /* `step` is called for loading, too: then these are the tables. */
  mote_status status = open_stage(s);
  CHECK(status == (when == START ? MOTE_DONE : MOTE_ERROR_MODULE), "%s", mote_status_text(status));
  if (when == START) check_use(s, MOTE_DONE);
  strike(s);
}

static void check_opening(mote_source source, uint32_t address, uint32_t word, mote_status expected) {
  stage *s = set_stage(source);
  play(s, OPEN, address, word);
  mote_status status = open_stage(s);
  CHECK(status == expected && s->model == NULL, "%u at %u: %s", word, address, mote_status_text(status));
  strike(s);
}

static void check_refused(mote_source source, uint32_t address, uint32_t word) {
  check_opening(source, address, word, MOTE_ERROR_MODULE);
}

static void check_bad_tables(mote_source source) {
  static const uint32_t words[][2] = {
      {MOTE_CONTROL_TENSORS_PTR, 4096 - 127},
      {MOTE_CONTROL_TENSORS_PTR, 0xffffffc0},
      {MOTE_CONTROL_TENSOR_COUNT, 0},
      {MOTE_CONTROL_TENSOR_COUNT, LAYERS},
      {MOTE_CONTROL_TENSOR_COUNT, 1025},
      {MOTE_CONTROL_TENSOR_COUNT, (1u << 27) + TENSORS},
      {MOTE_CONTROL_LAYER_COUNT, 0},
      {MOTE_CONTROL_LAYER_COUNT, TENSORS},
      {MOTE_CONTROL_LAYER_COUNT, 0xffffffff},
      {MOTE_CONTROL_VERSION, 0},
      {MOTE_CONTROL_VERSION, MOTE_INTERFACE_VERSION + 1},
      {TABLE + MOTE_TENSOR_STATE, 0},
      {TABLE + OUTPUT_TENSOR * MOTE_TENSOR_ENTRY_BYTES + MOTE_TENSOR_STATE, MOTE_TENSOR_IS_STATE},
  };
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) check_refused(source, words[i][0], words[i][1]);
  static const uint32_t bad[][2] = {
      {MOTE_TENSOR_PTR, 4096},           {MOTE_TENSOR_PTR, 0xfffffff0},       {MOTE_TENSOR_CHANNELS, 0},
      {MOTE_TENSOR_CHANNELS, 65536},     {MOTE_TENSOR_HEIGHT, 0},             {MOTE_TENSOR_HEIGHT, 0x80000000},
      {MOTE_TENSOR_WIDTH, 0},            {MOTE_TENSOR_WIDTH, 7},              {MOTE_TENSOR_PITCH, 0},
      {MOTE_TENSOR_PITCH, 0x40000000},   {MOTE_TENSOR_PLANE, 0},              {MOTE_TENSOR_PLANE, 0x80000000},
      {MOTE_TENSOR_ZERO_POINT, 128},     {MOTE_TENSOR_ZERO_POINT, 0x7fffffff}, {MOTE_TENSOR_ZERO_POINT, (uint32_t)-129},
  };
  for (uint32_t tensor = INPUT_TENSOR; tensor <= OUTPUT_TENSOR; tensor += OUTPUT_TENSOR) {
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) check_refused(source, entry_of(tensor) + bad[i][0], bad[i][1]);
    /* 2^32 elements: none, to a size_t of 32 bits; all of them in one byte, for a pitch and a plane of 0. */
    static const uint32_t huge[][8] = {
        {INPUT, 4, 32768, 32768, 0, 0, 0, MOTE_TENSOR_IS_END},
        {INPUT, 4, 32768, 32768, 32768, 1u << 30, 0, MOTE_TENSOR_IS_END},
        {INPUT, 65535, 65535, 1, 1, 65535, 0, MOTE_TENSOR_IS_END},
    };
    for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
      stage *s = set_stage(source);
      play_tensor(s, OPEN, tensor, huge[i]);
      CHECK(open_stage(s) == MOTE_ERROR_MODULE, "huge tensor %zu", i);
      strike(s);
    }
  }
}

/** The container has a scale for each of its two ends, and no others. */
static void check_other_ends(mote_source source) {
  for (uint32_t tensor = STATE_TENSOR; tensor <= HIDDEN_TENSOR; tensor++) {
    stage *s = set_stage(source);
    play_tensor(s, OPEN, tensor, tensor == STATE_TENSOR ? input_words : output_words);
    CHECK(open_stage(s) == MOTE_STATUS_RANGE && s->model == NULL, "tensor %u", tensor);
    strike(s);
  }
}

/** One more end in the container than in the table, in as much memory as the table's take. */
static void check_more_ends(mote_source source) {
  static const uint8_t end[] = {5, MOTE_FLAG_END, 0, 0, 0, 0x3f, 1, 4};
  stage *s = set_stage(source);
  CHECK(open_stage(s) == MOTE_DONE, "open");
  size_t used = mote_memory_used(s->model);
  /* In place of the state. */
  memmove(s->container + 26 + sizeof end, s->container + 31, 13);
  memcpy(s->container + 26, end, sizeof end);
  uint8_t *memory = malloc(used);
  CHECK(mote_open(&s->model, &s->source, memory, used) == MOTE_STATUS_RANGE && s->model == NULL, "three ends");
  free(memory);
  strike(s);
}

/** What stands before the first tensor's scale in the container, and before the last one's. */
enum { INPUT_SCALE = 20, OUTPUT_SCALE = 38 };

static void check_container(mote_source source) {
  static const struct {
    uint32_t at;
    uint8_t byte;
    mote_status status;
  } changes[] = {
      {0, 'N', MOTE_STATUS_MAGIC},
      {3, MOTE_VERSION - 1, MOTE_STATUS_VERSION},
      {INPUT_SCALE + 3, 0, MOTE_STATUS_RANGE},    /* 0 */
      {INPUT_SCALE + 3, 0xbf, MOTE_STATUS_RANGE}, /* -0.5 */
      {OUTPUT_SCALE + 3, 0xff, MOTE_STATUS_RANGE},
  };
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    stage *s = set_stage(source);
    s->container[changes[i].at] = changes[i].byte;
    mote_status status = open_stage(s);
    CHECK(status == changes[i].status && s->model == NULL, "byte %u: %s", changes[i].at, mote_status_text(status));
    strike(s);
  }
  stage *many = set_stage(source);
  /* 2,052 tensors. */
  many->container[10] = 0x84;
  many->container[11] = 0x10;
  CHECK(open_stage(many) == MOTE_STATUS_RANGE && many->model == NULL, "too many tensors");
  strike(many);
  for (uint32_t length = 0; length < OUTPUT_SCALE + 6; length++) {
    stage *s = set_stage(source);
    s->source.container_bytes = length;
    mote_status status = open_stage(s);
    /* Without a container one is expected in the module. */
    bool is_right = length == 0 ? status == MOTE_ERROR_MODULE || status == MOTE_ERROR_ARGUMENT : status == MOTE_STATUS_TRUNCATED;
    CHECK(is_right && s->model == NULL, "%u bytes: %s", length, mote_status_text(status));
    strike(s);
  }
}

/** Linear memory stays where it is and as large as it is. */
static void check_grower(mote_source source, bool may_be_refused) {
  static const uint32_t pages[] = {1, 3, 4, 0xffffffff, 0x7fffffff, 0x80000000};
  for (uint32_t when = OPEN; when <= STEP; when++) {
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
      stage *s = set_stage(source);
      play(s, STEP, OUTPUT, 9u << 16);
      play(s, when, GROW_BY, pages[i]);
      mote_status status = open_stage(s);
      if (may_be_refused && status == MOTE_ERROR_MODULE) {
        strike(s);
        continue;
      }
      CHECK(status == MOTE_DONE, "%s", mote_status_text(status));
      const uint8_t *linear = s->model->linear;
      check_use(s, MOTE_DONE);
      CHECK(s->model->linear == linear && u32_at(linear + 1020) == 0xffffffff, "by %x: %x", pages[i], u32_at(linear + 1020));
      strike(s);
    }
  }
}

/** Answers that no core gives, and reads to where there is nothing. */
static void check_answers(mote_source source) {
  static const uint32_t answers[] = {2, 0x7fffffff, 0x80000000, (uint32_t)MOTE_ERROR_ORDER, (uint32_t)-200};
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    mote_status expected = (int32_t)answers[i] > 0 ? MOTE_ERROR_MODULE : (mote_status)answers[i];
    for (uint32_t when = OPEN; when <= STEP; when++) {
      stage *s = set_stage(source);
      play(s, when, ANSWER, answers[i]);
      mote_status status = open_stage(s);
      CHECK(status == (when == START ? MOTE_DONE : expected), "%x: %d", answers[i], (int)status);
      if (when == START) check_use(s, expected);
      strike(s);
    }
  }
  static const uint32_t targets[] = {4096 - 15, 0xfffffff8, 0x80000000};
  for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
    stage *s = set_stage(source);
    play(s, STEP, OUTPUT, 9u << 16);
    play(s, START, READ_TO, targets[i]);
    CHECK(open_stage(s) == MOTE_DONE, "open");
    check_use(s, MOTE_DONE);
    CHECK(u32_at(s->model->linear + 1020) == 1, "read to %x", targets[i]);
    strike(s);
  }
}

/** `reset` leaves alone what an application has set, and its errors end nothing. */
static void check_reset(mote_source source) {
  static const int8_t values[CHANNELS * HEIGHT * WIDTH] = {1};
  static const struct {
    uint32_t what;
    uint32_t value;
    mote_status status;
  } answers[] = {
      {2000, 1, MOTE_DONE},
      {ANSWER, MOTE_BUSY, MOTE_DONE}, /* STEP goes on */
      {ANSWER, 2, MOTE_ERROR_MODULE},
      {ANSWER, 0x7fffffff, MOTE_ERROR_MODULE},
      {ANSWER, (uint32_t)MOTE_STATUS_STATE, MOTE_STATUS_STATE},
      {TRAP, 0, MOTE_ERROR_TRAP},
  };
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    stage *s = set_stage(source);
    play(s, STEP, OUTPUT, 9u << 16);
    play(s, RESET, answers[i].what, answers[i].value);
    CHECK(mote_begin(&s->model, &s->source, s->memory, MEMORY_BYTES) == MOTE_BUSY, "begin");
    CHECK(mote_reset(s->model) == MOTE_ERROR_ORDER, "reset while loading");
    CHECK(mote_run(s->model) == MOTE_DONE, "open");
    mote_input_i8(s->model, values, sizeof values);
    mote_status status = mote_reset(s->model);
    CHECK(status == answers[i].status, "answer %zu: %s", i, mote_status_text(status));
    CHECK(mote_run(s->model) == MOTE_DONE && mote_top(s->model) == 2, "run");
    CHECK(mote_reset(s->model) == answers[i].status && mote_top(s->model) == 2, "reset after a run");
    strike(s);
  }
  CHECK(mote_reset(NULL) == MOTE_ERROR_ARGUMENT, "null");
}

/** A module that is never done, while loading and in a run. */
static void check_endless(mote_source source) {
  static const int8_t values[CHANNELS * HEIGHT * WIDTH] = {1};
  stage *s = set_stage(source);
  play(s, STEP, ANSWER, MOTE_BUSY);
  CHECK(mote_begin(&s->model, &s->source, s->memory, MEMORY_BYTES) == MOTE_BUSY, "begin");
  CHECK(mote_run_within(s->model, 1000000) == MOTE_ERROR_WORK && mote_step(s->model, 1) == MOTE_ERROR_ORDER, "loading");
  strike(s);
  s = set_stage(source);
  CHECK(open_stage(s) == MOTE_DONE && mote_input_i8(s->model, values, sizeof values) == MOTE_DONE, "open");
  play(s, STEP, ANSWER, MOTE_BUSY);
  /* Where it has read the script to. */
  memcpy(s->model->linear + SCRIPT_BYTES, s->container + sizeof s->container - SCRIPT_BYTES, SCRIPT_BYTES);
  CHECK(mote_run_within(s->model, 1000000) == MOTE_ERROR_WORK && mote_top(s->model) == MOTE_ERROR_ORDER, "a run");
  CHECK(mote_input_i8(s->model, values, sizeof values) == MOTE_DONE, "the next input");
  strike(s);
}

static void check_early(mote_source source, bool may_be_refused) {
  stage *s = set_stage(source);
  play(s, STEP, OUTPUT, 9u << 16);
  mote_status status = open_stage(s);
  CHECK(status == MOTE_DONE || (may_be_refused && status == MOTE_ERROR_MODULE), "%s", mote_status_text(status));
  if (status == MOTE_DONE) check_use(s, MOTE_DONE);
  strike(s);
}

/** A `read` that does with other models, and its own, what it likes. */
typedef struct nesting {
  stage *outer;
  const mote_source *inner;
  /** The reads that it takes for this: those of so many bytes. */
  uint32_t length;
  bool closes;
  uint32_t reads;
} nesting;

/** What the module reads when told to, and what the library reads for the scales. */
enum { MODULE_READS = 16, LIBRARY_READS = 48 };

static int32_t read_nested(void *context, uint32_t offset, void *target, uint32_t length) {
  nesting *n = context;
  memcpy(target, n->outer->container + offset, length);
  if (length != n->length || n->outer->model == NULL) return 0;
  n->reads++;
  CHECK(mote_reset(n->outer->model) == MOTE_ERROR_ORDER, "its own states");
  CHECK(mote_input_i8(n->outer->model, (const int8_t *)target, CHANNELS * HEIGHT * WIDTH) == MOTE_ERROR_ORDER, "its own input");
  CHECK(mote_step(n->outer->model, 1) == MOTE_ERROR_ORDER && mote_run(n->outer->model) == MOTE_ERROR_ORDER, "its own model");
  stage *s = set_stage(*n->inner);
  play(s, START, TRAP, 0);
  CHECK(open_stage(s) == MOTE_DONE, "open another");
  check_use(s, MOTE_ERROR_TRAP);
  strike(s);
  if (n->closes) mote_close(n->outer->model);
  return 0;
}

/** A trap in the inner call, then one in the outer: each ends its own. */
static void check_nested_traps(mote_source outer, mote_source inner) {
  nesting n = {set_stage(outer), &inner, MODULE_READS, false, 0};
  n.outer->source.read = read_nested;
  n.outer->source.read_context = &n;
  play(n.outer, START, READ_TO, 2048);
  play(n.outer, START, TRAP, 0);
  play(n.outer, RESET, READ_TO, 2048);
  CHECK(open_stage(n.outer) == MOTE_DONE, "open");
  check_use(n.outer, MOTE_ERROR_TRAP);
  CHECK(n.reads == 3, "%u reads", n.reads);
  CHECK(mote_reset(n.outer->model) == MOTE_DONE && n.reads == 4, "%u reads", n.reads);
  strike(n.outer);
}

static void check_closed_by_read(mote_source outer, mote_source inner) {
  static const int8_t values[CHANNELS * HEIGHT * WIDTH];
  nesting n = {set_stage(outer), &inner, MODULE_READS, true, 0};
  n.outer->source.read = read_nested;
  n.outer->source.read_context = &n;
  play(n.outer, START, READ_TO, 2048);
  CHECK(open_stage(n.outer) == MOTE_DONE, "open");
  mote_input_i8(n.outer->model, values, sizeof values);
  CHECK(mote_run(n.outer->model) == MOTE_ERROR_ORDER && n.reads == 1, "%u reads", n.reads);
  CHECK(mote_top(n.outer->model) == MOTE_ERROR_ORDER && mote_step(n.outer->model, 1) == MOTE_ERROR_ORDER, "closed");
  play(n.outer, RESET, READ_TO, 2048);
  CHECK(open_stage(n.outer) == MOTE_DONE, "open");
  CHECK(mote_reset(n.outer->model) == MOTE_ERROR_ORDER && n.reads == 2, "%u reads", n.reads);
  CHECK(mote_reset(n.outer->model) == MOTE_ERROR_ORDER && n.reads == 2, "closed");
  n.length = LIBRARY_READS;
  CHECK(open_stage(n.outer) == MOTE_ERROR_ORDER && n.reads == 3, "%u reads", n.reads);
  strike(n.outer);
}

static mote_source interpreted(const char *path) {
  bytes module = read_bytes(path);
  return (mote_source){&mote_wasm3, module.data, module.length, NULL, 0, NULL, NULL};
}

static mote_source compiled(const mote_aot_module *module) { return (mote_source){&mote_aot, module, 0, NULL, 0, NULL, NULL}; }

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  mote_source pokers[] = {interpreted(argv[1]), compiled(&poker_module)};
  mote_source growers[] = {interpreted(argv[2]), compiled(&grower_module)};
  mote_source earlies[] = {interpreted(argv[3]), compiled(&early_module)};
  for (int engine = 0; engine < 2; engine++) {
    check_honest(pokers[engine]);
    check_scribbler(pokers[engine], START, 0xffffffff);
    check_scribbler(pokers[engine], START, 0);
    check_scribbler(pokers[engine], STEP, 0xffffffff);
    check_bad_tables(pokers[engine]);
    check_other_ends(pokers[engine]);
    check_more_ends(pokers[engine]);
    check_container(pokers[engine]);
    check_reset(pokers[engine]);
    check_answers(pokers[engine]);
    check_endless(pokers[engine]);
    /* A module that wasm3 is not to see at all is as good. */
    check_grower(growers[engine], engine == 0);
    check_early(earlies[engine], engine == 0);
    for (int inner = 0; inner < 2; inner++) {
      check_nested_traps(pokers[engine], pokers[inner]);
      check_closed_by_read(pokers[engine], pokers[inner]);
    }
  }
  free((void *)(uintptr_t)pokers[0].module);
  free((void *)(uintptr_t)growers[0].module);
  free((void *)(uintptr_t)earlies[0].module);
  printf("%d checks passed, %d failed\n", checks_passed, checks_failed);
  return checks_failed == 0 ? 0 : 1;
}
