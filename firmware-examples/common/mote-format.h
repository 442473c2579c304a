/* Made from assembly/format.ts, assembly/abi.ts, assembly/module.ts, assembly/fast/layout.ts by tools/gen-format.ts. Do not edit. */
#ifndef MOTE_FORMAT_H
#define MOTE_FORMAT_H

/**
 * The constants of the `.mote` container: SPEC.md in numbers, written once. abi.ts has those of linear memory.
 * Plain literals, since asc, tsc and the generator of the C header all read this file.
 */

/** "MOT", read as a little-endian number of three bytes. */
#define MOTE_MAGIC 0x544f4du
#define MOTE_VERSION 2u
/** Of a container whose elements are int16. */
#define MOTE_VERSION_WIDE 4u
/** The CRC covers the file from this offset to its end. */
#define MOTE_CRC_START 8u

/** The first byte of a small container, version 3: the lower half of a CRC follows, of what is behind it. */
#define MOTE_SMALL_TAG 0xb3u
/** The same of one whose elements are int16, version 5. */
#define MOTE_SMALL_TAG_WIDE 0xb5u
#define MOTE_SMALL_CRC_START 3u
/** Of the numbers of a small container: most ones in front of one. */
#define MOTE_MAX_NUMBER_LENGTH 30u
/** Weights of all layers of a small container, zeros included, since loading decodes them. */
#define MOTE_MAX_SMALL_WEIGHTS 0x100000u
/** What a small container need not state: the bits of 1/255 as f32, and a window of 256 bytes. */
#define MOTE_SMALL_SCALE_BITS 0x3b808081u
#define MOTE_SMALL_WINDOW_BYTES 256u

/** Bits of a tensor's flags: its border's width, whether it has height and width, a nominal number of channels, and what it is. */
#define MOTE_FLAGS_BORDER_MASK 0x0fu
#define MOTE_FLAG_SIZE 0x10u
#define MOTE_FLAG_NOMINAL 0x20u
#define MOTE_FLAG_END 0x40u
#define MOTE_FLAG_STATE 0x80u

#define MOTE_OP_CONV2D 0u
#define MOTE_OP_DENSE 1u
#define MOTE_OP_MAXPOOL 2u
#define MOTE_OP_AVGPOOL 3u
#define MOTE_OP_ADD 4u
#define MOTE_OP_MUL 5u
#define MOTE_OP_CONCAT 6u
#define MOTE_OP_LUT 7u
#define MOTE_OP_RESIZE 8u
#define MOTE_OP_CROP 9u
#define MOTE_OP_APPEND 10u

/** Largest multiplier of a sum, which keeps two products of 9 bits more in int32. */
#define MOTE_MAX_SUM_FACTOR 0x200000u
/** The same of a sum of int16 elements. */
#define MOTE_MAX_SUM_FACTOR_WIDE 0x4000u
#define MOTE_LUT_ENTRIES 256u

#define MOTE_CODEC_DENSE 0u
#define MOTE_CODEC_HUFFMAN 1u
#define MOTE_CODEC_ARITHMETIC 2u
#define MOTE_CODEC_CABAC 3u
#define MOTE_CODEC_GAUSSIAN 4u
/** Bits of a form: of layers with weights the codec and whether each channel has its own multiplier and shift; a relu; bytes of the clamp follow. */
#define MOTE_FORM_CODEC_MASK 0x07u
#define MOTE_FORM_PER_CHANNEL 0x10u
#define MOTE_FORM_RELU 0x20u
#define MOTE_FORM_CLAMP 0x40u

/** Bits of the first two fields of a section. */
#define MOTE_BIAS_BITS_WIDTH 6u
#define MOTE_BIAS_SHIFT_WIDTH 5u

/** Longest Huffman code; a decoding table has 2^length entries of two bytes. */
#define MOTE_MAX_CODE_LENGTH 12u
#define MOTE_MIN_GAP_SYMBOLS 2u
#define MOTE_MAX_GAP_SYMBOLS 1025u

/** Longest prefix of codec 3's Exp-Golomb code: with no flags before it, the largest magnitude, 128, has so many. */
#define MOTE_CABAC_LONGEST_PREFIX 7u
/** Levels of its codebook, 0 among them. */
#define MOTE_MAX_CABAC_ENTRIES 255u

/** Codec 4's number, which says how wide the distribution is, and the magnitudes that it has probabilities of: 0 … 127. */
#define MOTE_GAUSSIAN_SPREAD_BITS 5u
#define MOTE_GAUSSIAN_MAGNITUDES 128u

#define MOTE_MAX_TENSORS 1024u
#define MOTE_MAX_LAYERS 1023u
#define MOTE_MAX_DIMENSION 65535u
#define MOTE_MAX_BORDER 15u
/** Kernels and strides of a conv2d and of the pool behind it. */
#define MOTE_MAX_KERNEL 255u
/** Bytes of one tensor, borders included: a record holds a 24-bit offset into it. */
#define MOTE_MAX_TENSOR_BYTES 0x1000000u
/** Of an input tensor up to so many bytes the column offsets take two bytes each, of a larger one four. */
#define MOTE_NARROW_TENSOR_BYTES 0x10000u
/** Weights of one layer, zeros included: rows × columns. */
#define MOTE_MAX_LAYER_WEIGHTS 0x10000000u
/** Sizes in the memory plan and offsets in the arena are in units of this many bytes. */
#define MOTE_PLAN_UNIT 8u
/** Largest memory plan, largest file. */
#define MOTE_MAX_BYTES 0x10000000u
#define MOTE_MIN_WINDOW_BYTES 128u

