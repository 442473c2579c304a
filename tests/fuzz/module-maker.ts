/**
 * Modules out of nothing, for wasm3: within the limits of SPEC.md, "Modules", and often at them. They have the core's exports, do nonsense and
 * end, since each function and each turn of a loop takes one from a global that begins at some hundreds.
 */
import { MODULE_MAX_NESTING, MODULE_MAX_PARAMETERS, MODULE_MAX_VALUES } from "../../assembly/module.js";
import { leb128, signedLeb128 } from "../../host/module/leb128.js";
import type { Random } from "../../host/rng.js";
import { assemble, I32, I64, NONE, type Signature, type Type } from "./assemble.js";

const FUEL = 0;
const LOADS = { [I32]: [0x28, 0x2c, 0x2d, 0x2e, 0x2f], [I64]: [0x29, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35] };
const STORES = { [I32]: [0x36, 0x3a, 0x3b], [I64]: [0x37, 0x3c, 0x3d, 0x3e] };
/** Division traps now and then, which is welcome; of 64 bits there is none. */
const BINARY = {
  [I32]: [[0x6a, 0x78]],
  [I64]: [
    [0x7c, 0x7e],
    [0x83, 0x8a],
  ],
} as const;
const UNARY = { [I32]: [0x67, 0x69], [I64]: [0x79, 0x7b] } as const;
const COMPARISONS = { [I32]: [0x46, 0x4f], [I64]: [0x51, 0x5a] } as const;

class FunctionMaker {
  private readonly code: number[] = [];
  private readonly locals: Type[];
  /** Types that the labels take along, the outermost first. */
  private readonly labels: (Type | undefined)[];
  /** Values that stand below what is made now, places of blocks' results and results of calls among them. */
  private height: number;
  private work: number;

  constructor(
    private readonly random: Random,
    private readonly own: Signature,
    private readonly callees: ReadonlyMap<number, Signature>,
    private readonly globals: readonly Type[],
  ) {
    const most = MODULE_MAX_VALUES - own.parameters.length - 4;
    const count = this.chance(4) ? random.integer(most) : random.integer(8);
    this.locals = [...own.parameters, ...Array.from({ length: count }, () => this.type())];
    this.labels = [own.result];
    this.height = this.locals.length + 1;
    this.work = 10 + random.integer(60);
  }

  /** @param isExported answers 0 or 1, as statuses that go on */
  make(isExported: boolean): { readonly locals: readonly Type[]; readonly code: readonly number[] } {
    this.payFuel();
    for (let left = 1 + this.random.integer(4); left > 0; left--) this.statement();
    if (this.own.result !== undefined) this.value(this.own.result);
    if (isExported) this.emit(0x41, 1, 0x71);
    return { locals: this.locals.slice(this.own.parameters.length), code: this.code };
  }

  private chance(outOf: number): boolean {
    return this.random.integer(outOf) === 0;
  }

  private type(): Type {
    return this.chance(2) ? I32 : I64;
  }

  private pick<T>(from: readonly T[]): T {
    return from[this.random.integer(from.length)];
  }

  private emit(...bytes: readonly number[]): void {
    this.code.push(...bytes);
  }

  private get room(): number {
    return MODULE_MAX_VALUES - this.height;
  }

  /** Returns when there is none left. */
  private payFuel(): void {
    this.emit(0x23, FUEL, 0x41, 1, 0x6b, 0x24, FUEL);
    this.emit(0x23, FUEL, 0x41, 0, 0x4c, 0x04, NONE);
    if (this.own.result !== undefined) this.emit(this.own.result === I32 ? 0x41 : 0x42, 5);
    this.emit(0x0f, 0x0b);
  }

  /** Whatever `make` puts on the stack stays there while `rest` is made. */
  private under(values: number, rest: () => void): void {
    this.height += values;
    rest();
    this.height -= values;
  }

  private block(opcode: number, result: Type | undefined, make: () => void): void {
    this.emit(opcode, result ?? NONE);
    this.labels.push(opcode === 0x03 ? undefined : result);
    this.under(result === undefined ? 0 : 1, make);
    this.labels.pop();
  }

