/** What Caffe's text and binary files say, in one form: messages with the values of their fields in order. */
import { MoteError } from "../errors.js";
import { readBlob, type Blob } from "./caffe-blob.js";
import type { Kind, Schema } from "./caffe-schema.js";
import { BYTES, type Message, type Window } from "./protobuf.js";

export type Value = number | boolean | string | Fields | Blob;

/** Numbers, texts, messages and blobs of a net together, by what they take: what describes a thousand layers takes some fifty thousand. */
const MAX_COST = 1 << 17;
const MESSAGE_COST = 2;
const BLOB_COST = 8;

/** Counts values, each of which takes more memory than it may take in the file. */
export class Budget {
  #left = MAX_COST;

  /** @returns false once there are too many */
  spend(value: Value): boolean {
    this.#left -= typeof value !== "object" ? 1 : value instanceof Fields ? MESSAGE_COST : BLOB_COST;
    return this.#left >= 0;
  }
}

/** @throws MoteError FORMAT from all methods where the value is missing, of another kind or there are two */
export class Fields {
  readonly #values = new Map<string, Value[]>();
  /** Fields that are not in the schema, by name or as "field 13". */
  readonly unknown: string[] = [];

  /** @param where for errors: "net.prototxt: line 12", "offset 345" */
  constructor(
    readonly schema: Schema,
    readonly where: string,
  ) {}

  add(name: string, value: Value): void {
    const values = this.#values.get(name);
    if (values === undefined) this.#values.set(name, [value]);
    else values.push(value);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  numbers(name: string): readonly number[] {
    return this.#all(name, "integer", "number") as readonly number[];
  }

  texts(name: string): readonly string[] {
    return this.#all(name, "text") as readonly string[];
  }

  blobs(name: string): readonly Blob[] {
    return this.#all(name, "blob") as readonly Blob[];
  }

  messages(name: string): readonly Fields[] {
    return this.#all(name) as readonly Fields[];
  }

  number<T>(name: string, otherwise: T): number | T {
    return this.#one(name, this.numbers(name)) ?? otherwise;
  }

  /** Of a text, or the name of an enumeration's value. */
  text<T>(name: string, otherwise: T): string | T {
    return (this.#one(name, this.#values.get(name) ?? []) as string | undefined) ?? otherwise;
  }

  flag(name: string, otherwise: boolean): boolean {
    return (this.#one(name, this.#all(name, "flag")) as boolean | undefined) ?? otherwise;
  }

  /** Empty where there is none. */
  message(name: string): Fields {
    const found = this.#one(name, this.messages(name));
    return found ?? new Fields(this.schema.fields[name] as Schema, this.where);
  }

  fail(problem: string): never {
    throw new MoteError("FORMAT", `${this.where}: ${this.schema.name}: ${problem}`);
  }

  #all(name: string, ...kinds: Kind[]): readonly Value[] {
    const kind = this.schema.fields[name];
    // Asked for as what it is not: a mistake here, not in the file.
    if (kind === undefined || (kinds.length > 0 && !kinds.includes(kind))) throw new TypeError(`no such field ${name}`);
    return this.#values.get(name) ?? [];
  }

  #one<T>(name: string, values: readonly T[]): T | undefined {
    return values.length > 1 ? this.fail(`${values.length} values of ${name}, expected one`) : values[0];
  }
}

/** @param message whose fields nothing has asked for yet @throws MoteError FORMAT */
export function readFields(message: Message, schema: Schema, window: Window, budget: Budget): Fields {
  const fields = new Fields(schema, `offset ${message.begin}`);
  const add = (name: string, value: Value): void => {
    if (!budget.spend(value)) message.fail(message.start, "has too many values for a net");
    fields.add(name, value);
  };
  while (message.next()) {
    const name = schema.numbers.get(message.field);
    if (name === undefined) {
      noteUnknown(fields, `field ${message.field}`);
      continue;
    }
    const kind = schema.fields[name];
    if (kind === "skip") continue;
    if (kind === "integer") message.eachInteger((value) => add(name, value));
    else if (kind === "number") message.eachFloat((value) => add(name, value));
    else if (kind === "flag") add(name, message.integer() !== 0);
    else if (kind === "text") add(name, message.text());
    else if (kind === "blob") add(name, readBlob(message.message("BlobProto"), window));
    else if ("fields" in kind) {
      message.expect(BYTES);
      add(name, readFields(message.message(kind.name), kind, window, budget));
    } else add(name, kind[message.integer()] ?? message.fail(message.start, `${name} is ${message.value}`));
  }
  return fields;
}

/** Some are enough to tell. */
export function noteUnknown({ unknown }: Fields, name: string): void {
  if (unknown.length < 4 && !unknown.includes(name)) unknown.push(name);
}
