/**
 * What a net as C of its own is made for. Flash: weights as Huffman codes, loops that layers share. Speed: a byte or two a weight, kernels
 * of constants, several places at a time. RAM: as speed, by rows as far as layers go by rows, the input among them.
 */
export const CHIP_GOALS = ["flash", "ram", "speed"] as const;
export type ChipGoal = (typeof CHIP_GOALS)[number];
