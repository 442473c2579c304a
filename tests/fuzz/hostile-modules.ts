/**
 * Modules one step beyond a rule of SPEC.md, "Modules", each, and modules that go as far as the rules allow. All have the right seal. What
 * wasm3 0.5.0 makes of many of the first kind, when nobody looks at them before, is a write outside its memory or a full native stack.
 */
import {
  MODULE_MAX_FRAMES,
  MODULE_MAX_ITEMS,
  MODULE_MAX_NESTING,
  MODULE_MAX_PARAMETERS,
  MODULE_MAX_TYPES,
  MODULE_MAX_VALUES,
} from "../../assembly/module.js";
import { leb128 } from "../../host/module/leb128.js";
import {
  assemble,
  I32,
  I64,
  NONE,
  LAST_BODIES,
  READ,
  START,
  STEP,
  text,
  typeBytes,
  vector,
  type HandWritten,
  type Signature,
  type Type,
} from "./assemble.js";

export interface NamedModule {
  readonly name: string;
  readonly wasm: Uint8Array;
  /** In the host's message, for one that is to be refused. */
  readonly says: string;
}

const END = 0x0b;
const repeat = <T>(count: number, of: readonly T[]): T[] => Array<readonly T[]>(count).fill(of).flat();
const zero = [0x41, 0];

/** One function, i32 to i32, by all of the core's names. */
function withCode(code: readonly number[], more: Partial<HandWritten> = {}, locals: readonly Type[] = []): Uint8Array {
  return assemble({ functions: [{ signature: STEP, locals, code }], ...more });
}

/** As often as there is room for, an operand that is a call's result above the operands of another call. */
function heapedCalls(count: number): Uint8Array {
  const eight: Signature = { parameters: repeat<Type>(8, [I64]), result: I64 };
  const none: Signature = { parameters: [], result: I64 };
  const operands = repeat(count, [...repeat(8, [0x10, 2]), 0x10, 3]);
  return assemble({
    functions: [
      { signature: STEP, code: [...operands, ...repeat(count, [0x1a]), ...zero] },
      { signature: none, code: [0x42, 1] },
      { signature: eight, code: [0x42, 2] },
    ],
  });
}

/** Functions that call the next one, within so many loops each. */
function chain(functions: number, loops: number): Uint8Array {
  const of = (index: number): number[] => {
    const call = index + 1 < functions ? [0x20, 0, 0x10, index + 2, 0x1a] : [];
    return [...repeat(loops, [0x03, NONE]), ...call, ...repeat(loops, [END]), ...zero];
  };
  return assemble({
    functions: Array.from({ length: functions }, (_, index) => ({ signature: STEP, code: of(index) })),
  });
}

const types = (more: readonly (readonly number[])[]): ReadonlyMap<number, readonly number[]> =>
  new Map([[1, vector([...[READ, START, STEP, STEP].map(typeBytes), ...more])]]);

const manyFunctions = (count: number): Uint8Array =>
  assemble({
    functions: repeat(count - 2, [{ signature: STEP, code: zero }]),
    sections: new Map([...types([]), [3, vector([...repeat(count - 2, [[2]]), [1], [2]])]]),
  });

/** Another body for function 1. */
const body = (bytes: readonly number[]): ReadonlyMap<number, readonly number[]> =>
  new Map([[10, vector([bytes, ...LAST_BODIES])]]);

const nested = (count: number): number[] => [...repeat(count, [0x02, NONE]), ...repeat(count, [END]), ...zero];

