/**
 * What a module has to be for wasm3, which does not check what it runs: SPEC.md, "Modules". The library's mote-check.c and mote-function.c do
 * the same. Here V8 has looked at types before, so that counting is left: what wasm3 keeps in arrays of fixed size or on the native stack.
 */
import { MAX_BYTES } from "../../assembly/format.js";
import {
  MODULE_MAX_FRAMES,
  MODULE_MAX_ITEMS,
  MODULE_MAX_NESTING,
  MODULE_MAX_PARAMETERS,
  MODULE_MAX_TYPES,
  MODULE_MAX_VALUES,
} from "../../assembly/module.js";
import { MoteError } from "../errors.js";
import { dataSegment, foreignModule, importName } from "./module-outline.js";
import {
  CODE_SECTION,
  CUSTOM_SECTION,
  DATA_SECTION,
  EXPORT_SECTION,
  FUNCTION_SECTION,
  GLOBAL_SECTION,
  IMPORT_SECTION,
  MEMORY_SECTION,
  readSections,
  TYPE_SECTION,
  type WasmReader,
} from "./sections.js";

const I32 = 0x7f;
const I64 = 0x7e;
const MUTABLE = 1;
const HAS_MAXIMUM = 1;

const UNREACHABLE = 0x00;
const BLOCK = 0x02;
const LOOP = 0x03;
const IF = 0x04;
const ELSE = 0x05;
const END = 0x0b;
const BR = 0x0c;
const BR_IF = 0x0d;
const BR_TABLE = 0x0e;
const RETURN = 0x0f;
const CALL = 0x10;
const FIRST_CONST = 0x41;
const LAST_CONST = 0x42;

/** Opcodes with the same effect, by the last of them: how many values they take and give. The others are refused. */
const EFFECTS: readonly (readonly [last: number, takes?: number, gives?: number])[] = [
  [UNREACHABLE, 0, 0],
  [0x01],
  [LOOP, 0, 0],
  [IF, 1, 0],
  [END],
  // Of a branch what it takes along depends on its label, of a call on its function.
  [BR, 0, 0],
  [BR_TABLE, 1, 0],
  [CALL, 0, 0],
  [0x19],
  [0x1a, 1, 0], // drop
  [0x1b, 3, 1], // select
  [0x1f],
  [0x20, 0, 1], // local.get
  [0x21, 1, 0], // local.set
  [0x22, 1, 1], // local.tee
  [0x23, 0, 1], // global.get
  [0x24, 1, 0], // global.set
  [0x27],
  [0x29, 1, 1], // loads
  [0x2b],
  [0x35, 1, 1],
  [0x37, 2, 0], // stores
  [0x39],
  [0x3e, 2, 0],
  [0x40],
  [LAST_CONST, 0, 1],
  [0x44],
  [0x45, 1, 1], // i32.eqz
  [0x4f, 2, 1], // comparisons
  [0x50, 1, 1], // i64.eqz
  [0x5a, 2, 1],
  [0x66],
  [0x69, 1, 1], // clz, ctz, popcnt
  [0x78, 2, 1], // arithmetic
  [0x7b, 1, 1],
  [0x7e, 2, 1],
  [0x82], // divisions of 64 bits
  [0x8a, 2, 1],
  [0xa6],
  [0xa7, 1, 1], // i32.wrap_i64
  [0xab],
  [0xad, 1, 1], // i64.extend_i32
  [0xff],
];

interface Signature {
  readonly parameters: number;
  /** 0 or 1 */
  readonly results: number;
}

/**
 * @throws MoteError ENGINE for what is not valid WebAssembly, FORMAT for sections or instructions of another kind than those that `mote pack`
 *   writes and for more than the limits allow
 */
export function checkModule(wasm: Uint8Array): void {
  if (!WebAssembly.validate(wasm as Uint8Array<ArrayBuffer>)) {
    throw new MoteError("ENGINE", "wasm3: the module is not valid WebAssembly");
  }
  const check = new ModuleCheck();
  for (const { id, section } of readSections(wasm, foreignModule)) check.section(id, section);
  check.functions();
}

