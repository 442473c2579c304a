/** A fast module: SPEC.md, "The fast module". */
export { open, reset, start, step } from "./graph";
// Kernels that a host may put its own in the place of, by the names that assembly/module.ts has.
export { stepBits as bits1 } from "./kernels/bits";
export { stepConvBlocks as blocks1 } from "./kernels/conv-blocks";
export { stepConvPooled as tiles1 } from "./kernels/conv-pooled";
export { stepConvGaps as gaps1, stepConvQuads as quads1 } from "./kernels/conv-quads";
export { stepDense as dense1 } from "./kernels/dense";
export { stepDepthwise as depth1 } from "./kernels/depthwise";
export { stepDenseRows as rows1 } from "./kernels/dense-rows";
export { stepDenseValues as values1 } from "./kernels/dense-values";
export { stepElements as sums1 } from "./kernels/elementwise";
export { stepLines as lines1 } from "./kernels/lines";
export { stepPool as pool1 } from "./kernels/pool";
