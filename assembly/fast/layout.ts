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
export const LAYOUT_VERSION = 3;

/** Kinds of layers. */
export const KIND_CONV_POOLED = 0; // by tiles of 8 × 8 places, so many or more: stride 1, a pool of 2 with a stride of 2
export const KIND_CONV_BLOCKS = 1; // by blocks of 8 × 4 places, so many or more: stride 1, a pool of 1 or 2 with a stride like its size
export const KIND_CONV_PLACES = 2; // any other convolution, place by place
export const KIND_DENSE = 3;
export const KIND_MAXPOOL = 4;
export const KIND_AVGPOOL = 5;
export const KIND_ADD = 6;
export const KIND_MUL = 7;
export const KIND_DEPTHWISE = 8; // a convolution without a pool of as many groups as channels, of the input and the output
export const KIND_CONV_GAPS = 9; // a convolution without a pool, by groups of places and a filter's weights: some of them are left
export const KIND_DENSE_VALUES = 10; // a dense layer by the values that weights of a row share
export const KIND_BITS = 11; // a dense layer, or a convolution with a square pool or none, of weights ± 1 over elements 0 and 1
/** The kinds from here on have no rows in the stream that say how long they are. */
export const KIND_CONV_QUADS = 12; // the same by groups of places and two filters: most of its weights are left
export const KIND_DENSE_ROWS = 13; // a dense layer by six rows: most of its weights are left
/** The kinds from here on have no rows in the stream. */
export const KIND_LUT = 14;
export const KIND_RESIZE = 15;
export const KIND_CONCAT = 16; // does nothing: its inputs lie within its output, or have been copied to it
/** The kinds from here on are not counted as layers. */
export const KIND_BORDER = 17; // fills a tensor's border, before the layer that writes the tensor, an input's at the beginning; or all of a state
export const KIND_COPY = 18; // takes a state over from its source; or copies a part of an input to the output of the next KIND_CONCAT
/**
 * Layers that go by turns of some lines: in front of the entry of each KIND_LINES, which makes room in the lines that its output keeps and says what
 * the entry is to do this turn; behind the last KIND_TURN, which leads back to the first until all lines are done.
 */
export const KIND_LINES = 19;
export const KIND_TURN = 20;
/** Behind the first KIND_LINES of all, where the model's input comes by lines as well: the host writes those of the turn. */
export const KIND_INPUT = 21;
/** Behind the last, with no more than its kind. */
export const KIND_END = 22;

/** What is stored of an int8 element is raised by so much. */
export const ELEMENT_BIAS = 128;

/** A layer table entry: u32 words at these offsets. */
export const LAYER_KIND = 0;
/** Address that a convolution's records count from at output (0, 0): the first element of tap (0, 0), padding included. */
export const LAYER_INPUT = 4;
/** Bytes from a line of places, or of what else is looked at, to the next: rows of the input, of a convolution so many as its stride says. */
export const LAYER_INPUT_PITCH = 8;
/** KIND_CONV_PLACES: bytes from a place to the next of its line. */
export const LAYER_PLACE_STEP = 12;
/** Of kernels that a host may replace: where their rows begin in the stream. */
export const LAYER_STREAM = 12;
/** Address of the output's first element. */
export const LAYER_OUTPUT = 16;
export const LAYER_OUTPUT_PITCH = 20;
export const LAYER_OUTPUT_PLANE = 24;
export const LAYER_OUTPUT_HEIGHT = 28;
export const LAYER_OUTPUT_WIDTH = 32;
/** Filters, outputs or channels. KIND_CONCAT: 0. */
export const LAYER_ROWS = 36;
/** Bytes of the input from what an output looks at to what the one below does, and the next: KIND_CONV_PLACES and standalone pools. */
export const LAYER_DOWN = 40;
export const LAYER_ACROSS = 48;
/** What an output looks at: places of a convolution across its pool, which is square but for KIND_CONV_PLACES; 1 without one. */
export const LAYER_POOL_WIDTH = 44;
/** Standalone pools, u16: elements across, which stand at LAYER_POOL_WIDTH, and lines. */
export const LAYER_POOL_HEIGHT = 46;
/** KIND_ADD, KIND_MUL: the second input, as LAYER_INPUT and what follows it say of the first. A pitch of 0: an element for each channel. */
export const LAYER_OTHER = 40;
export const LAYER_OTHER_PITCH = 44;
export const LAYER_OTHER_PLANE = 48;
/** KIND_RESIZE: lines and elements of the output that one of the input becomes. */
export const LAYER_FACTOR_Y = 40;
export const LAYER_FACTOR_X = 48;
/** Lowest and highest byte of the output, as stored, of layers with rows in the stream. KIND_BORDER: both are the byte to fill with. */
export const LAYER_CLAMP_MIN = 52;
export const LAYER_CLAMP_MAX = 56;
/** KIND_CONV_BLOCKS: whether rows have more than one chunk. KIND_CONV_PLACES: places under the pool. KIND_BORDER: how wide the border is. */
export const LAYER_IS_WIDE = 60;
export const LAYER_PLACES = 60;
export const LAYER_BORDER = 60;
/** What has a row for each channel of the input: bytes from a channel to the next. */
export const LAYER_INPUT_PLANE = 60;
/**
 * KIND_CONV_QUADS, KIND_CONV_GAPS: what a filter looks at, as loops around each other: so many bytes from an element to the next (u32), and so many elements
 * (u16), of the innermost loop first. And, u8, bytes of the input from a place to the next of its line, and groups of places that are laid out at once.
 */
