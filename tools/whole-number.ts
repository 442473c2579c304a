import { InvalidArgumentError } from "commander";

/** Reads the value of a flag. @param high by default as much as a number holds exactly */
export function wholeNumber(low: number, high = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high)
      throw new InvalidArgumentError(`expected a whole number, ${low} .. ${high}.`);
    return value;
  };
}