  private get mayNest(): boolean {
    return this.labels.length < MODULE_MAX_NESTING - 1 && this.room > 6 && this.work > 0;
  }

  private statement(): void {
    this.work--;
    const choice = this.random.integer(this.mayNest ? 10 : 4);
    if (choice <= 1) return this.setLocal();
    if (choice === 2) {
      this.address();
      const type = this.type();
      this.under(1, () => this.value(type));
      return this.emit(this.pick(STORES[type]), 0, ...leb128(this.random.integer(70_000)));
    }
    if (choice === 3) {
      const type = this.type();
      this.value(type);
      const global = this.globals.findIndex((other, index) => index !== FUEL && other === type);
      return global < 0 ? this.emit(0x1a) : this.emit(0x24, ...leb128(global));
    }
    if (choice === 4) return this.call(this.pick([...this.callees.keys()]), true);
    if (choice === 5) {
      this.block(0x03, undefined, () => {
        this.payFuel();
        this.statement();
        this.value(I32);
        this.emit(0x0d, 0);
      });
      return this.emit(0x0b);
    }
    if (choice === 6) {
      this.value(I32);
      this.block(0x04, undefined, () => {
        this.statement();
        if (this.chance(2)) return;
        this.emit(0x05);
        this.statement();
      });
      return this.emit(0x0b);
    }
    if (choice === 7) return this.blockWith(undefined, () => this.statement());
    if (choice === 8) return this.table(undefined);
    this.statement();
    this.statement();
  }

  private setLocal(): void {
    if (this.locals.length === 0) return;
    const local = this.random.integer(this.locals.length);
    this.value(this.locals[local]);
    this.emit(0x21, ...leb128(local));
  }

  /** A block that a branch may leave before its end. */
  private blockWith(result: Type | undefined, make: () => void): void {
    this.block(0x02, result, () => {
      make();
      if (this.chance(2)) {
        this.under(result === undefined ? 0 : 1, () => this.value(I32));
        this.emit(0x0d, 0);
      }
      if (this.chance(8)) this.emit(0x0c, 0);
    });
    this.emit(0x0b);
  }

  /** As many blocks as labels, and code behind each. */
  private table(result: Type | undefined): void {
    const arms = 1 + this.random.integer(Math.min(6, MODULE_MAX_NESTING - this.labels.length));
    for (let arm = 0; arm < arms; arm++) {
      this.emit(0x02, result ?? NONE);
      this.labels.push(result);
    }
    const places = result === undefined ? 0 : arms;
    this.under(places, () => {
      if (result !== undefined) this.value(result);
      this.under(result === undefined ? 0 : 1, () => this.value(I32));
      const count = this.random.integer(9);
      this.emit(0x0e, ...leb128(count));
      for (let i = 0; i <= count; i++) this.emit(this.random.integer(arms));
    });
    for (let arm = 0; arm < arms; arm++) {
      this.emit(0x0b);
      this.labels.pop();
      if (arm < arms - 1 && result === undefined) this.statement();
    }
  }

  private address(): void {
    this.value(I32);
    this.emit(0x41, ...signedLeb128(BigInt(this.pick([0xff, 0xfff, 0xffff, 0x1ffff]))), 0x71);
  }

  /** @param isStatement its result, if it has one, is dropped */
  private call(callee: number | undefined, isStatement: boolean): void {
    if (callee === undefined) return isStatement ? undefined : this.constant(I32);
    const { parameters, result } = this.callees.get(callee)!;
    parameters.forEach((type, index) => this.under(index, () => this.value(type)));
    this.emit(0x10, ...leb128(callee));
    if (isStatement && result !== undefined) this.emit(0x1a);
  }

  private constant(type: Type): void {
    const bits = this.pick([3, 7, 8, 16, 31, type === I32 ? 31 : 63]);
    const value = BigInt(this.random.nextU32()) * 0x1_0000_0000n + BigInt(this.random.nextU32());
    this.emit(type === I32 ? 0x41 : 0x42, ...signedLeb128(BigInt.asIntN(bits + 1, value)));
  }