/** What follows the last layer, for hosts and people: kinds of entries, and the most bytes of all of them and of a label. */
#define MOTE_METADATA_LABELS 1u
#define MOTE_METADATA_NAMES 2u
#define MOTE_METADATA_PREPROCESSING 3u
#define MOTE_METADATA_CERTIFICATE 4u
/** Runs of a certificate's self-test. */
#define MOTE_MAX_VECTORS 1000u
#define MOTE_MAX_METADATA_BYTES 65535u
#define MOTE_MAX_LABEL_BYTES 255u
/** Of preprocessing: in which order the user's elements stand, [C, H, W] or [H, W, C]; what the channels are. */
#define MOTE_LAYOUT_PLANAR 0u
#define MOTE_LAYOUT_INTERLEAVED 1u
#define MOTE_COLOURS_NONE 0u
#define MOTE_COLOURS_RGB 1u
#define MOTE_COLOURS_BGR 2u

/**
 * What core, fast modules and their hosts agree on in linear memory, and the statuses: SPEC.md, "The core's interface", in numbers,
 * written once. Plain literals, as in format.ts. module.ts has the names.
 */

/** Linear memory below this address is the control block and the core's static data; the plan's regions follow. */
#define MOTE_PLAN_BASE 256u
/** Bytes of one entry of the tensor table in linear memory. */
#define MOTE_TENSOR_ENTRY_BYTES 32u
/** A model kept in linear memory is followed by this many readable bytes. */
#define MOTE_MODEL_SLACK_BYTES 8u
/** Bytes of one record: offset << 8 | weight. */
#define MOTE_RECORD_BYTES 4u

/** Bytes of the control block, which stands at address 0. */
#define MOTE_CONTROL_BLOCK_BYTES 64u

/** Version of what this file describes, which a module leaves in the control block; the others of a module whose input comes by lines, and whose elements are int16. */
#define MOTE_INTERFACE_VERSION 2u
#define MOTE_INTERFACE_VERSION_LINES 3u
#define MOTE_INTERFACE_VERSION_WIDE 4u

/** The control block: u32 words at these addresses. The first two are the host's to write before `open`. */
#define MOTE_CONTROL_MODEL_PTR 0u
#define MOTE_CONTROL_MODEL_BYTES 4u
#define MOTE_CONTROL_TENSORS_PTR 8u
#define MOTE_CONTROL_TENSOR_COUNT 12u
#define MOTE_CONTROL_LAYER_COUNT 16u
#define MOTE_CONTROL_LAYERS_DONE 20u
#define MOTE_CONTROL_OUTPUT_TENSOR 24u
#define MOTE_CONTROL_MEMORY_BYTES 28u
/** After an error: the file offset near which it was found. With STATUS_OP or STATUS_CODEC the number of the first one that is missing. */
#define MOTE_CONTROL_ERROR_OFFSET 32u
/** What is added to an int8 element to get the byte that stands for it in linear memory: 0, or 128 in a fast module. */
#define MOTE_CONTROL_ELEMENT_BIAS 36u
/** After loading, the file offset behind the last layer, where the metadata begins. A fast module keeps something of its own here. */
#define MOTE_CONTROL_METADATA 44u
/** A fast module's, which has no container to tell scales: the address of an f32 for each end of the graph, in tensor order. */
#define MOTE_CONTROL_SCALES 40u
/** INTERFACE_VERSION of the module, from `open` on. */
#define MOTE_CONTROL_VERSION 52u
/** After loading: the most units of work of one run, 2^32 - 1 for as many or more. */
#define MOTE_CONTROL_WORK 60u

/** A tensor table entry: u32 words (zero point: i32) at these offsets. */
#define MOTE_TENSOR_PTR 0u
#define MOTE_TENSOR_CHANNELS 4u
#define MOTE_TENSOR_HEIGHT 8u
#define MOTE_TENSOR_WIDTH 12u
#define MOTE_TENSOR_PITCH 16u
#define MOTE_TENSOR_PLANE 20u
#define MOTE_TENSOR_ZERO_POINT 24u
/** Bits 0..7: border. The bits below say what kind of tensor it is; bits 16..31 are the module's own but for TENSOR_LINES_SHIFT. */
#define MOTE_TENSOR_STATE 28u
#define MOTE_TENSOR_BORDER_MASK 0xffu
/** An end of the graph: an input or an output of the model. */
#define MOTE_TENSOR_IS_END 0x200u
/** Keeps its values from one run to the next. */
#define MOTE_TENSOR_IS_STATE 0x400u
/** Is made some lines at a time, and perhaps never there as a whole: a host does not read it. */
#define MOTE_TENSOR_IS_BY_LINES 0x800u
/** Of an input that is: bits from here on, eight of them, are how many lines the host gives at a time; TENSOR_PTR is where these go. */
#define MOTE_TENSOR_LINES_SHIFT 16u

