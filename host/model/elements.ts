/** Elements of tensors: int8, or int16 in a model of 16-bit activations, whose tensors are all alike and have zero points of 0. */
import { MoteError } from "../errors.js";
import type { Random } from "../rng.js";
import type { Axes } from "./model.js";

export type Elements = Int8Array | Int16Array;

export type ElementBits = 8 | 16;

interface Bits {
  readonly bits?: 16 | undefined;
}

export const bitsOf = ({ bits }: Bits): ElementBits => bits ?? 8;

/** Of a model's tensors. */
export const activationBits = ({ tensors }: { readonly tensors: readonly Bits[] }): ElementBits => bitsOf(tensors[0]);

/** What a tensor of so many bits has beside its shape: nothing where they are 8. */
export const wide = (bits: ElementBits): { readonly bits?: 16 } => (bits === 16 ? { bits } : {});

export const elementBytes = (tensor: Bits): number => bitsOf(tensor) / 8;

/** Inclusive, of elements of so many bits. */
export const rangeOfBits = (bits: ElementBits): Axes => [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];

/** Inclusive. */
export const elementRange = (tensor: Bits): Axes => rangeOfBits(bitsOf(tensor));

/** Elements of a tensor: so many zeros, or values. */
export function elementsFor(tensor: Bits, values: number | ArrayLike<number>): Elements {
  const make = bitsOf(tensor) === 16 ? Int16Array : Int8Array;
  return typeof values === "number" ? new make(values) : make.from(values);
}

/** Elements by chance, each as likely as any other. */
export function fillRandom(elements: Elements, random: Random): void {
  const values = 2 ** (8 * elements.BYTES_PER_ELEMENT);
  for (let i = 0; i < elements.length; i++) elements[i] = random.integer(values) - values / 2;
}

/**
 * For what is built for int8 alone.
 * @param where names it, for the error
 * @throws MoteError UNSUPPORTED for a model of 16-bit activations
 */
export function refuseWide(bits: ElementBits, where: string): void {
  if (bits === 8) return;
  throw new MoteError(
    "UNSUPPORTED",
    `${where}the model has 16-bit activations, expected int8; they run as .mote or .wasm, by wasm3, v8 and reference`,
  );
}