class ModuleCheck {
  private readonly types: Signature[] = [];
  /** By function, imported ones first. */
  private readonly signatures: Signature[] = [];
  private readonly bodies: WasmReader[] = [];
  /** Of a function that has been checked, native frames that wasm3 uses for a call: its own, and those of loops and calls within. */
  private readonly frames: number[] = [];

  /** V8 has seen that there is one of each at most, and in which order. */
  section(id: number, section: WasmReader): void {
    if (id === CUSTOM_SECTION) {
      // wasm3 looks into the one called "name".
      if (section.slice().rest().length === 4) throw foreignModule("it has a custom section with a name of 4 bytes");
      return;
    }
    const entry = this.entryOf(id);
    const count = section.number();
    const most =
      id === TYPE_SECTION
        ? MODULE_MAX_TYPES
        : MODULE_MAX_ITEMS - (id === FUNCTION_SECTION ? this.signatures.length : 0);
    if (count > most) throw foreignModule(`it has ${count} entries in section ${id}, expected at most ${most}`);
    for (let i = 0; i < count; i++) entry(section);
  }

  private entryOf(id: number): (section: WasmReader) => void {
    switch (id) {
      case TYPE_SECTION:
        return (section) => this.types.push(signature(section));
      case IMPORT_SECTION:
        return (section) => {
          importName(section);
          this.signatures.push(this.types[section.number()]);
          this.frames.push(1);
        };
      case FUNCTION_SECTION:
        return (section) => this.signatures.push(this.types[section.number()]);
      case MEMORY_SECTION:
        return (section) => {
          if (section.byte() !== HAS_MAXIMUM) throw foreignModule("its memory has no maximum");
        };
      case GLOBAL_SECTION:
        return global;
      case EXPORT_SECTION:
        return () => {};
      case CODE_SECTION:
        return (section) => this.bodies.push(section.slice());
      case DATA_SECTION:
        return (section) => {
          if (dataSegment(section).address > MAX_BYTES) throw foreignModule("a data segment is out of reach");
        };
      default:
        throw foreignModule(`it has a section ${id}`);
    }
  }

  functions(): void {
    for (let index = 0; index < this.signatures.length; index++) this.framesOf(index, []);
  }

  /** @param callers the functions that wait for this one */
  private framesOf(index: number, callers: readonly number[]): number {
    const known = this.frames[index];
    if (known !== undefined) return known;
    if (callers.includes(index)) throw foreignModule(`function ${index} calls itself`);
    const body = this.bodies[index - (this.signatures.length - this.bodies.length)];
    const code = new CodeCheck(index, this.signatures[index], body);
    const frames = code.check((callee) => ({
      signature: this.signatures[callee],
      frames: this.framesOf(callee, [...callers, index]),
    }));
    this.frames[index] = frames;
    return frames;
  }
}

function valueType(section: WasmReader): void {
  const type = section.byte();
  if (type !== I32 && type !== I64) throw foreignModule(`it has a type ${type.toString(16)}, expected i32 or i64`);
}

function signature(section: WasmReader): Signature {
  section.byte(); // function
  const parameters = section.number();
  if (parameters > MODULE_MAX_PARAMETERS) {
    throw foreignModule(`a function has ${parameters} parameters, expected at most ${MODULE_MAX_PARAMETERS}`);
  }
  for (let i = 0; i < parameters; i++) valueType(section);
  const results = section.number();
  if (results > 1) throw foreignModule(`a function has ${results} results, expected at most 1`);
  if (results === 1) valueType(section);
  return { parameters, results };
}

function global(section: WasmReader): void {
  valueType(section);
  const isMutable = section.byte() === MUTABLE;
  const opcode = section.byte();
  if (!isMutable || opcode < FIRST_CONST || opcode > LAST_CONST) {
    throw foreignModule("it has a global that is not a variable with a constant to begin with");
  }
  section.skipNumber();
  if (section.byte() !== END) throw foreignModule("it has a global that begins with more than a constant");
}