/** Statuses of `open`, `start`, `step` and `reset`. */
#define MOTE_STATUS_DONE 0 /* the model is loaded, the run is complete, or states are reset */
#define MOTE_STATUS_BUSY 1 /* call step again */
#define MOTE_STATUS_LINES 2 /* write the next lines of the input, then call step again */
#define MOTE_STATUS_READ (-1) /* the host's window callback failed */
#define MOTE_STATUS_TRUNCATED (-2) /* the file ends within a field */
#define MOTE_STATUS_MAGIC (-3) /* not a .mote file */
#define MOTE_STATUS_VERSION (-4) /* a version this core does not know */
#define MOTE_STATUS_CRC (-5) /* the file's checksum does not match */
#define MOTE_STATUS_OP (-6) /* an op this core does not have */
#define MOTE_STATUS_CODEC (-7) /* a codec this core does not have */
#define MOTE_STATUS_RANGE (-8) /* a field outside its range */
#define MOTE_STATUS_SHAPE (-9) /* shapes that do not fit each other, or a tensor used before it is written */
#define MOTE_STATUS_PLAN (-10) /* a layer needs more than the file's own memory plan grants */
#define MOTE_STATUS_MEMORY (-11) /* the plan is larger than the memory */
#define MOTE_STATUS_HUFFMAN (-12) /* a code that is over-subscribed, incomplete or empty */
#define MOTE_STATUS_STREAM (-13) /* a section that ends early or runs over */
#define MOTE_STATUS_STATE (-14) /* called out of order */

/**
 * Names and limits of our modules for those who handle them from outside: SPEC.md, "Modules", written once. Not for asc, which would
 * make static data of each text. Plain literals, since tsc and the generator of the C header read this file.
 */

/** Exports of a module, and its only import. A packed module imports nothing. */
#define MOTE_MEMORY_EXPORT "memory"
#define MOTE_OPEN_EXPORT "open"
#define MOTE_START_EXPORT "start"
#define MOTE_STEP_EXPORT "step"
#define MOTE_RESET_EXPORT "reset"
#define MOTE_IMPORT_MODULE "mote"
#define MOTE_READ_IMPORT "read"

/**
 * Kernels of a fast module that a host may put its own in the place of: SPEC.md, "Kernels of the host's own". The digit rises with what
 * their tables and their stream mean.
 */
#define MOTE_TILES_KERNEL "tiles1"
#define MOTE_BLOCKS_KERNEL "blocks1"
#define MOTE_DENSE_KERNEL "dense1"
#define MOTE_QUADS_KERNEL "quads1"
#define MOTE_GAPS_KERNEL "gaps1"
#define MOTE_ROWS_KERNEL "rows1"
#define MOTE_VALUES_KERNEL "values1"
#define MOTE_BITS_KERNEL "bits1"
#define MOTE_DEPTH_KERNEL "depth1"
#define MOTE_POOL_KERNEL "pool1"
#define MOTE_SUMS_KERNEL "sums1"
#define MOTE_LINES_KERNEL "lines1"

/** Custom sections: a fast module's stream of weights, and the version of its tables and its stream; what a container has behind its last layer; the seal, at the very end. */
#define MOTE_STREAM_SECTION "mote.stream"
#define MOTE_LAYOUT_SECTION "mote.layout"
#define MOTE_METADATA_SECTION "mote.metadata"
#define MOTE_SEAL_SECTION "mote.crc"

/** What a module for wasm3 may hold at most: SPEC.md, "Modules". Function types. */
#define MOTE_MODULE_MAX_TYPES 32u
/** Functions, imported ones among them; globals; entries of any other section. */
#define MOTE_MODULE_MAX_ITEMS 144u
/** Parameters of a function. */
#define MOTE_MODULE_MAX_PARAMETERS 8u
/** Blocks, loops and ifs around an instruction, the function's own block among them. */
#define MOTE_MODULE_MAX_NESTING 20u
/** Values of a function at a time. */
#define MOTE_MODULE_MAX_VALUES 50u
/** Calls and loops within each other. */
#define MOTE_MODULE_MAX_FRAMES 20u

/**
 * What the packer and the kernels of a fast module agree on: SPEC.md, "The fast module". Plain literals, since asc and tsc both
 * read this file.
 *
 * Linear memory: the control block, static data of kernels that have some (up to PLAN_BASE), the tensor table, the layer table, the scales, the
 * progress, the window, the arena, which begins with the scratch of the layer at hand. The control block and the tables are there from the
 * beginning. The layer table has an entry for each piece of work in order, KIND_END behind the last. It begins with what fills the states,
 * which only the first run does, and the first behind a reset; CONTROL_LAYERS_PTR is what the others begin with.
 */

/** Of all that this file describes: rises with whatever changes what a table or a stream means. A section of the module has it, a byte. */
#define MOTE_LAYOUT_VERSION 3u