  private leaf(type: Type): void {
    const locals = this.locals.flatMap((other, index) => (other === type ? [index] : []));
    if (locals.length > 0 && !this.chance(3)) return this.emit(0x20, ...leb128(this.pick(locals)));
    const global = this.globals.indexOf(type);
    if (global >= 0 && this.chance(2)) return this.emit(0x23, ...leb128(global));
    this.constant(type);
  }

  /** Code that leaves a value of this type. */
  private value(type: Type): void {
    this.work--;
    if (this.work <= 0 || this.room < MODULE_MAX_PARAMETERS + 4) return this.leaf(type);
    const two = (of: Type): void => {
      this.value(of);
      this.under(1, () => this.value(of));
    };
    const between = ([first, last]: readonly [number, number]): number => first + this.random.integer(last - first + 1);
    switch (this.random.integer(this.mayNest ? 14 : 9)) {
      case 0:
      case 1:
        return this.leaf(type);
      case 2:
      case 3:
        two(type);
        return this.emit(between(this.pick<readonly [number, number]>(BINARY[type])));
      case 4:
        this.value(type);
        return this.emit(between(UNARY[type]));
      case 5: {
        this.address();
        return this.emit(this.pick(LOADS[type]), 0, ...leb128(this.random.integer(70_000)));
      }
      case 6:
        two(type);
        this.under(2, () => this.value(I32));
        return this.emit(0x1b);
      case 7: {
        const locals = this.locals.flatMap((other, index) => (other === type ? [index] : []));
        this.value(type);
        return locals.length === 0 ? undefined : this.emit(0x22, ...leb128(this.pick(locals)));
      }
      case 8: {
        const from = this.type();
        if (type === I64) {
          this.value(I32);
          return this.emit(0xac + this.random.integer(2));
        }
        if (this.chance(2)) {
          this.value(I64);
          return this.emit(0xa7);
        }
        two(from);
        return this.emit(between(COMPARISONS[from]));
      }
      case 9:
      case 10: {
        const giving = [...this.callees].filter(([, { result }]) => result === type).map(([index]) => index);
        return giving.length === 0 ? this.leaf(type) : this.call(this.pick(giving), false);
      }
      case 11:
        this.value(I32);
        this.block(0x04, type, () => {
          this.value(type);
          this.emit(0x05);
          this.value(type);
        });
        return this.emit(0x0b);
      case 12:
        return this.blockWith(type, () => this.value(type));
      default:
        return this.chance(2) ? this.table(type) : (this.block(0x03, type, () => this.value(type)), this.emit(0x0b));
    }
  }
}

/** A module with its seal. Most are within the limits; which are not, checkModule tells. */
export function makeModule(random: Random): Uint8Array {
  const type = (): Type => (random.integer(2) === 0 ? I32 : I64);
  const i32 = (parameters: number): Signature => ({ parameters: Array<Type>(parameters).fill(I32), result: I32 });
  const inner = 1 + random.integer(10);
  // The import, open, then functions of any type.
  const signatures: Signature[] = [
    i32(3),
    i32(1),
    ...Array.from({ length: inner }, () => ({
      parameters: Array.from({ length: random.integer(random.integer(3) === 0 ? MODULE_MAX_PARAMETERS + 1 : 4) }, type),
      result: random.integer(3) === 0 ? undefined : type(),
    })),
  ];
  const globals: Type[] = [I32, ...Array.from({ length: random.integer(6) }, type)];
  // Each calls some that stand behind it in an order of their own, so that indices tell nothing.
  const order = Array.from({ length: inner }, (_, index) => index + 2);
  for (let i = order.length - 1; i > 0; i--) {
    const other = random.integer(i + 1);
    [order[i], order[other]] = [order[other], order[i]];
  }
  const functions = signatures.slice(1).map((signature, i) => {
    const place = order.indexOf(i + 1);
    const callees = [0, ...order.slice(place + 1, place + 5)].map((index) => [index, signatures[index]] as const);
    const maker = new FunctionMaker(random, signature, new Map(callees), globals);
    return { ...maker.make(i === 0), signature };
  });
  return assemble({
    functions,
    globals: globals.map((of, index) => [of, index === FUEL ? [0xf4, 3] : [7]] as const),
  });
}