export const LAYER_QUAD_STEP_0 = 8;
export const LAYER_QUAD_STEP_1 = 64;
export const LAYER_QUAD_STEP_2 = 48;
export const LAYER_QUAD_COUNT_0 = 44;
export const LAYER_QUAD_COUNT_1 = 46;
export const LAYER_QUAD_COUNT_2 = 60;
export const LAYER_QUAD_ACROSS = 62;
export const LAYER_QUAD_LOT = 63;
/**
 * KIND_DEPTHWISE, u8: taps and strides. u16: lines of outputs of a strip, of which the other one has as many and begins as far below, or as
 * far as there are outputs; lines and elements of a channel of the input, as far as they are looked at, with DEPTH_IS_DOWN added to the latter where a
 * block's outputs are one below the other. u8: lines above the input and, times DEPTH_LEFT, elements to the left of it that are looked at,
 * and the byte that stands for those and for all others outside. LAYER_INPUT is the input's first element, and LAYER_INPUT_PITCH leads
 * from each of its lines to the next.
 */
export const LAYER_DEPTH_HEIGHT = 40;
export const LAYER_DEPTH_WIDTH = 41;
export const LAYER_DEPTH_STRIDE_Y = 42;
export const LAYER_DEPTH_STRIDE_X = 43;
export const LAYER_DEPTH_LINES = 44;
export const LAYER_DEPTH_INPUT_HEIGHT = 46;
export const LAYER_DEPTH_INPUT_WIDTH = 48;
export const LAYER_DEPTH_PADS = 50;
export const LAYER_DEPTH_ZERO = 51;
/**
 * KIND_LINES: where the layer's LAYER_INPUT, LAYER_OUTPUT and LAYER_OTHER, if not 0, are in the first turn, and bytes from there to the next turn's; bytes of
 * the input from what a line of the output looks at to what the next does. Of an output that keeps lines, which LAYER_OUTPUT begins with: bytes of
 * a channel that stay for the next turn and that are new in each, else 0. u8: lines a turn, lines that the first turn begins above the
 * output, the byte for lines outside it, and the binary logarithm of the turns of which the last one alone is the layer's. u16: lines of the
 * output; number of the layer. Where its rows begin in the stream.
 */
export const LINES_SOURCE = 4;
export const LINES_SOURCE_STEP = 8;
export const LINES_SOURCE_PITCH = 12;
export const LINES_TARGET = 20;
export const LINES_TARGET_STEP = 28;
export const LINES_OTHER = 40;
export const LINES_OTHER_STEP = 44;
export const LINES_KEPT = 32;
export const LINES_NEW = 48;
export const LINES_COUNT = 52;
export const LINES_ABOVE = 53;
export const LINES_ZERO = 54;
export const LINES_SHIFT = 55;
export const LINES_HEIGHT = 56;
/** KIND_TURN as well: the layer and the stream behind the last turn. */
export const LINES_LAYER = 58;
export const LINES_STREAM = 60;
/** KIND_TURN: turns in all; address of the first KIND_LINES. */
export const TURN_COUNT = 52;
export const TURN_BACK = 16;
/**
 * KIND_BITS: what a place looks at, u16: elements of a line, lines of a channel, channels; and, in words, bytes from a line to the next, and from a channel. u8:
 * places under the pool across, and down, which are neighbours; outputs whose places are laid out at once. LAYER_DOWN and LAYER_ACROSS lead from an output to
 * the next.
 */