/** Kinds of layers. */
#define MOTE_KIND_CONV_POOLED 0u /* by tiles of 8 × 8 places, so many or more: stride 1, a pool of 2 with a stride of 2 */
#define MOTE_KIND_CONV_BLOCKS 1u /* by blocks of 8 × 4 places, so many or more: stride 1, a pool of 1 or 2 with a stride like its size */
#define MOTE_KIND_CONV_PLACES 2u /* any other convolution, place by place */
#define MOTE_KIND_DENSE 3u
#define MOTE_KIND_MAXPOOL 4u
#define MOTE_KIND_AVGPOOL 5u
#define MOTE_KIND_ADD 6u
#define MOTE_KIND_MUL 7u
#define MOTE_KIND_DEPTHWISE 8u /* a convolution without a pool of as many groups as channels, of the input and the output */
#define MOTE_KIND_CONV_GAPS 9u /* a convolution without a pool, by groups of places and a filter's weights: some of them are left */
#define MOTE_KIND_DENSE_VALUES 10u /* a dense layer by the values that weights of a row share */
#define MOTE_KIND_BITS 11u /* a dense layer, or a convolution with a square pool or none, of weights ± 1 over elements 0 and 1 */
/** The kinds from here on have no rows in the stream that say how long they are. */
#define MOTE_KIND_CONV_QUADS 12u /* the same by groups of places and two filters: most of its weights are left */
#define MOTE_KIND_DENSE_ROWS 13u /* a dense layer by six rows: most of its weights are left */
/** The kinds from here on have no rows in the stream. */
#define MOTE_KIND_LUT 14u
#define MOTE_KIND_RESIZE 15u
#define MOTE_KIND_CONCAT 16u /* does nothing: its inputs lie within its output, or have been copied to it */
/** The kinds from here on are not counted as layers. */
#define MOTE_KIND_BORDER 17u /* fills a tensor's border, before the layer that writes the tensor, an input's at the beginning; or all of a state */
#define MOTE_KIND_COPY 18u /* takes a state over from its source; or copies a part of an input to the output of the next KIND_CONCAT */
/**
 * Layers that go by turns of some lines: in front of the entry of each KIND_LINES, which makes room in the lines that its output keeps and says what
 * the entry is to do this turn; behind the last KIND_TURN, which leads back to the first until all lines are done.
 */
#define MOTE_KIND_LINES 19u
#define MOTE_KIND_TURN 20u
/** Behind the first KIND_LINES of all, where the model's input comes by lines as well: the host writes those of the turn. */
#define MOTE_KIND_INPUT 21u
/** Behind the last, with no more than its kind. */
#define MOTE_KIND_END 22u

/** What is stored of an int8 element is raised by so much. */
#define MOTE_ELEMENT_BIAS 128u

/** A layer table entry: u32 words at these offsets. */
#define MOTE_LAYER_KIND 0u
/** Address that a convolution's records count from at output (0, 0): the first element of tap (0, 0), padding included. */
#define MOTE_LAYER_INPUT 4u
/** Bytes from a line of places, or of what else is looked at, to the next: rows of the input, of a convolution so many as its stride says. */
#define MOTE_LAYER_INPUT_PITCH 8u
/** KIND_CONV_PLACES: bytes from a place to the next of its line. */
#define MOTE_LAYER_PLACE_STEP 12u
/** Of kernels that a host may replace: where their rows begin in the stream. */
#define MOTE_LAYER_STREAM 12u
/** Address of the output's first element. */
#define MOTE_LAYER_OUTPUT 16u
#define MOTE_LAYER_OUTPUT_PITCH 20u
#define MOTE_LAYER_OUTPUT_PLANE 24u
#define MOTE_LAYER_OUTPUT_HEIGHT 28u
#define MOTE_LAYER_OUTPUT_WIDTH 32u
/** Filters, outputs or channels. KIND_CONCAT: 0. */
#define MOTE_LAYER_ROWS 36u
/** Bytes of the input from what an output looks at to what the one below does, and the next: KIND_CONV_PLACES and standalone pools. */
#define MOTE_LAYER_DOWN 40u
#define MOTE_LAYER_ACROSS 48u
/** What an output looks at: places of a convolution across its pool, which is square but for KIND_CONV_PLACES; 1 without one. */
#define MOTE_LAYER_POOL_WIDTH 44u
/** Standalone pools, u16: elements across, which stand at LAYER_POOL_WIDTH, and lines. */
#define MOTE_LAYER_POOL_HEIGHT 46u
/** KIND_ADD, KIND_MUL: the second input, as LAYER_INPUT and what follows it say of the first. A pitch of 0: an element for each channel. */
#define MOTE_LAYER_OTHER 40u
#define MOTE_LAYER_OTHER_PITCH 44u
#define MOTE_LAYER_OTHER_PLANE 48u
/** KIND_RESIZE: lines and elements of the output that one of the input becomes. */
#define MOTE_LAYER_FACTOR_Y 40u
#define MOTE_LAYER_FACTOR_X 48u
/** Lowest and highest byte of the output, as stored, of layers with rows in the stream. KIND_BORDER: both are the byte to fill with. */
#define MOTE_LAYER_CLAMP_MIN 52u
#define MOTE_LAYER_CLAMP_MAX 56u
/** KIND_CONV_BLOCKS: whether rows have more than one chunk. KIND_CONV_PLACES: places under the pool. KIND_BORDER: how wide the border is. */
#define MOTE_LAYER_IS_WIDE 60u
#define MOTE_LAYER_PLACES 60u
#define MOTE_LAYER_BORDER 60u
/** What has a row for each channel of the input: bytes from a channel to the next. */
#define MOTE_LAYER_INPUT_PLANE 60u
/**
 * KIND_CONV_QUADS, KIND_CONV_GAPS: what a filter looks at, as loops around each other: so many bytes from an element to the next (u32), and so many elements
 * (u16), of the innermost loop first. And, u8, bytes of the input from a place to the next of its line, and groups of places that are laid out at once.
 */
