/** The text form of protocol buffers, as Caffe's .prototxt files have it. https://protobuf.dev/reference/protobuf/textformat-spec/ */
import { MoteError, shortened } from "../errors.js";
import { Budget, Fields, noteUnknown, type Value } from "./caffe-message.js";
import type { Kind, Schema } from "./caffe-schema.js";
import type { NamedSource } from "./graph.js";
import { own } from "../own.js";

/** A net of a thousand layers takes some 500 KB. */
const MAX_BYTES = 1 << 20;
/** Of a name. */
const MAX_TEXT = 1 << 12;
/** Messages within messages. */
const MAX_DEPTH = 32;

const BLANKS = /[ \t\r\n]+|#[^\n]*/y;
/** A name, a number, a string or a single character. A number may have a sign in front, and one behind its e. */
const TOKEN =
  /[A-Za-z_]\w*|-?[0-9.][\w.]*(?:(?<=[eE])[+-]\d+[fF]?)?|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'|[^]/y;
const DECIMAL = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?$/;
const HEXADECIMAL = /^-?0[xX][0-9a-fA-F]+$/;
const OCTAL = /^-?0\d+$/;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "\\": "\\", "'": "'", '"': '"' };

/** @throws MoteError FORMAT that names the file and the line */
export function readPrototxt({ source, path }: NamedSource, schema: Schema): Fields {
  if (source.size > MAX_BYTES) {
    throw new MoteError("FORMAT", `${path}: has ${source.size} bytes, expected at most ${MAX_BYTES}`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(source.read(0, source.size));
  } catch (cause) {
    if (cause instanceof MoteError) throw cause;
    throw new MoteError("FORMAT", `${path}: is not UTF-8`, { cause });
  }
  return new Parser(text, path).whole(schema);
}

class Parser {
  /** The token at hand; "" at the end. */
  #token = "";
  #line = 1;
  #at = 0;
  readonly #budget = new Budget();

  constructor(
    readonly text: string,
    readonly path: string,
  ) {
    this.#next();
  }

  whole(schema: Schema): Fields {
    const fields = new Fields(schema, this.#where(1));
    while (this.#token !== "") this.#field(fields, 0);
    return fields;
  }

  #next(): void {
    for (let blanks = this.#match(BLANKS); blanks !== ""; blanks = this.#match(BLANKS)) {
      for (const character of blanks) if (character === "\n") this.#line++;
    }
    this.#token = this.#match(TOKEN);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #where(line: number): string {
    return `${this.path}: line ${line}`;
  }

  #fail(problem: string): never {
    throw new MoteError("FORMAT", `${this.#where(this.#line)}: ${problem}`);
  }

  /** @returns whether the token was that, and is behind us */
  #take(token: string): boolean {
    if (this.#token !== token) return false;
    this.#next();
    return true;
  }

  #expected(what: string): never {
    return this.#fail(`expected ${what}, got ${this.#token === "" ? "the end" : shortened(this.#token)}`);
  }

  #field(fields: Fields, depth: number): void {
    const name = this.#token;
    if (!/^[A-Za-z_]/.test(name)) this.#expected("the name of a field");
    this.#next();
    const kind = Object.hasOwn(fields.schema.fields, name) ? fields.schema.fields[name] : undefined;
    if (kind === undefined) noteUnknown(fields, shortened(name));
    const isMessage = this.#take(":") ? undefined : true;
    if (isMessage === undefined && this.#take("[")) {
      for (let isFirst = true; !this.#take("]"); isFirst = false) {
        if (!isFirst && !this.#take(",")) this.#expected(", or ]");
        this.#value(fields, name, kind, depth);
      }
    } else {
      if (isMessage === true && this.#token !== "{" && this.#token !== "<") this.#expected("a colon");
      this.#value(fields, name, kind, depth);
    }
    if (!this.#take(";")) this.#take(",");
  }

  #value(fields: Fields, name: string, kind: Kind | undefined, depth: number): void {
    const end = this.#token === "{" ? "}" : this.#token === "<" ? ">" : undefined;
    if (end !== undefined) {
      const line = this.#line;
      if (depth === MAX_DEPTH) this.#fail(`more than ${MAX_DEPTH} messages within one another`);
      this.#next();
      const schema = typeof kind === "object" && "fields" in kind ? kind : undefined;
      if (kind !== undefined && kind !== "skip" && kind !== "blob" && schema === undefined) {
        this.#fail(`${name} is a message, expected ${kindText(kind)}`);
      }
      const inner = new Fields(schema ?? NOTHING, this.#where(line));
      while (!this.#take(end)) {
        if (this.#token === "") this.#fail(`the message of line ${line} has no end`);
        this.#field(inner, depth + 1);
      }
      if (schema !== undefined) this.#add(fields, name, inner);
      return;
    }
    const value = this.#scalar(name, kind);
    if (value !== undefined) this.#add(fields, name, value);
  }

  #add(fields: Fields, name: string, value: Value): void {
    if (!this.#budget.spend(value)) this.#fail("too many values for a net");
    fields.add(name, value);
  }

  /** @returns undefined for what nothing asks for */
  #scalar(name: string, kind: Kind | undefined): Value | undefined {
    const token = this.#token;
    if (/^["']/.test(token)) {
      const text = this.#strings();
      if (kind === "text") return text;
      return kind === undefined || kind === "skip"
        ? undefined
        : this.#fail(`${name} is a text, expected ${kindText(kind)}`);
    }
    if (this.#take("-")) {
      // Before inf and nan.
      if (!/^[A-Za-z]/.test(this.#token)) this.#expected("a number");
      if (kind !== undefined && kind !== "skip")
        this.#fail(`${name} is -${shortened(this.#token)}, expected ${kindText(kind)}`);
    } else if (!/^[\w.-]/.test(token)) this.#expected(`a value of ${shortened(name)}`);
    this.#next();
    const wrong = (): never => this.#fail(`${name} is ${shortened(token)}, expected ${kindText(kind!)}`);
    if (kind === undefined || kind === "skip") return undefined;
    if (kind === "integer" || kind === "number") {
      const value = numberOf(token) ?? wrong();
      return kind === "number" || Number.isSafeInteger(value) ? value : wrong();
    }
    if (kind === "flag") {
      if (["true", "True", "t", "1"].includes(token)) return true;
      return ["false", "False", "f", "0"].includes(token) ? false : wrong();
    }
    if (typeof kind === "object" && !("fields" in kind)) {
      return kind.includes(token) ? token : (kind[numberOf(token) ?? -1] ?? wrong());
    }
    return wrong();
  }

  /** One or several, which make one. */
  #strings(): string {
    let text = "";
    if (this.#token.length === 1) this.#fail("a text has no end");
    for (; /^["']./.test(this.#token); this.#next()) {
      if (text.length + this.#token.length > MAX_TEXT) this.#fail(`a text of more than ${MAX_TEXT} characters`);
      text += this.#token.slice(1, -1).replaceAll(/\\(.)/g, (_, escaped: string) => this.#escaped(escaped));
    }
    return text;
  }

  #escaped(character: string): string {
    return own(ESCAPES, character) ?? this.#fail("a text with an escape that Mote does not read");
  }
}

/** Of a message that nothing asks for. */
const NOTHING: Schema = { name: "message", fields: {}, numbers: new Map() };

function numberOf(token: string): number | undefined {
  if (token.length > 64) return undefined;
  const sign = token.startsWith("-") ? -1 : 1;
  const digits = token.replace(/^-/, "");
  if (HEXADECIMAL.test(token)) return sign * Number(digits);
  if (OCTAL.test(token)) return /[89]/.test(token) ? undefined : sign * Number.parseInt(digits, 8);
  return DECIMAL.test(token) ? sign * Number(digits.replace(/[fF]$/, "")) : undefined;
}

function kindText(kind: Kind): string {
  if (typeof kind === "object")
    return "fields" in kind ? `a ${kind.name} in braces` : `one of ${kind.slice(0, 6).join(", ")}`;
  return { integer: "a whole number", number: "a number", flag: "true or false", text: "a text", blob: "a message" }[
    kind as "integer"
  ];
}
