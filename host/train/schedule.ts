/** Learning rates over a run: how a run of training and each stage of a recipe slow down. */

/** @returns the rate at each step: half a cosine from `lr` at step 0 to `lrEnd` at step `total` */
export function cosine(
  { lr, lrEnd }: { readonly lr: number; readonly lrEnd: number },
  total: number,
): (step: number) => number {
  return (step) => lrEnd + ((lr - lrEnd) * (1 + Math.cos((Math.PI * step) / Math.max(1, total)))) / 2;
}
