/**
 * NNCodec 1.2 (ISO/IEC 15938-17, the standard's reference software) on the integers of the shipped models, which our codecs are compared with: bytes of the weights
 * at its best settings; of the paper's models its codebooks, 8 bits a value, come on top.
 */
export const NNCODEC: Readonly<Record<string, number>> = {
  lenet5: 2671,
  lenet300: 3555,
  "lenet5-paper": 38830,
  "lenet300-paper": 24346,
};