#define MOTE_LAYER_QUAD_STEP_0 8u
#define MOTE_LAYER_QUAD_STEP_1 64u
#define MOTE_LAYER_QUAD_STEP_2 48u
#define MOTE_LAYER_QUAD_COUNT_0 44u
#define MOTE_LAYER_QUAD_COUNT_1 46u
#define MOTE_LAYER_QUAD_COUNT_2 60u
#define MOTE_LAYER_QUAD_ACROSS 62u
#define MOTE_LAYER_QUAD_LOT 63u
/**
 * KIND_DEPTHWISE, u8: taps and strides. u16: lines of outputs of a strip, of which the other one has as many and begins as far below, or as
 * far as there are outputs; lines and elements of a channel of the input, as far as they are looked at, with DEPTH_IS_DOWN added to the latter where a
 * block's outputs are one below the other. u8: lines above the input and, times DEPTH_LEFT, elements to the left of it that are looked at,
 * and the byte that stands for those and for all others outside. LAYER_INPUT is the input's first element, and LAYER_INPUT_PITCH leads
 * from each of its lines to the next.
 */
#define MOTE_LAYER_DEPTH_HEIGHT 40u
#define MOTE_LAYER_DEPTH_WIDTH 41u
#define MOTE_LAYER_DEPTH_STRIDE_Y 42u
#define MOTE_LAYER_DEPTH_STRIDE_X 43u
#define MOTE_LAYER_DEPTH_LINES 44u
#define MOTE_LAYER_DEPTH_INPUT_HEIGHT 46u
#define MOTE_LAYER_DEPTH_INPUT_WIDTH 48u
#define MOTE_LAYER_DEPTH_PADS 50u
#define MOTE_LAYER_DEPTH_ZERO 51u
/**
 * KIND_LINES: where the layer's LAYER_INPUT, LAYER_OUTPUT and LAYER_OTHER, if not 0, are in the first turn, and bytes from there to the next turn's; bytes of
 * the input from what a line of the output looks at to what the next does. Of an output that keeps lines, which LAYER_OUTPUT begins with: bytes of
 * a channel that stay for the next turn and that are new in each, else 0. u8: lines a turn, lines that the first turn begins above the
 * output, the byte for lines outside it, and the binary logarithm of the turns of which the last one alone is the layer's. u16: lines of the
 * output; number of the layer. Where its rows begin in the stream.
 */
#define MOTE_LINES_SOURCE 4u
#define MOTE_LINES_SOURCE_STEP 8u
#define MOTE_LINES_SOURCE_PITCH 12u
#define MOTE_LINES_TARGET 20u
#define MOTE_LINES_TARGET_STEP 28u
#define MOTE_LINES_OTHER 40u
#define MOTE_LINES_OTHER_STEP 44u
#define MOTE_LINES_KEPT 32u
#define MOTE_LINES_NEW 48u
#define MOTE_LINES_COUNT 52u
#define MOTE_LINES_ABOVE 53u
#define MOTE_LINES_ZERO 54u
#define MOTE_LINES_SHIFT 55u
#define MOTE_LINES_HEIGHT 56u
/** KIND_TURN as well: the layer and the stream behind the last turn. */
#define MOTE_LINES_LAYER 58u
#define MOTE_LINES_STREAM 60u
/** KIND_TURN: turns in all; address of the first KIND_LINES. */
#define MOTE_TURN_COUNT 52u
#define MOTE_TURN_BACK 16u
/**
 * KIND_BITS: what a place looks at, u16: elements of a line, lines of a channel, channels; and, in words, bytes from a line to the next, and from a channel. u8:
 * places under the pool across, and down, which are neighbours; outputs whose places are laid out at once. LAYER_DOWN and LAYER_ACROSS lead from an output to
 * the next.
 */
#define MOTE_LAYER_BITS_WIDTH 44u
#define MOTE_LAYER_BITS_HEIGHT 46u
#define MOTE_LAYER_BITS_CHANNELS 60u
#define MOTE_LAYER_BITS_PITCH 64u
#define MOTE_LAYER_BITS_PLANE 8u
#define MOTE_LAYER_BITS_POOL 62u
#define MOTE_LAYER_BITS_LOT 63u
/** KIND_DENSE_ROWS: inputs. */
#define MOTE_LAYER_DENSE_INPUTS 40u
/** KIND_DENSE_VALUES: how many bits of a group's head are its number of gaps. */
#define MOTE_LAYER_GROUP_BITS 40u
#define MOTE_LAYER_ENTRY_BYTES 68u

