/**
 * What a model is packed for. Size: it stays a container. Speed: a fast module. SRAM: a fast module with one kernel where speed has one for each
 * shape, since an interpreter keeps code in RAM.
 */
export const OPTIMIZATIONS = ["size", "speed", "sram"] as const;
export type Optimization = (typeof OPTIMIZATIONS)[number];