const beyond: readonly (readonly [name: string, says: string, wasm: Uint8Array])[] = [
  ["a br_table with 4 G labels", "not valid", withCode([...zero, 0x0e, 0xfc, 0xff, 0xff, 0xff, 0x0f, 0, ...zero])],
  ["60,000 blocks within each other", "blocks within each other", withCode(nested(60_000))],
  ["one block too many within the others", "blocks within each other", withCode(nested(MODULE_MAX_NESTING))],
  ["a function that calls itself", "calls itself", withCode([0x20, 0, 0x10, 1])],
  [
    "functions that call each other",
    "calls itself",
    assemble({ functions: [2, 3, 1].map((next) => ({ signature: STEP, code: [0x20, 0, 0x10, next] })) }),
  ],
  ["one call too many within the others", "frames", chain(MODULE_MAX_FRAMES + 1, 0)],
  ["loops and calls within each other", "frames", chain(4, 6)],
  ["one value too many", "values at a time", withCode(zero, {}, repeat<Type>(MODULE_MAX_VALUES - 2, [I32]))],
  [
    "4 G locals",
    "not valid",
    withCode([], { sections: body([10, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, I32, 0x41, 0, END]) }),
  ],
  ["results of calls on top of each other", "values at a time", heapedCalls(9)],
  [
    "one parameter too many",
    "parameters",
    assemble({
      functions: [
        { signature: { parameters: repeat<Type>(MODULE_MAX_PARAMETERS + 1, [I32]), result: I32 }, code: zero },
      ],
    }),
  ],
  [
    "a function of 1,000 results",
    "results",
    withCode(zero, { sections: types([[0x60, 0, ...leb128(1000), ...repeat(1000, [I32])]]) }),
  ],
  [
    "one type too many",
    "entries in section 1",
    withCode(zero, { sections: types(repeat(MODULE_MAX_TYPES - 3, [typeBytes(STEP)])) }),
  ],
  ["one function too many", "entries in section 3", manyFunctions(MODULE_MAX_ITEMS)],
  [
    "one global too many",
    "entries in section 6",
    withCode(zero, { globals: repeat(MODULE_MAX_ITEMS + 1, [[I32, [0]] as const]) }),
  ],
  ["memory.grow", "instruction 40", withCode([...zero, 0x40, 0])],
  ["memory.size", "instruction 3f", withCode([0x3f, 0])],
  ["a float", "instruction 43", withCode([0x43, 0, 0, 0, 0, 0x1a, ...zero])],
  ["a parameter that is a float", "type 7d", withCode(zero, { sections: types([[0x60, 1, 0x7d, 0]]) })],
  ["a division of 64 bits", "instruction 7f", withCode([0x42, 7, 0x42, 2, 0x7f, 0xa7])],
  ["a remainder of 64 bits", "instruction 82", withCode([0x42, 7, 0x42, 2, 0x82, 0xa7])],
  ["i32.extend8_s", "instruction c0", withCode([...zero, 0xc0])],
  ["memory.fill", "instruction fc", withCode([...zero, ...zero, ...zero, 0xfc, 0x0b, 0, ...zero])],
  [
    "a table and a call through it",
    "section 4",
    withCode([...zero, ...zero, 0x11, 2, 0], { sections: new Map([[4, vector([[0x70, 0, 1]])]]) }),
  ],
  [
    "a start function",
    "section 8",
    withCode(zero, {
      functions: [
        { signature: STEP, code: zero },
        { signature: { parameters: [], result: undefined }, code: [] },
      ],
      sections: new Map([[8, [2]]]),
    }),
  ],
  [
    "a global that is a constant",
    "global",
    withCode(zero, { sections: new Map([[6, vector([[I32, 0, 0x41, 0, END]])]]) }),
  ],
  ["a memory without a maximum", "maximum", withCode(zero, { sections: new Map([[5, vector([[0, 1]])]]) })],
  [
    "an imported memory",
    "not a function",
    withCode(zero, {
      sections: new Map([
        [
          2,
          vector([
            [...text("mote"), ...text("read"), 0, 0],
            [...text("mote"), ...text("m"), 2, 1, 1, 1],
          ]),
        ],
        [5, vector([])],
        [7, vector([])],
      ]),
    }),
  ],
  [
    "a section of names",
    "4 bytes",
    withCode(zero, { sections: new Map([[0, [...text("name"), 1, 0xff, 0xff, 0xff, 0xff, 0x0f]]]) }),
  ],
  [
    "data at a negative address",
    "negative",
    withCode(zero, { sections: new Map([[11, vector([[0, 0x41, 0x7f, END, 1, 9]])]]) }),
  ],
  [
    "data at a computed address",
    "not valid",
    withCode(zero, { globals: [[I32, [0]]], sections: new Map([[11, vector([[0, 0x23, 0, END, 1, 9]])]]) }),
  ],
  [
    "data longer than the file",
    "not valid",
    withCode(zero, { sections: new Map([[11, vector([[0, 0x41, 0, END, 0xf0, 0xff, 0xff, 0xff, 0x0f, 9]])]]) }),
  ],
  [
    "a function longer than the file",
    "not valid",
    withCode(zero, { sections: body([0xf0, 0xff, 0xff, 0xff, 0x0f, 0, 0x41, 0, END]) }),
  ],
  ["no function for a signature", "not valid", withCode(zero, { sections: new Map([[10, vector([])]]) })],
  [
    "a section twice",
    "not valid",
    withCode(zero, { sections: new Map([[5, [...vector([[1, 1, 1]]), 5, 4, ...vector([[1, 1, 1]])]]]) }),
  ],
  ["instructions behind a branch", "never reached", withCode([...zero, 0x0f, ...zero])],
  ["an i64 for an i32", "not valid", withCode([0x42, 0])],
  ["an i32 for an i64, at a block's end", "not valid", withCode([0x02, I64, ...zero, END, 0xa7])],
  ["an address that is an i64", "not valid", withCode([0x42, 0, 0x28, 2, 0])],
  ["a store of another type", "not valid", withCode([...zero, ...zero, 0x37, 3, 0, ...zero])],
  ["a choice of two types", "not valid", withCode([...zero, 0x42, 0, ...zero, 0x1b, 0x1a, ...zero])],
  [
    "an argument of another type",
    "not valid",
    assemble({
      functions: [
        { signature: STEP, code: [0x42, 0, 0x10, 2] },
        { signature: STEP, code: zero },
      ],
    }),
  ],
  ["a local of another type", "not valid", withCode([0x42, 0, 0x21, 0, ...zero])],
  ["a global of another type", "not valid", withCode([0x42, 0, 0x24, 0, ...zero], { globals: [[I32, [0]]] })],
  ["nothing for an operand", "not valid", withCode([0x6a])],
  ["an operand of the block around", "not valid", withCode([...zero, 0x02, NONE, 0x1a, END, ...zero])],
  ["values left at a block's end", "not valid", withCode([0x02, NONE, ...zero, END, ...zero])],
  ["values left at the function's end", "not valid", withCode([...zero, ...zero])],
  ["an if with a result and no else", "not valid", withCode([...zero, 0x04, I32, ...zero, END])],
  ["an else without an if", "not valid", withCode([0x02, NONE, 0x05, END, ...zero])],
  ["a label that is not there", "not valid", withCode([0x0c, 2])],
  ["labels of different types", "not valid", withCode([0x02, NONE, ...zero, ...zero, 0x0e, 1, 0, 1, END])],
  ["a local that is not there", "not valid", withCode([0x20, 1])],
  ["a global that is not there", "not valid", withCode([0x23, 0])],
  ["a function that is not there", "not valid", withCode([...zero, 0x10, 4])],
  ["a type that is not there", "not valid", withCode(zero, { sections: new Map([[3, vector([[4], [1], [2]])]]) })],
  ["a block type of a table", "not valid", withCode([0x02, 0x70, END, ...zero])],
  ["a body without an end", "not valid", withCode([], { sections: body([3, 0, 0x41, 0]) })],
  ["bytes behind a body's end", "not valid", withCode([...zero, END, ...zero])],
  ["a number of 6 bytes", "not valid", withCode([0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0])],
];