/**
 * The stream: of each layer in order, each row. A row begins with ROW_BYTES: i64 constant, u32 multiplier, u8 shift, u24 count, all
 * little-endian. An output byte is `clamp(sum × multiplier + constant >> shift)`, in 64 bits; the sum is that of weights and
 * elements as stored, the constant holds the bias, the zero points, the rounding, and what chunks are biased by. Before it is
 * clamped the byte fits an i32 for whatever elements there are.
 *
 * KIND_DENSE: the count is of pairs (u8 gap, i8 weight). The gap leads from the last weight's element, or from the input's first,
 * to the next; weight 0 for gaps above 255, and to make the count a multiple of PAIRS_AT_ONCE.
 * KIND_DENSE_VALUES: the count is of bytes: the row's groups, at least one, of each a value and the elements that it multiplies the sum of. A group is i8 value, u16
 * offset << LAYER_GROUP_BITS | gaps, then the gaps, a byte each. The first element is at the offset from the input's first, and a gap leads from an
 * element to the next. A value that has more elements than a group takes, or elements farther apart, has another group. A row without weights has a
 * group of value 0.
 * KIND_BITS: the count is of bytes: words of 64 weights, 1 for weight 1, 0 for -1 and behind the last. Elements 0 and 1 are laid out alike; the sum is how many bits of
 * both differ, with a minus, of all places under the pool the largest.
 * Other convolutions: the count is of bytes: the row's chunks, which the window holds all at once. A chunk is u16 records, at least 1, u16 bias,
 * then records: u32, offset << 8 | weight & 255. There is at least one; for KIND_CONV_POOLED and KIND_CONV_PLACES exactly one, the
 * latter's with a bias of 0. Records are those of RECORD_BYTES that the core makes.
 * Pools: a row is a channel, with a count of 0. An average whose byte would be ELEMENT_BIAS or less is `sum × multiplier + constant - 1 >> shift`,
 * which takes halves away from zero.
 * KIND_ADD, KIND_MUL: a row is a channel, with a count of FACTOR_BYTES: two i32, which elements of the first and of the second input are
 * multiplied by. The sum is that of both, and for KIND_MUL of the elements' product.
 * KIND_LUT: no rows, but LUT_BYTES: for each byte that an element may be as stored, the output's.
 *
 * The kernels for many weights begin with the upper half of the product: the multiplier is below 2^31, the shift less by 32 than it
 * means, and the constant holds what lanes begin with besides.
 * KIND_DEPTHWISE: a row is a channel, with a count of its taps: a byte each.
 * KIND_CONV_GAPS: the count is of pairs as above, whose gaps count inputs in the order of the LAYER_QUAD loops.
 * KIND_CONV_QUADS: two rows together: their heads, then of each input, fillers among them, a weight of one and of the other. The first count is how many
 * inputs lanes take at once, with weights like these.
 * KIND_DENSE_ROWS: DENSE_ROWS together: of each input a weight of each, raised by WEIGHT_BIAS, fillers of 0, then their heads, with counts of 0.
 * What lacks of the last rows is zeros.
 */
#define MOTE_ROW_BYTES 16u
#define MOTE_CHUNK_HEAD_BYTES 4u
#define MOTE_PAIR_BYTES 2u
/** The kernel takes so many in one turn: a row's count is a multiple of it, and at least that. */
#define MOTE_PAIRS_AT_ONCE 4u
#define MOTE_GROUP_HEAD_BYTES 3u
/** So that any window holds a group at once. */
#define MOTE_GROUP_GAPS 125u
/** KIND_DENSE_VALUES needs elements at offsets of so many bits or fewer, so that there are bits for a number of gaps. */
#define MOTE_GROUP_OFFSET_BITS 12u
#define MOTE_FACTOR_BYTES 8u
#define MOTE_LUT_BYTES 256u

/**
 * KIND_CONV_QUADS, KIND_CONV_GAPS. Elements of a group of GROUP_PLACES share a word of QUAD_INPUT_BYTES, each LOT_LANE_BITS above the last; there is one
 * for each input, that is an element of the filter's. In front of them stand QUAD_HEAD_BYTES: a u32 for each place, from the output's channel to it.
 * Sums of LOT_STRETCH inputs keep to their lanes whatever the weights, and of up to LOT_MOST_STRETCH, so that a slice stays short, where a row's head
 * says so. Inputs are filled up with weights and elements of zero to a multiple of QUAD_TURN. The latest sums stand in the static data. A host's kernel
 * may lay out what it likes in as many bytes. For any of them constants take sums to begin with 2^21 for each QUAD_STRETCH inputs or part of them.
 */
#define MOTE_GROUP_PLACES 3u
#define MOTE_LOT_LANE_BITS 21u
#define MOTE_LOT_STRETCH 32u
#define MOTE_LOT_MOST_STRETCH 256u
#define MOTE_LOT_SUMS 64u
#define MOTE_QUAD_INPUT_BYTES 8u
#define MOTE_QUAD_HEAD_BYTES 16u
#define MOTE_QUAD_STRETCH 64u
#define MOTE_QUAD_TURN 8u
/** Inputs that a filter may have, so that what is laid out stays small. */
#define MOTE_QUAD_INPUTS 1024u

/**
 * KIND_DEPTHWISE: an element of one strip and one of the other share a word, the second LANE_BITS above the first; so many outputs of each make a
 * block.
 */
#define MOTE_LANE_BITS 22u
#define MOTE_DEPTH_WORD_BYTES 4u
#define MOTE_DEPTH_BLOCK 4u
#define MOTE_DEPTH_IS_DOWN 0x8000u
#define MOTE_DEPTH_LEFT 16u
/** A line that is laid out is no longer, so that a slice stays short. */
#define MOTE_DEPTH_WORDS 512u

/**
 * KIND_DENSE_ROWS: rows at a time, of which each has a byte in turn; inputs of a turn; what is stored of a weight is raised by so much. In the static
 * data: the latest sums of the rows at hand, a u32 each, and of the layer's elements. Sums of a piece's inputs keep to lanes of 24 bits.
 */
#define MOTE_DENSE_ROWS 6u
#define MOTE_DENSE_TURN 4u
#define MOTE_WEIGHT_BIAS 128u
#define MOTE_DENSE_SUMS 64u
#define MOTE_DENSE_ELEMENTS_SUM 88u

/**
 * KIND_BITS: bytes of a word; and so that a slice stays short the most of a place, and of places that are laid out at once, elements of a line, and lines of
 * all channels.
 */