interface Label {
  opcode: number;
  readonly results: number;
  /** Values when the block begins, its result among them: a place is kept for it, as wasm3 does. */
  readonly values: number;
}

class CodeCheck {
  private values = 0;
  /** Results of calls since the operand stack was last empty. wasm3 lays each above all that there is. */
  private calls = 0;
  private loops = 0;
  private frames = 1;
  private readonly labels: Label[] = [];

  constructor(
    private readonly index: number,
    private readonly signature: Signature,
    private readonly code: WasmReader,
  ) {}

  /** @returns the frames of the function */
  check(call: (callee: number) => { readonly signature: Signature; readonly frames: number }): number {
    const { code, labels } = this;
    this.push(this.signature.parameters);
    for (let groups = code.number(); groups > 0; groups--) {
      this.push(code.number());
      valueType(code);
    }
    this.enter(BLOCK, this.signature.results);
    let isReachable = true;
    while (labels.length > 0) {
      const opcode = code.byte();
      if (opcode === END || opcode === ELSE) {
        this.leave(opcode);
        isReachable = true;
        continue;
      }
      if (!isReachable) throw this.refused("has instructions that are never reached");
      const [, takes, gives] = EFFECTS.find(([last]) => opcode <= last)!;
      if (takes === undefined || gives === undefined) throw this.refused(`has an instruction ${opcode.toString(16)}`);
      if (this.values === labels[0].values) this.calls = 0;
      this.values -= takes;
      if (opcode >= BLOCK && opcode <= IF) {
        this.enter(opcode, this.blockResults());
      } else if (opcode === CALL) {
        const callee = call(code.number());
        this.nest(callee.frames);
        this.values -= callee.signature.parameters;
        this.calls += callee.signature.results;
        this.push(callee.signature.results);
      } else {
        this.immediates(opcode);
      }
      this.push(gives);
      isReachable = opcode !== UNREACHABLE && opcode !== BR && opcode !== BR_TABLE && opcode !== RETURN;
    }
    if (this.frames > MODULE_MAX_FRAMES)
      throw this.refused(`needs ${this.frames} frames, ${MODULE_MAX_FRAMES} at most`);
    return this.frames;
  }

  private push(count: number): void {
    this.values += count;
    const all = this.values + (count > 0 ? this.calls : 0);
    if (all > MODULE_MAX_VALUES) throw this.refused(`has ${all} values at a time, ${MODULE_MAX_VALUES} at most`);
  }

  private nest(frames: number): void {
    this.frames = Math.max(this.frames, this.loops + frames + 1);
  }

  private enter(opcode: number, results: number): void {
    if (this.labels.length === MODULE_MAX_NESTING) {
      throw this.refused(`has more than ${MODULE_MAX_NESTING} blocks within each other`);
    }
    this.push(results);
    if (opcode === LOOP) this.loops++;
    this.nest(0);
    this.labels.push({ opcode, results, values: this.values });
  }

  private leave(opcode: number): void {
    const block = this.labels[this.labels.length - 1];
    this.values = block.values;
    if (opcode === ELSE) return;
    if (block.opcode === LOOP) this.loops--;
    this.labels.pop();
  }

  private blockResults(): number {
    const type = this.code.byte();
    if (type !== I32 && type !== I64 && type !== 0x40) throw this.refused(`has a block of type ${type.toString(16)}`);
    return type === 0x40 ? 0 : 1;
  }

  private immediates(opcode: number): void {
    const { code } = this;
    if (opcode === BR_TABLE) {
      for (let left = code.number() + 1; left > 0; left--) code.number();
    } else if (opcode === BR || opcode === BR_IF || (opcode >= 0x20 && opcode <= 0x24)) {
      code.number();
    } else if (opcode >= 0x28 && opcode <= 0x3e) {
      code.number(); // alignment
      code.number(); // offset
    } else if (opcode === FIRST_CONST || opcode === LAST_CONST) {
      code.skipNumber();
    }
  }

  private refused(what: string): MoteError {
    return foreignModule(`function ${this.index} ${what} (byte ${this.code.place})`);
  }
}