export const LAYER_BITS_WIDTH = 44;
export const LAYER_BITS_HEIGHT = 46;
export const LAYER_BITS_CHANNELS = 60;
export const LAYER_BITS_PITCH = 64;
export const LAYER_BITS_PLANE = 8;
export const LAYER_BITS_POOL = 62;
export const LAYER_BITS_LOT = 63;
/** KIND_DENSE_ROWS: inputs. */
export const LAYER_DENSE_INPUTS = 40;
/** KIND_DENSE_VALUES: how many bits of a group's head are its number of gaps. */
export const LAYER_GROUP_BITS = 40;
export const LAYER_ENTRY_BYTES = 68;

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
export const ROW_BYTES = 16;
export const CHUNK_HEAD_BYTES = 4;
export const PAIR_BYTES = 2;
/** The kernel takes so many in one turn: a row's count is a multiple of it, and at least that. */
export const PAIRS_AT_ONCE = 4;
export const GROUP_HEAD_BYTES = 3;
/** So that any window holds a group at once. */
export const GROUP_GAPS = 125;
/** KIND_DENSE_VALUES needs elements at offsets of so many bits or fewer, so that there are bits for a number of gaps. */
export const GROUP_OFFSET_BITS = 12;
export const FACTOR_BYTES = 8;
export const LUT_BYTES = 256;

/**
 * KIND_CONV_QUADS, KIND_CONV_GAPS. Elements of a group of GROUP_PLACES share a word of QUAD_INPUT_BYTES, each LOT_LANE_BITS above the last; there is one
 * for each input, that is an element of the filter's. In front of them stand QUAD_HEAD_BYTES: a u32 for each place, from the output's channel to it.
 * Sums of LOT_STRETCH inputs keep to their lanes whatever the weights, and of up to LOT_MOST_STRETCH, so that a slice stays short, where a row's head
 * says so. Inputs are filled up with weights and elements of zero to a multiple of QUAD_TURN. The latest sums stand in the static data. A host's kernel
 * may lay out what it likes in as many bytes. For any of them constants take sums to begin with 2^21 for each QUAD_STRETCH inputs or part of them.
 */
export const GROUP_PLACES = 3;
export const LOT_LANE_BITS = 21;
export const LOT_STRETCH = 32;
export const LOT_MOST_STRETCH = 256;
export const LOT_SUMS = 64;
export const QUAD_INPUT_BYTES = 8;
export const QUAD_HEAD_BYTES = 16;
export const QUAD_STRETCH = 64;
export const QUAD_TURN = 8;
/** Inputs that a filter may have, so that what is laid out stays small. */
export const QUAD_INPUTS = 1024;

/**
 * KIND_DEPTHWISE: an element of one strip and one of the other share a word, the second LANE_BITS above the first; so many outputs of each make a
 * block.
 */
export const LANE_BITS = 22;
export const DEPTH_WORD_BYTES = 4;
export const DEPTH_BLOCK = 4;
export const DEPTH_IS_DOWN = 0x8000;
export const DEPTH_LEFT = 16;
/** A line that is laid out is no longer, so that a slice stays short. */
export const DEPTH_WORDS = 512;

/**
 * KIND_DENSE_ROWS: rows at a time, of which each has a byte in turn; inputs of a turn; what is stored of a weight is raised by so much. In the static
 * data: the latest sums of the rows at hand, a u32 each, and of the layer's elements. Sums of a piece's inputs keep to lanes of 24 bits.
 */
export const DENSE_ROWS = 6;
export const DENSE_TURN = 4;
export const WEIGHT_BIAS = 128;
export const DENSE_SUMS = 64;
export const DENSE_ELEMENTS_SUM = 88;

/**
 * KIND_BITS: bytes of a word; and so that a slice stays short the most of a place, and of places that are laid out at once, elements of a line, and lines of
 * all channels.
 */
export const BITS_WORD_BYTES = 8;
export const BITS_PLACE_BYTES = 512;
export const BITS_LOT_BYTES = 2048;
export const BITS_LINE = 2048;
export const BITS_LINES = 512;

/** A chunk of KIND_CONV_BLOCKS: the magnitudes of its weights add up to at most this, so that its sums span 16 bits. */
export const CHUNK_MAGNITUDE = 257;
/** And so many records, so that a slice stays short. */
export const CHUNK_RECORDS = 128;

/** Readable bytes behind the arena: kernels load a word beginning with a block's second element. */
export const ARENA_SLACK_BYTES = 8;

/** A filter of KIND_CONV_POOLED: its magnitudes add up to at most this, so that its sums are less than 2^15 apart. */
export const TILE_MAGNITUDE = 128;
/** And so many records, so that a slice stays short. */
export const TILE_RECORDS = 64;
/** Places across and down. */
export const TILE_SIZE = 8;

export const BLOCK_WIDTH = 8;
export const BLOCK_HEIGHT = 4;

