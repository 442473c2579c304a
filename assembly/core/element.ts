/**
 * What an element of a tensor is: i8, or i16 in the core for 16-bit activations. asconfig.json says which by two aliases, so that both cores are made of
 * these sources: `Element`, and `Cell`, the bits of an element where it is only moved. Steps from row to row and from channel to channel are bytes,
 * places within a row elements.
 */

/** log2 of the bytes of an element. */
export const ELEMENT_SHIFT: u32 = alignof<Element>();
export const ELEMENT_BYTES: u32 = sizeof<Element>();
/** Whether an element is wider than a byte: its zero point is 0 then, and no layer has a table. */
export const IS_WIDE: bool = sizeof<Element>() > 1;