#define MOTE_BITS_WORD_BYTES 8u
#define MOTE_BITS_PLACE_BYTES 512u
#define MOTE_BITS_LOT_BYTES 2048u
#define MOTE_BITS_LINE 2048u
#define MOTE_BITS_LINES 512u

/** A chunk of KIND_CONV_BLOCKS: the magnitudes of its weights add up to at most this, so that its sums span 16 bits. */
#define MOTE_CHUNK_MAGNITUDE 257u
/** And so many records, so that a slice stays short. */
#define MOTE_CHUNK_RECORDS 128u

/** Readable bytes behind the arena: kernels load a word beginning with a block's second element. */
#define MOTE_ARENA_SLACK_BYTES 8u

/** A filter of KIND_CONV_POOLED: its magnitudes add up to at most this, so that its sums are less than 2^15 apart. */
#define MOTE_TILE_MAGNITUDE 128u
/** And so many records, so that a slice stays short. */
#define MOTE_TILE_RECORDS 64u
/** Places across and down. */
#define MOTE_TILE_SIZE 8u

#define MOTE_BLOCK_WIDTH 8u
#define MOTE_BLOCK_HEIGHT 4u

/**
 * What work counts as, in multiplications of a block: about 2 instructions each, at most 3. A chunk and an output of its block; a tile; a row of a
 * dense layer, a pair, and a byte of a group; of a convolution place by place an output, each further place of its pool, and a record at a place; of a standalone
 * pool an output, a line of its window, or a piece of one, and an element; a piece of a border, a stretch between two lines, and a byte. Of
 * what goes line by line, each line or a piece of one, and an element: a byte that is copied, a sum of KIND_ADD and KIND_MUL, or another.
 */
#define MOTE_CHUNK_WORK 300u
#define MOTE_BLOCK_OUTPUT_WORK 40u
#define MOTE_TILE_WORK 320u
#define MOTE_ROW_WORK 80u
#define MOTE_PAIR_WORK 8u
#define MOTE_GROUP_BYTE_WORK 7u
#define MOTE_PLACES_OUTPUT_WORK 120u
#define MOTE_PLACE_WORK 40u
#define MOTE_RECORD_WORK 9u
#define MOTE_POOL_OUTPUT_WORK 110u
#define MOTE_POOL_LINE_WORK 8u
#define MOTE_ELEMENT_WORK 9u
#define MOTE_BORDER_WORK 40u
#define MOTE_STRETCH_WORK 16u
#define MOTE_BYTE_WORK 5u
#define MOTE_LINE_WORK 50u
#define MOTE_COPY_WORK 1u
#define MOTE_SUM_WORK 27u
/** Of KIND_LINES, for each channel whose lines move, and a byte that is moved or filled; and of KIND_TURN and KIND_INPUT. */
#define MOTE_LINES_WORK 100u
#define MOTE_LINE_BYTE_WORK 3u
/**
 * Of KIND_CONV_QUADS: a group of places that is laid out, or a piece of it; a run of inputs of the innermost loop, or a piece of it, and an
 * input; then of two filters at a group a turn, a stretch, and their outputs.
 */
#define MOTE_QUAD_PLACES_WORK 120u
#define MOTE_QUAD_RUN_WORK 25u
#define MOTE_QUAD_LAYOUT_WORK 14u
#define MOTE_QUAD_TURN_WORK 72u
#define MOTE_QUAD_STRETCH_WORK 70u
#define MOTE_QUAD_FINISH_WORK 90u
/** Of KIND_DEPTHWISE: a line that is laid out, and a word; a block, a tap of it, and an output of each strip. */
#define MOTE_DEPTH_LINE_WORK 60u
#define MOTE_DEPTH_WORD_WORK 8u
#define MOTE_DEPTH_BLOCK_WORK 60u
#define MOTE_DEPTH_TAP_WORK 17u
#define MOTE_DEPTH_OUTPUT_WORK 36u
/** Of KIND_CONV_GAPS a pair, a stretch, and the outputs of a group. */
#define MOTE_GAP_WORK 7u
#define MOTE_GAP_STRETCH_WORK 50u
#define MOTE_GAP_FINISH_WORK 50u
/** Of KIND_DENSE_ROWS an element that is added up, a turn, and the outputs of six rows. */
#define MOTE_DENSE_ELEMENT_WORK 4u
#define MOTE_DENSE_TURN_WORK 60u
#define MOTE_DENSE_FINISH_WORK 220u
/** Of KIND_BITS a place that is laid out, a line of it, and up to eight elements; of a row at a lot its head, an output, a place and a word. */
#define MOTE_BITS_PLACE_WORK 50u
#define MOTE_BITS_LINE_WORK 14u
#define MOTE_BITS_EIGHT_WORK 14u
#define MOTE_BITS_ROW_WORK 60u
#define MOTE_BITS_OUTPUT_WORK 40u
#define MOTE_BITS_POOLED_WORK 14u
#define MOTE_BITS_WORD_WORK 9u

/**
 * With so much a piece of work ends, complete or not: bytes of pairs, or of groups, or of a dense layer by rows, work of bits that are laid out, records at a place, elements of a pool, bytes
 * of a border, elements of a line, work of blocks of KIND_DEPTHWISE, or other work.
 */