/** What wasm3 may not see. */
export const HOSTILE: readonly NamedModule[] = beyond.map(([name, says, wasm]) => ({ name, says, wasm }));

/** A caller whose frame is of any size calls, near the end of wasm3's stack, a function with as many arguments as there may be. */
const atTheStacksEnd = Array.from({ length: 40 }, (_, count): readonly [string, Uint8Array] => {
  const eight: Signature = { parameters: repeat<Type>(MODULE_MAX_PARAMETERS, [I64]), result: undefined };
  const call = [...repeat(MODULE_MAX_PARAMETERS, [0x42, 0x7f]), 0x10];
  return [
    `eight arguments behind ${count} locals`,
    assemble({
      functions: [
        { signature: STEP, locals: repeat<Type>(45, [I64]), code: [...zero, 0x10, 2] },
        { signature: STEP, locals: repeat<Type>(count, [I64]), code: [...call, 3, ...zero] },
        { signature: eight, code: [] },
      ],
    }),
  ];
});

/** What wasm3 has to bear: it compiles, and does no harm. */
export const EXTREME: readonly (readonly [name: string, wasm: Uint8Array])[] = [
  ["blocks within each other", withCode(nested(MODULE_MAX_NESTING - 1))],
  ["calls within each other", chain(MODULE_MAX_FRAMES, 0)],
  ["loops and calls within each other", chain(4, 4)],
  ["values", withCode(zero, {}, repeat<Type>(MODULE_MAX_VALUES - 3, [I32]))],
  ["values of 64 bits", withCode(zero, {}, repeat<Type>(MODULE_MAX_VALUES - 3, [I64]))],
  [
    "operands",
    withCode([...repeat(MODULE_MAX_VALUES - 2, [0x42, 3]), ...repeat(MODULE_MAX_VALUES - 2, [0x1a]), ...zero]),
  ],
  ["results of calls on top of each other", heapedCalls(4)],
  ["types", withCode(zero, { sections: types(repeat(MODULE_MAX_TYPES - 4, [typeBytes(STEP)])) })],
  ["functions", manyFunctions(MODULE_MAX_ITEMS - 1)],
  ["globals", withCode(zero, { globals: repeat(MODULE_MAX_ITEMS, [[I64, [0]] as const]) })],
  ["labels of a br_table", withCode([0x02, NONE, 0x20, 0, 0x0e, ...leb128(2000), ...repeat(2001, [0]), END, ...zero])],
  ...atTheStacksEnd,
];
