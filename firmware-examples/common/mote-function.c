/**
 * Checks a function's code, instruction by instruction, with the types of all values. Two rules make that small: nothing follows an
 * unconditional branch in its block, and a function is checked after those that it calls, so none calls itself.
 */
#include "mote-check.h"

enum {
  OP_UNREACHABLE = 0x00,
  OP_BLOCK = 0x02,
  OP_LOOP = 0x03,
  OP_IF = 0x04,
  OP_ELSE = 0x05,
  OP_BR = 0x0c,
  OP_BR_IF = 0x0d,
  OP_BR_TABLE = 0x0e,
  OP_RETURN = 0x0f,
  OP_CALL = 0x10,
  OP_DROP = 0x1a,
  OP_SELECT = 0x1b,
  OP_LOCAL_GET = 0x20,
  OP_LOCAL_SET = 0x21,
  OP_LOCAL_TEE = 0x22,
  OP_GLOBAL_GET = 0x23,
  OP_GLOBAL_SET = 0x24,
  LAST_LOAD = 0x35,
  LAST_STORE = 0x3e,
  OP_I64_CONST = 0x42
};

/** Opcodes behind which nothing is reached: a bit for each. */
#define UNCONDITIONAL (1u << OP_UNREACHABLE | 1u << OP_BR | 1u << OP_BR_TABLE | 1u << OP_RETURN)

/*
 * What an instruction takes and gives: first a condition, an i32; then operands of one type, which is i32 or i64, or known from what follows
 * the opcode; and a result. 0: refused.
 */
#define TAKES_1 1u
#define TAKES_2 2u
#define IS_I64 4u
#define GIVES_I32 8u
#define GIVES_I64 16u
#define GIVES_SAME 24u
#define CONDITION 32u
#define NOTHING 64u

/** A run of opcodes with the same effect, by the last of them. */
typedef struct op_run {
  uint8_t last;
  uint8_t effect;
} op_run;

static const op_run op_runs[] = {
    {OP_UNREACHABLE, NOTHING},
    {0x01, 0},
    {OP_LOOP, NOTHING},
    {OP_IF, CONDITION},
    {0x0b, 0},
    {OP_BR, TAKES_1},
    {OP_BR_IF, CONDITION | TAKES_1 | GIVES_SAME},
    {OP_BR_TABLE, CONDITION | TAKES_1},
    {OP_RETURN, TAKES_1},
    {OP_CALL, GIVES_SAME},
    {0x19, 0},
    {OP_DROP, NOTHING},
    {OP_SELECT, CONDITION | TAKES_1 | GIVES_SAME},
    {0x1f, 0},
    {OP_LOCAL_GET, GIVES_SAME},
    {OP_LOCAL_SET, TAKES_1},
    {OP_LOCAL_TEE, TAKES_1 | GIVES_SAME},
    {OP_GLOBAL_GET, GIVES_SAME},
    {OP_GLOBAL_SET, TAKES_1},
    {0x27, 0},
    {0x28, TAKES_1 | GIVES_I32},
    {0x29, TAKES_1 | GIVES_I64},
    {0x2b, 0},
    {0x2f, TAKES_1 | GIVES_I32},
    {LAST_LOAD, TAKES_1 | GIVES_I64},
    /* stores: of the value; below it is an address */
    {0x36, TAKES_1},
    {0x37, TAKES_1 | IS_I64},
    {0x39, 0},
    {0x3b, TAKES_1},
    {LAST_STORE, TAKES_1 | IS_I64},
    {0x40, 0},
    {MOTE_OP_I32_CONST, GIVES_SAME},
    {OP_I64_CONST, IS_I64 | GIVES_SAME},
    {0x44, 0},
    /* eqz, comparisons */
    {0x45, TAKES_1 | GIVES_I32},
    {0x4f, TAKES_2 | GIVES_I32},
    {0x50, TAKES_1 | IS_I64 | GIVES_I32},
    {0x5a, TAKES_2 | IS_I64 | GIVES_I32},
    {0x66, 0},
    /* clz, ctz, popcnt, arithmetic */
    {0x69, TAKES_1 | GIVES_I32},
    {0x78, TAKES_2 | GIVES_I32},
    {0x7b, TAKES_1 | IS_I64 | GIVES_I64},
    {0x7e, TAKES_2 | IS_I64 | GIVES_I64},
    /* divisions of 64 bits */
    {0x82, 0},
    {0x8a, TAKES_2 | IS_I64 | GIVES_I64},
    {0xa6, 0},
    /* i32.wrap_i64, i64.extend_i32 */
    {0xa7, TAKES_1 | IS_I64 | GIVES_I32},
    {0xab, 0},
    {0xad, TAKES_1 | GIVES_I64},
    {0xff, 0},
};

static void push(mote_checker *c, uint32_t type) {
  if (type == MOTE_NONE) return;
  if (c->value_count + c->calls >= MOTE_MODULE_MAX_VALUES) {
    c->code.ok = false;
    return;
  }
  c->values[c->value_count++] = (uint8_t)type;
}

/** The top value of the block; MOTE_NONE, and not ok, where it has none. */
static uint32_t pop_any(mote_checker *c) {
  if (c->value_count == c->labels[c->depth - 1].values) {
    c->code.ok = false;
    return MOTE_NONE;
  }
  return c->values[--c->value_count];
}

static void pop(mote_checker *c, uint32_t type) {
  if (type != MOTE_NONE && pop_any(c) != type) c->code.ok = false;
}

