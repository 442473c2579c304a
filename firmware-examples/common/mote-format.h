/* Made from assembly/format.ts, assembly/abi.ts, assembly/module.ts by tools/gen-format.ts. Do not edit. */
#ifndef MOTE_FORMAT_H
#define MOTE_FORMAT_H

/**
 * The constants of the `.mote` container: SPEC.md in numbers, written once. abi.ts has those of linear memory.
 * Plain literals, since asc, tsc and the generator of the C header all read this file.
 */

/** "MOT", read as a little-endian number of three bytes. */
#define MOTE_MAGIC 0x544f4du
#define MOTE_VERSION 2u
/** The CRC covers the file from this offset to its end. */
#define MOTE_CRC_START 8u

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

/** Largest multiplier of a sum, which keeps two products of 9 bits more in int32. */
#define MOTE_MAX_SUM_FACTOR 0x200000u
#define MOTE_LUT_ENTRIES 256u

#define MOTE_CODEC_DENSE 0u
#define MOTE_CODEC_HUFFMAN 1u
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

/** Version of what this file describes, which a module leaves in the control block. */
#define MOTE_INTERFACE_VERSION 2u

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
/** Bits 0..7: border. The bits below say what kind of tensor it is; bits 16..31 are the module's own. */
#define MOTE_TENSOR_STATE 28u
#define MOTE_TENSOR_BORDER_MASK 0xffu
/** An end of the graph: an input or an output of the model. */
#define MOTE_TENSOR_IS_END 0x200u
/** Keeps its values from one run to the next. */
#define MOTE_TENSOR_IS_STATE 0x400u

/** Statuses of `open`, `start`, `step` and `reset`. */
#define MOTE_STATUS_DONE 0 /* the model is loaded, the run is complete, or states are reset */
#define MOTE_STATUS_BUSY 1 /* call step again */
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

/** Custom sections: a fast module's stream of weights; what a container has behind its last layer; the seal, at the very end. */
#define MOTE_STREAM_SECTION "mote.stream"
#define MOTE_METADATA_SECTION "mote.metadata"
#define MOTE_SEAL_SECTION "mote.crc"

/** What a module for wasm3 may hold at most: SPEC.md, "Modules". Function types. */
#define MOTE_MODULE_MAX_TYPES 32u
/** Functions, imported ones among them; globals; entries of any other section. */
#define MOTE_MODULE_MAX_ITEMS 128u
/** Parameters of a function. */
#define MOTE_MODULE_MAX_PARAMETERS 8u
/** Blocks, loops and ifs around an instruction, the function's own block among them. */
#define MOTE_MODULE_MAX_NESTING 20u
/** Values of a function at a time. */
#define MOTE_MODULE_MAX_VALUES 50u
/** Calls and loops within each other. */
#define MOTE_MODULE_MAX_FRAMES 20u

/** Each status of the core with its meaning: X(name, text). */
#define MOTE_STATUS_TEXTS(X) \
  X(MOTE_STATUS_DONE, "the model is loaded, the run is complete, or states are reset") \
  X(MOTE_STATUS_BUSY, "call step again") \
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
  X(MOTE_OP_RESIZE, "resize")

/** Each codec with its name, likewise. */
#define MOTE_CODEC_NAMES(X) \
  X(MOTE_CODEC_DENSE, "dense") \
  X(MOTE_CODEC_HUFFMAN, "huffman")

#endif
