import { InvalidArgumentError } from "commander";

/** Reads the value of a flag. */
export function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high)
      throw new InvalidArgumentError(`expected a whole number, ${low} .. ${high}`);
    return value;
  };
}