static void enter(mote_checker *c, uint32_t opcode, uint32_t result) {
  if (c->depth == MOTE_MODULE_MAX_NESTING) {
    c->code.ok = false;
    return;
  }
  push(c, result);
  c->loops += opcode == OP_LOOP;
  c->labels[c->depth++] = (mote_frame){(uint8_t)opcode, (uint8_t)result, (uint8_t)c->value_count};
}

/** At the end of a block, or at its else. */
static void leave(mote_checker *c, uint32_t opcode, bool is_reachable) {
  mote_frame *block = &c->labels[c->depth - 1];
  if (is_reachable) {
    pop(c, block->result);
    if (c->value_count != block->values) c->code.ok = false;
  }
  c->value_count = block->values;
  if (opcode == OP_ELSE) {
    if (block->opcode != OP_IF) c->code.ok = false;
    block->opcode = OP_ELSE;
    return;
  }
  if (block->opcode == OP_IF && block->result != MOTE_NONE) c->code.ok = false;
  c->loops -= block->opcode == OP_LOOP;
  c->depth--;
}

/** A label's number. @returns the type of what a branch to it takes along */
static uint32_t read_branch(mote_checker *c) {
  const mote_frame *target = &c->labels[c->depth - 1 - mote_read_below(&c->code, c->depth)];
  return target->opcode == OP_LOOP ? MOTE_NONE : target->result;
}

/** Parameters and locals are the first values. */
static void begin_function(mote_checker *c, const mote_signature *own) {
  c->value_count = 0;
  c->calls = 0;
  c->depth = 0;
  c->loops = 0;
  for (uint32_t i = 0; i < own->count; i++) push(c, own->types >> i & 1);
  for (uint32_t groups = mote_read_leb(&c->code); c->code.ok && groups > 0; groups--) {
    uint32_t count = mote_read_leb(&c->code);
    uint32_t type = mote_read_type(&c->code);
    for (; c->code.ok && count > 0; count--) push(c, type);
  }
  c->local_count = c->value_count;
  enter(c, OP_BLOCK, own->result);
}

uint32_t mote_check_function(mote_checker *c, const mote_signature *own) {
  begin_function(c, own);
  uint32_t frames = 1;
  bool is_reachable = true;
  while (c->code.ok && c->depth > 0) {
    uint32_t opcode = mote_read_u8(&c->code);
    if (opcode == MOTE_OP_END || opcode == OP_ELSE) {
      leave(c, opcode, is_reachable);
      is_reachable = true;
      continue;
    }
    const op_run *run = op_runs;
    while (run->last < opcode) run++;
    uint32_t effect = run->effect;
    if (!is_reachable || effect == 0) c->code.ok = false;
    if (c->value_count == c->labels[0].values) c->calls = 0;
    if (effect & CONDITION) pop(c, MOTE_I32);
    uint32_t type = effect & IS_I64 ? MOTE_I64 : MOTE_I32;
    uint32_t within = 0;
    switch (opcode) {
      case OP_BLOCK:
      case OP_LOOP:
      case OP_IF:
        type = 0x7f - mote_read_u8(&c->code);
        if (type > MOTE_I64 && type != MOTE_NONE) c->code.ok = false;
        enter(c, opcode, type);
        within = c->loops;
        break;
      case OP_BR:
      case OP_BR_IF:
        type = read_branch(c);
        break;
      case OP_BR_TABLE: {
        uint32_t count = mote_read_leb(&c->code);
        type = read_branch(c);
        for (; c->code.ok && count > 0; count--) {
          if (read_branch(c) != type) c->code.ok = false;
        }
        break;
      }
      case OP_RETURN:
        type = own->result;
        break;
      case OP_CALL: {
        uint32_t callee = mote_read_below(&c->code, c->function_count);
        if (c->frames[callee] == 0) return 0;
        mote_function_add(&c->called, callee);
        within = c->loops + c->frames[callee];
        const mote_signature *other = mote_signature_of(c, callee);
        for (uint32_t i = other->count; i > 0; i--) pop(c, other->types >> (i - 1) & 1);
        type = other->result;
        c->calls += type != MOTE_NONE;
        break;
      }
      case OP_DROP:
      case OP_SELECT:
        type = pop_any(c);
        break;
      case OP_LOCAL_GET:
      case OP_LOCAL_SET:
      case OP_LOCAL_TEE:
        type = c->values[mote_read_below(&c->code, c->local_count)];
        break;
      case OP_GLOBAL_GET:
      case OP_GLOBAL_SET:
        type = c->global_types[mote_read_below(&c->code, c->global_count)];
        break;
      case MOTE_OP_I32_CONST:
      case OP_I64_CONST:
        mote_skip_leb(&c->code);
        break;
      default:
        if (opcode <= OP_GLOBAL_SET || opcode > LAST_STORE) break;
        /* Alignment and offset. */
        mote_skip_leb(&c->code);
        mote_skip_leb(&c->code);
        if (opcode > LAST_LOAD) {
          pop(c, type);
          type = MOTE_I32;
        }
    }
    if (frames <= within) frames = within + 1;
    for (; (effect & 3) != 0; effect--) pop(c, type);
    if (effect & GIVES_SAME) push(c, (effect & GIVES_SAME) == GIVES_SAME ? type : effect & GIVES_I64 ? MOTE_I64 : MOTE_I32);
    is_reachable = opcode > OP_RETURN || (UNCONDITIONAL >> opcode & 1) == 0;
  }
  if (c->code.next != c->code.end || frames > MOTE_MODULE_MAX_FRAMES) c->code.ok = false;
  return frames;
}