#define MOTE_PIECE_PAIR_BYTES 512u
#define MOTE_PIECE_GROUP_BYTES 512u
#define MOTE_DENSE_PIECE_BYTES 768u
#define MOTE_PIECE_RECORDS 256u
#define MOTE_PIECE_ELEMENTS 256u
#define MOTE_PIECE_BORDER_BYTES 256u
#define MOTE_PIECE_LINE 128u
#define MOTE_PIECE_BITS_WORK 1024u
#define MOTE_PIECE_BLOCKS_WORK 4096u
#define MOTE_PIECE_WORK 2048u
#define MOTE_PIECE_INPUTS 256u

/**
 * The progress, which ends where the window begins: u32 words at these offsets. Where in the stream a kernel of the host's own goes on, plus 1,
 * or 0 before it has begun with the layer at hand; how many rows of the layer are complete; then words of such a kernel's.
 */
#define MOTE_PROGRESS_POSITION 0u
#define MOTE_PROGRESS_ROW 4u
#define MOTE_PROGRESS_OWN 8u
/** Of KIND_LINES: the turn at hand. */
#define MOTE_PROGRESS_TURN 12u
#define MOTE_PROGRESS_BYTES 20u

/** Words of the control block that only a fast module's own code looks at. */
#define MOTE_CONTROL_LAYERS_PTR 44u
#define MOTE_CONTROL_WINDOW_PTR 48u
#define MOTE_CONTROL_WINDOW_BYTES 56u

/** Each status of the core with its meaning: X(name, text). */
#define MOTE_STATUS_TEXTS(X) \
  X(MOTE_STATUS_DONE, "the model is loaded, the run is complete, or states are reset") \
  X(MOTE_STATUS_BUSY, "call step again") \
  X(MOTE_STATUS_LINES, "write the next lines of the input, then call step again") \
  X(MOTE_STATUS_READ, "the host's window callback failed") \
  X(MOTE_STATUS_TRUNCATED, "the file ends within a field") \
  X(MOTE_STATUS_MAGIC, "not a .mote file") \
  X(MOTE_STATUS_VERSION, "a version this core does not know") \
  X(MOTE_STATUS_CRC, "the file's checksum does not match") \
  X(MOTE_STATUS_OP, "an op this core does not have") \
  X(MOTE_STATUS_CODEC, "a codec this core does not have") \
  X(MOTE_STATUS_RANGE, "a field outside its range") \
  X(MOTE_STATUS_SHAPE, "shapes that do not fit each other, or a tensor used before it is written") \
  X(MOTE_STATUS_PLAN, "a layer needs more than the file's own memory plan grants") \
  X(MOTE_STATUS_MEMORY, "the plan is larger than the memory") \
  X(MOTE_STATUS_HUFFMAN, "a code that is over-subscribed, incomplete or empty") \
  X(MOTE_STATUS_STREAM, "a section that ends early or runs over") \
  X(MOTE_STATUS_STATE, "called out of order")

/** Each op with its name: X(number, name). */
#define MOTE_OP_NAMES(X) \
  X(MOTE_OP_CONV2D, "conv2d") \
  X(MOTE_OP_DENSE, "dense") \
  X(MOTE_OP_MAXPOOL, "maxpool") \
  X(MOTE_OP_AVGPOOL, "avgpool") \
  X(MOTE_OP_ADD, "add") \
  X(MOTE_OP_MUL, "mul") \
  X(MOTE_OP_CONCAT, "concat") \
  X(MOTE_OP_LUT, "lut") \
  X(MOTE_OP_RESIZE, "resize") \
  X(MOTE_OP_CROP, "crop") \
  X(MOTE_OP_APPEND, "append")

/** Each codec with its name, likewise. */
#define MOTE_CODEC_NAMES(X) \
  X(MOTE_CODEC_DENSE, "dense") \
  X(MOTE_CODEC_HUFFMAN, "huffman") \
  X(MOTE_CODEC_ARITHMETIC, "arithmetic") \
  X(MOTE_CODEC_CABAC, "cabac") \
  X(MOTE_CODEC_GAUSSIAN, "gaussian")

/** Each kind of layers of a fast module, likewise. */
#define MOTE_KIND_NAMES(X) \
  X(MOTE_KIND_CONV_POOLED, "conv_pooled") \
  X(MOTE_KIND_CONV_BLOCKS, "conv_blocks") \
  X(MOTE_KIND_CONV_PLACES, "conv_places") \
  X(MOTE_KIND_DENSE, "dense") \
  X(MOTE_KIND_MAXPOOL, "maxpool") \
  X(MOTE_KIND_AVGPOOL, "avgpool") \
  X(MOTE_KIND_ADD, "add") \
  X(MOTE_KIND_MUL, "mul") \
  X(MOTE_KIND_DEPTHWISE, "depthwise") \
  X(MOTE_KIND_CONV_GAPS, "conv_gaps") \
  X(MOTE_KIND_DENSE_VALUES, "dense_values") \
  X(MOTE_KIND_BITS, "bits") \
  X(MOTE_KIND_CONV_QUADS, "conv_quads") \
  X(MOTE_KIND_DENSE_ROWS, "dense_rows") \
  X(MOTE_KIND_LUT, "lut") \
  X(MOTE_KIND_RESIZE, "resize") \
  X(MOTE_KIND_CONCAT, "concat") \
  X(MOTE_KIND_BORDER, "border") \
  X(MOTE_KIND_COPY, "copy") \
  X(MOTE_KIND_LINES, "lines") \
  X(MOTE_KIND_TURN, "turn") \
  X(MOTE_KIND_INPUT, "input") \
  X(MOTE_KIND_END, "end")

#endif