/**
 * What work counts as, in multiplications of a block: about 2 instructions each, at most 3. A chunk and an output of its block; a tile; a row of a
 * dense layer, a pair, and a byte of a group; of a convolution place by place an output, each further place of its pool, and a record at a place; of a standalone
 * pool an output, a line of its window, or a piece of one, and an element; a piece of a border, a stretch between two lines, and a byte. Of
 * what goes line by line, each line or a piece of one, and an element: a byte that is copied, a sum of KIND_ADD and KIND_MUL, or another.
 */
export const CHUNK_WORK = 300;
export const BLOCK_OUTPUT_WORK = 40;
export const TILE_WORK = 320;
export const ROW_WORK = 80;
export const PAIR_WORK = 8;
export const GROUP_BYTE_WORK = 7;
export const PLACES_OUTPUT_WORK = 120;
export const PLACE_WORK = 40;
export const RECORD_WORK = 9;
export const POOL_OUTPUT_WORK = 110;
export const POOL_LINE_WORK = 8;
export const ELEMENT_WORK = 9;
export const BORDER_WORK = 40;
export const STRETCH_WORK = 16;
export const BYTE_WORK = 5;
export const LINE_WORK = 50;
export const COPY_WORK = 1;
export const SUM_WORK = 27;
/** Of KIND_LINES, for each channel whose lines move, and a byte that is moved or filled; and of KIND_TURN and KIND_INPUT. */
export const LINES_WORK = 100;
export const LINE_BYTE_WORK = 3;
/**
 * Of KIND_CONV_QUADS: a group of places that is laid out, or a piece of it; a run of inputs of the innermost loop, or a piece of it, and an
 * input; then of two filters at a group a turn, a stretch, and their outputs.
 */
export const QUAD_PLACES_WORK = 120;
export const QUAD_RUN_WORK = 25;
export const QUAD_LAYOUT_WORK = 14;
export const QUAD_TURN_WORK = 72;
export const QUAD_STRETCH_WORK = 70;
export const QUAD_FINISH_WORK = 90;
/** Of KIND_DEPTHWISE: a line that is laid out, and a word; a block, a tap of it, and an output of each strip. */
export const DEPTH_LINE_WORK = 60;
export const DEPTH_WORD_WORK = 8;
export const DEPTH_BLOCK_WORK = 60;
export const DEPTH_TAP_WORK = 17;
export const DEPTH_OUTPUT_WORK = 36;
/** Of KIND_CONV_GAPS a pair, a stretch, and the outputs of a group. */
export const GAP_WORK = 7;
export const GAP_STRETCH_WORK = 50;
export const GAP_FINISH_WORK = 50;
/** Of KIND_DENSE_ROWS an element that is added up, a turn, and the outputs of six rows. */
export const DENSE_ELEMENT_WORK = 4;
export const DENSE_TURN_WORK = 60;
export const DENSE_FINISH_WORK = 220;
/** Of KIND_BITS a place that is laid out, a line of it, and up to eight elements; of a row at a lot its head, an output, a place and a word. */
export const BITS_PLACE_WORK = 50;
export const BITS_LINE_WORK = 14;
export const BITS_EIGHT_WORK = 14;
export const BITS_ROW_WORK = 60;
export const BITS_OUTPUT_WORK = 40;
export const BITS_POOLED_WORK = 14;
export const BITS_WORD_WORK = 9;

/**
 * With so much a piece of work ends, complete or not: bytes of pairs, or of groups, or of a dense layer by rows, work of bits that are laid out, records at a place, elements of a pool, bytes
 * of a border, elements of a line, work of blocks of KIND_DEPTHWISE, or other work.
 */
export const PIECE_PAIR_BYTES = 512;
export const PIECE_GROUP_BYTES = 512;
export const DENSE_PIECE_BYTES = 768;
export const PIECE_RECORDS = 256;
export const PIECE_ELEMENTS = 256;
export const PIECE_BORDER_BYTES = 256;
export const PIECE_LINE = 128;
export const PIECE_BITS_WORK = 1024;
export const PIECE_BLOCKS_WORK = 4096;
export const PIECE_WORK = 2048;
export const PIECE_INPUTS = 256;

/**
 * The progress, which ends where the window begins: u32 words at these offsets. Where in the stream a kernel of the host's own goes on, plus 1,
 * or 0 before it has begun with the layer at hand; how many rows of the layer are complete; then words of such a kernel's.
 */
export const PROGRESS_POSITION = 0;
export const PROGRESS_ROW = 4;
export const PROGRESS_OWN = 8;
/** Of KIND_LINES: the turn at hand. */
export const PROGRESS_TURN = 12;
export const PROGRESS_BYTES = 20;

/** Words of the control block that only a fast module's own code looks at. */
export const CONTROL_LAYERS_PTR = 44;
export const CONTROL_WINDOW_PTR = 48;
export const CONTROL_WINDOW_BYTES = 56;
