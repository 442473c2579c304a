/** Dense layers by six rows, which share the elements. */
#include "mote-layer.h"

/** Native units of an input of six rows, and of their outputs. */
enum { INPUT_WORK = HAS_LANES ? 12 : 24, FINISH_WORK = 300 };

/** Inputs before the budget is looked at: their sums keep to 24 bits. */
#define MOST_INPUTS 256u

#define SUMS_BYTES (4 * MOTE_DENSE_ROWS)

/** Sums of the rows at hand, as linear memory has them. */
static void add_sum(uint8_t *sums, unsigned row, uint32_t sum) { put_word(sums + 4 * row, load_word(sums + 4 * row) + sum); }

/** Adds to the sums what some turns of weights make of elements. */
#if HAS_LANES

/* A byte and the third behind it share a word, and one multiplication. */
static NOINLINE void sum_six(uint8_t *sums, const uint8_t *elements, const uint8_t *weights, const uint8_t *end) {
  uint64_t sums0 = 0, sums1 = 0, sums2 = 0;
  uint32_t mask = 0xff0000ffu;
  OPAQUE(mask);
#define INPUT(i)                                                             \
  do {                                                                       \
    uint32_t element = elements[i];                                          \
    sums0 += (uint64_t)(load_word(weights + 6 * (i)) & mask) * element;      \
    sums1 += (uint64_t)(load_word(weights + 6 * (i) + 1) & mask) * element;  \
    sums2 += (uint64_t)(load_word(weights + 6 * (i) + 2) & mask) * element;  \
  } while (0)
  do {
    INPUT(0);
    INPUT(1);
    INPUT(2);
    INPUT(3);
    elements += MOTE_DENSE_TURN;
    weights += MOTE_DENSE_ROWS * MOTE_DENSE_TURN;
  } while (weights < end);
#undef INPUT
  uint64_t lanes[3] = {sums0, sums1, sums2};
  for (unsigned i = 0; i < 3; i++) {
    add_sum(sums, i, (uint32_t)lanes[i] & 0xffffff);
    add_sum(sums, i + 3, (uint32_t)(lanes[i] >> 24));
  }
}

#else

static NOINLINE void sum_six(uint8_t *sums, const uint8_t *elements, const uint8_t *weights, const uint8_t *end) {
  uint32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0, sum4 = 0, sum5 = 0;
  do {
    uint32_t element = *elements++;
    sum0 += weights[0] * element;
    sum1 += weights[1] * element;
    sum2 += weights[2] * element;
    sum3 += weights[3] * element;
    sum4 += weights[4] * element;
    sum5 += weights[5] * element;
    weights += MOTE_DENSE_ROWS;
  } while (weights < end);
  add_sum(sums, 0, sum0);
  add_sum(sums, 1, sum1);
  add_sum(sums, 2, sum2);
  add_sum(sums, 3, sum3);
  add_sum(sums, 4, sum4);
  add_sum(sums, 5, sum5);
}

#endif

/** Takes the sums to outputs, with the heads behind the weights. */
static void finish_rows(mote_layer *w, const uint8_t *sums, const uint8_t *heads) {
  uint32_t raised = MOTE_WEIGHT_BIAS * load_word(sums + SUMS_BYTES);
  for (unsigned i = 0; i < MOTE_DENSE_ROWS && w->row < w->rows; i++) {
    mote_layer_read_high_head(w, heads + MOTE_ROW_BYTES * i);
    int32_t sum = (int32_t)(load_word(sums + 4 * i) - raised);
    w->model->linear[w->output + w->row * w->output_plane] = (uint8_t)requantize(w, sum);
    w->row++;
  }
}

/** Own words: inputs of the rows at hand that are summed up. Sums stand where the module's own kernel has them. */
int32_t mote_kernel_rows(const mote *model, uint32_t layer, uint32_t progress, int32_t budget) {
  mote_layer w;
  if (!mote_layer_begin(&w, model, layer, progress)) return MOTE_KERNEL_TRAP;
  uint32_t inputs = load_word(model->linear + layer + MOTE_LAYER_DENSE_INPUTS);
  if (inputs - 1 >= MOTE_MAX_BYTES) return MOTE_KERNEL_TRAP;
  uint32_t filled = (inputs + MOTE_DENSE_TURN - 1) / MOTE_DENSE_TURN * MOTE_DENSE_TURN;
  uint32_t six_bytes = MOTE_DENSE_ROWS * (filled + MOTE_ROW_BYTES);
  uint32_t done = own_word(&w, 0);
  uint32_t bytes = model->source.container_bytes;
  if (done >= filled || done % MOTE_DENSE_TURN != 0 || w.input + filled > model->linear_bytes) return MOTE_KERNEL_TRAP;
  if (model->linear_bytes < MOTE_PLAN_BASE || w.position > bytes) return MOTE_KERNEL_TRAP;
  uint8_t *sums = model->linear + MOTE_DENSE_SUMS;
  const uint8_t *elements = model->linear + w.input;
  int32_t spent = 0;
  do {
    if (bytes - w.position < six_bytes) return MOTE_KERNEL_TRAP;
    const uint8_t *weights = model->source.container + w.position;
    if (done == 0) memset(sums, 0, w.row == 0 ? SUMS_BYTES + 4 : SUMS_BYTES);
    uint32_t taken = filled - done;
    if (taken > MOST_INPUTS) taken = MOST_INPUTS;
    sum_six(sums, elements + done, weights + MOTE_DENSE_ROWS * done, weights + MOTE_DENSE_ROWS * (done + taken));
    if (w.row == 0) {
      /* What weights are raised by takes the sum of the elements, without those that fill them up. */
      uint32_t sum = 0;
      for (uint32_t at = done; at < done + taken && at < inputs; at++) sum += elements[at];
      add_sum(sums, MOTE_DENSE_ROWS, sum);
    }
    spent += (int32_t)taken * INPUT_WORK;
    done += taken;
    if (done < filled) continue;
    finish_rows(&w, sums, weights + MOTE_DENSE_ROWS * filled);
    w.position += six_bytes;
    spent += FINISH_WORK;
    done = 0;
  } while (spent < budget && w.row < w.rows);
  mote_layer_end(&w, done, 0, 0);
  return spent;
}
