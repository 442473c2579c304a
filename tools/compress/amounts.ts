/** Amounts on the command line: bytes with a unit, counts with a letter, budgets. */
import { InvalidArgumentError } from "commander";
import type { Budget } from "../../host/compress/search.js";

const BYTE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  KiB: 1024,
  MB: 1e6,
  MiB: 1024 ** 2,
};
const COUNT_UNITS: Readonly<Record<string, number>> = { "": 1, k: 1e3, M: 1e6, G: 1e9 };

function parseAmount(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?) ?([a-zA-Z]*)$/.exec(text) ?? [];
  if (digits === undefined || !Object.hasOwn(units, unit)) return undefined;
  const value = Math.floor(Number(digits) * units[unit]);
  return value >= 1 && Number.isSafeInteger(value) ? value : undefined;
}

export function bytes(text: string): number {
  const value = parseAmount(text, BYTE_UNITS);
  if (value !== undefined) return value;
  throw new InvalidArgumentError("expected bytes, such as 1800, 20kB or 1.5MiB.");
}

export function count(text: string): number {
  const value = parseAmount(text, COUNT_UNITS);
  if (value !== undefined) return value;
  throw new InvalidArgumentError("expected a count, such as 250000, 250k or 1.5M.");
}

export function points(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value < 100) return value;
  throw new InvalidArgumentError("expected points of error, 0 or more, below 100.");
}

export function budget(text: string): Budget {
  const [, digits, unit] = /^(\d+(?:\.\d+)?) ?(|min|epochs)$/.exec(text) ?? [];
  const value = Number(digits);
  if (value > 0 && value <= 1e5) return unit === "epochs" ? { epochs: value } : { minutes: value };
  throw new InvalidArgumentError("expected minutes, such as 15, or epochs, such as 60epochs.");
}
