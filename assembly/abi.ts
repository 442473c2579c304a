/**
 * What core, fast modules and their hosts agree on in linear memory, and the statuses: SPEC.md, "The core's interface", in numbers,
 * written once. Plain literals, as in format.ts. module.ts has the names.
 */

/** Linear memory below this address is the control block and the core's static data; the plan's regions follow. */
export const PLAN_BASE = 256;
/** Bytes of one entry of the tensor table in linear memory. */
export const TENSOR_ENTRY_BYTES = 32;
/** A model kept in linear memory is followed by this many readable bytes. */
export const MODEL_SLACK_BYTES = 8;
/** Bytes of one record: offset << 8 | weight. */
export const RECORD_BYTES = 4;

/** Bytes of the control block, which stands at address 0. */
export const CONTROL_BLOCK_BYTES = 64;

/** Version of what this file describes, which a module leaves in the control block; the others of a module whose input comes by lines, and whose elements are int16. */
export const INTERFACE_VERSION = 2;
export const INTERFACE_VERSION_LINES = 3;
export const INTERFACE_VERSION_WIDE = 4;

/** The control block: u32 words at these addresses. The first two are the host's to write before `open`. */
export const CONTROL_MODEL_PTR = 0;
export const CONTROL_MODEL_BYTES = 4;
export const CONTROL_TENSORS_PTR = 8;
export const CONTROL_TENSOR_COUNT = 12;
export const CONTROL_LAYER_COUNT = 16;
export const CONTROL_LAYERS_DONE = 20;
export const CONTROL_OUTPUT_TENSOR = 24;
export const CONTROL_MEMORY_BYTES = 28;
/** After an error: the file offset near which it was found. With STATUS_OP or STATUS_CODEC the number of the first one that is missing. */
export const CONTROL_ERROR_OFFSET = 32;
/** What is added to an int8 element to get the byte that stands for it in linear memory: 0, or 128 in a fast module. */
export const CONTROL_ELEMENT_BIAS = 36;
/** After loading, the file offset behind the last layer, where the metadata begins. A fast module keeps something of its own here. */
export const CONTROL_METADATA = 44;
/** A fast module's, which has no container to tell scales: the address of an f32 for each end of the graph, in tensor order. */
export const CONTROL_SCALES = 40;
/** INTERFACE_VERSION of the module, from `open` on. */
export const CONTROL_VERSION = 52;
/** After loading: the most units of work of one run, 2^32 - 1 for as many or more. */
export const CONTROL_WORK = 60;

/** A tensor table entry: u32 words (zero point: i32) at these offsets. */
export const TENSOR_PTR = 0;
export const TENSOR_CHANNELS = 4;
export const TENSOR_HEIGHT = 8;
export const TENSOR_WIDTH = 12;
export const TENSOR_PITCH = 16;
export const TENSOR_PLANE = 20;
export const TENSOR_ZERO_POINT = 24;
/** Bits 0..7: border. The bits below say what kind of tensor it is; bits 16..31 are the module's own but for TENSOR_LINES_SHIFT. */
export const TENSOR_STATE = 28;
export const TENSOR_BORDER_MASK = 0xff;
/** An end of the graph: an input or an output of the model. */
export const TENSOR_IS_END = 0x200;
/** Keeps its values from one run to the next. */
export const TENSOR_IS_STATE = 0x400;
/** Is made some lines at a time, and perhaps never there as a whole: a host does not read it. */
export const TENSOR_IS_BY_LINES = 0x800;
/** Of an input that is: bits from here on, eight of them, are how many lines the host gives at a time; TENSOR_PTR is where these go. */
export const TENSOR_LINES_SHIFT = 16;

/** Statuses of `open`, `start`, `step` and `reset`. */
export const STATUS_DONE = 0; // the model is loaded, the run is complete, or states are reset
export const STATUS_BUSY = 1; // call step again
export const STATUS_LINES = 2; // write the next lines of the input, then call step again
export const STATUS_READ = -1; // the host's window callback failed
export const STATUS_TRUNCATED = -2; // the file ends within a field
export const STATUS_MAGIC = -3; // not a .mote file
export const STATUS_VERSION = -4; // a version this core does not know
export const STATUS_CRC = -5; // the file's checksum does not match
export const STATUS_OP = -6; // an op this core does not have
export const STATUS_CODEC = -7; // a codec this core does not have
export const STATUS_RANGE = -8; // a field outside its range
export const STATUS_SHAPE = -9; // shapes that do not fit each other, or a tensor used before it is written
export const STATUS_PLAN = -10; // a layer needs more than the file's own memory plan grants
export const STATUS_MEMORY = -11; // the plan is larger than the memory
export const STATUS_HUFFMAN = -12; // a code that is over-subscribed, incomplete or empty
export const STATUS_STREAM = -13; // a section that ends early or runs over
export const STATUS_STATE = -14; // called out of order
