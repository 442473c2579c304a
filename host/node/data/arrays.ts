/** What the arrays of an .npz archive are called that has all inputs of a model, and perhaps what its outputs must be: input0, output0 and so on. */

export const inputArray = (index: number): string => `input${index}`;
export const outputArray = (index: number): string => `output${index}`;
