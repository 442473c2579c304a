/**
 * The constants of the `.mote` container: SPEC.md in numbers, written once. abi.ts has those of linear memory.
 * Plain literals, since asc, tsc and the generator of the C header all read this file.
 */

/** "MOT", read as a little-endian number of three bytes. */
export const MAGIC = 0x544f4d;
export const VERSION = 2;
/** Of a container whose elements are int16. */
export const VERSION_WIDE = 4;
/** The CRC covers the file from this offset to its end. */
export const CRC_START = 8;

/** The first byte of a small container, version 3: the lower half of a CRC follows, of what is behind it. */
export const SMALL_TAG = 0xb3;
/** The same of one whose elements are int16, version 5. */
export const SMALL_TAG_WIDE = 0xb5;
export const SMALL_CRC_START = 3;
/** Of the numbers of a small container: most ones in front of one. */
export const MAX_NUMBER_LENGTH = 30;
/** Weights of all layers of a small container, zeros included, since loading decodes them. */
export const MAX_SMALL_WEIGHTS = 0x100000;
/** What a small container need not state: the bits of 1/255 as f32, and a window of 256 bytes. */
export const SMALL_SCALE_BITS = 0x3b808081;
export const SMALL_WINDOW_BYTES = 256;

/** Bits of a tensor's flags: its border's width, whether it has height and width, a nominal number of channels, and what it is. */
export const FLAGS_BORDER_MASK = 0x0f;
export const FLAG_SIZE = 0x10;
export const FLAG_NOMINAL = 0x20;
export const FLAG_END = 0x40;
export const FLAG_STATE = 0x80;

export const OP_CONV2D = 0;
export const OP_DENSE = 1;
export const OP_MAXPOOL = 2;
export const OP_AVGPOOL = 3;
export const OP_ADD = 4;
export const OP_MUL = 5;
export const OP_CONCAT = 6;
export const OP_LUT = 7;
export const OP_RESIZE = 8;
export const OP_CROP = 9;
export const OP_APPEND = 10;

/** Largest multiplier of a sum, which keeps two products of 9 bits more in int32. */
export const MAX_SUM_FACTOR = 0x200000;
/** The same of a sum of int16 elements. */
export const MAX_SUM_FACTOR_WIDE = 0x4000;
export const LUT_ENTRIES = 256;

export const CODEC_DENSE = 0;
export const CODEC_HUFFMAN = 1;
export const CODEC_ARITHMETIC = 2;
export const CODEC_CABAC = 3;
export const CODEC_GAUSSIAN = 4;
/** Bits of a form: of layers with weights the codec and whether each channel has its own multiplier and shift; a relu; bytes of the clamp follow. */
export const FORM_CODEC_MASK = 0x07;
export const FORM_PER_CHANNEL = 0x10;
export const FORM_RELU = 0x20;
export const FORM_CLAMP = 0x40;

/** Bits of the first two fields of a section. */
export const BIAS_BITS_WIDTH = 6;
export const BIAS_SHIFT_WIDTH = 5;

/** Longest Huffman code; a decoding table has 2^length entries of two bytes. */
export const MAX_CODE_LENGTH = 12;
export const MIN_GAP_SYMBOLS = 2;
export const MAX_GAP_SYMBOLS = 1025;

/** Longest prefix of codec 3's Exp-Golomb code: with no flags before it, the largest magnitude, 128, has so many. */
export const CABAC_LONGEST_PREFIX = 7;
/** Levels of its codebook, 0 among them. */
export const MAX_CABAC_ENTRIES = 255;

/** Codec 4's number, which says how wide the distribution is, and the magnitudes that it has probabilities of: 0 … 127. */
export const GAUSSIAN_SPREAD_BITS = 5;
export const GAUSSIAN_MAGNITUDES = 128;

export const MAX_TENSORS = 1024;
export const MAX_LAYERS = 1023;
export const MAX_DIMENSION = 65535;
export const MAX_BORDER = 15;
/** Kernels and strides of a conv2d and of the pool behind it. */
export const MAX_KERNEL = 255;
/** Bytes of one tensor, borders included: a record holds a 24-bit offset into it. */
export const MAX_TENSOR_BYTES = 0x1000000;
/** Of an input tensor up to so many bytes the column offsets take two bytes each, of a larger one four. */
export const NARROW_TENSOR_BYTES = 0x10000;
/** Weights of one layer, zeros included: rows × columns. */
export const MAX_LAYER_WEIGHTS = 0x10000000;
/** Sizes in the memory plan and offsets in the arena are in units of this many bytes. */
export const PLAN_UNIT = 8;
/** Largest memory plan, largest file. */
export const MAX_BYTES = 0x10000000;
export const MIN_WINDOW_BYTES = 128;

/** What follows the last layer, for hosts and people: kinds of entries, and the most bytes of all of them and of a label. */
export const METADATA_LABELS = 1;
export const METADATA_NAMES = 2;
export const METADATA_PREPROCESSING = 3;
export const METADATA_CERTIFICATE = 4;
/** Runs of a certificate's self-test. */
export const MAX_VECTORS = 1000;
export const MAX_METADATA_BYTES = 65535;
export const MAX_LABEL_BYTES = 255;
/** Of preprocessing: in which order the user's elements stand, [C, H, W] or [H, W, C]; what the channels are. */
export const LAYOUT_PLANAR = 0;
export const LAYOUT_INTERLEAVED = 1;
export const COLOURS_NONE = 0;
export const COLOURS_RGB = 1;
export const COLOURS_BGR = 2;
