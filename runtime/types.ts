/// <reference lib="esnext.disposable" preserve="true" />
/** What the runtime takes and gives. Needs no types of a browser's nor of Node's. */

/** What runs a container: the core, in WebAssembly of 2017. Modules made by `mote pack` bring their own. */
export type RuntimeEngine = "core";

/** How a model is opened. */
export interface OpenOptions {
  /** What runs a container. Default: "core". */
  readonly engine?: RuntimeEngine;
  /** Most bytes of linear memory that the model may take. Default: what its plan asks for, at most 2^28. */
  readonly memoryLimit?: number;
}

/** A model's bytes, or what has them: what `fetch` gives, a file of an input element, a buffer of Node's. */
export type ModelSource =
  | ArrayBuffer
  | Uint8Array
  | {
      /** Of a Response: false for an error of the server. */
      readonly ok?: boolean;
      readonly status?: number;
      arrayBuffer(): Promise<ArrayBuffer>;
    };

/** How an input is made of what a user has, such as the bytes of an image: a value v of a channel stands for the real number (v − mean) / std. */
export interface Preprocessing {
  /** Order of the user's values: [C, H, W], or [H, W, C]. */
  readonly layout: "planar" | "interleaved";
  /** What the channels are. */
  readonly colours: "none" | "rgb" | "bgr";
  /** One a channel, finite. */
  readonly mean: readonly number[];
  /** One a channel, above 0. */
  readonly std: readonly number[];
}

/** A tensor that goes into a model or comes out of it. Real value = scale × (element − zeroPoint). */
export interface ModelTensor {
  /** The model's name for it, else "input" or "output"; of further ones "input1" and so on. */
  readonly name: string;
  /** Elements are planar: all of channel 0, row by row, then those of channel 1. A vector of n features is [n, 1, 1]. */
  readonly shape: readonly [channels: number, height: number, width: number];
  /** A finite number above 0. */
  readonly scale: number;
  /** -128 .. 127 */
  readonly zeroPoint: number;
  /** A name for each element of the first output, where the model has them. */
  readonly labels?: readonly string[] | undefined;
  /** Of the first input, where the model says it. */
  readonly preprocessing?: Preprocessing | undefined;
}

/** What a canvas gives by `getImageData`, or any decoder of pictures. */
export interface Pixels {
  /** Pixels in a row, at least 1. */
  readonly width: number;
  /** Rows, at least 1. */
  readonly height: number;
  /** Red, green, blue, alpha of each pixel, 0 .. 255, row by row: 4 × width × height. */
  readonly data: Uint8ClampedArray | Uint8Array;
}

/** A class of the model and how sure the model is of it. */
export interface Prediction {
  /** The class by name; its index as text where the model has no labels. */
  readonly label: string;
  /** Of the output's element. */
  readonly index: number;
  /** 0 .. 1: softmax of the outputs as real numbers. All classes together have 1. */
  readonly probability: number;
}

/**
 * Told of each layer as soon as it is done: its number from 0, a copy of its output's int8 elements, and their shape, [C, H, W]. A fast module
 * says nothing of the layers that it runs by lines.
 */
export type LayerVisit = (layer: number, output: Int8Array, shape: ModelTensor["shape"]) => void;

/** One model, ready to run. A run is synchronous; threads open models of their own. */
export interface Model {
  /** What `run` takes, in order. */
  readonly inputs: readonly ModelTensor[];
  /** What `run` gives, in order. */
  readonly outputs: readonly ModelTensor[];
  /** Bytes of linear memory that the model takes; what a browser gives comes in pages of 65,536. */
  readonly memoryBytes: number;
  /**
   * The most units of work that a run takes, of up to 32 WebAssembly instructions each; 2^32 − 1 for as many or more. A small file can ask for
   * hours: look before you run a stranger's model.
   */
  readonly work: number;
  /**
   * Runs the model on int8 elements. States of a model that has them go on from the run before.
   * @param input elements of the first input, of a model that has no other: as many as its shape has, planar
   * @param visit is told of each layer
   * @returns the elements of the first output, a copy
   * @throws TypeError for anything but an Int8Array of that length, MoteError ENGINE after `close`, or where the model fails
   */
  run(input: Int8Array, visit?: LayerVisit): Int8Array;
  /**
   * Runs the model on the elements of all inputs.
   * @returns the elements of all outputs
   * @throws as for one array
   */
  run(inputs: readonly Int8Array[], visit?: LayerVisit): Int8Array[];
  /**
   * Runs the model on real numbers, quantized by the input's scale: rounded half up, saturated, what is not a number taken for 0. Where the
   * input has a preprocessing they are the values that it speaks of, in its layout.
   * @param input as many values as for `run`
   * @returns the first output as real numbers
   * @throws TypeError for anything but a Float32Array of the input's length; MoteError as `run` does
   */
  runFloat(input: Float32Array): Float32Array;
  /**
   * Runs the model on real numbers of all inputs.
   * @returns all outputs as real numbers
   * @throws as for one array
   */
  runFloat(inputs: readonly Float32Array[]): Float32Array[];
  /**
   * Tells what a picture shows. It is scaled to the input's height and width by area, the sides not kept in proportion; a model of one channel
   * gets its luma (0.299 red + 0.587 green + 0.114 blue), one of three red, green and blue. What is transparent is black. Values 0 .. 255 are
   * the net's 0 .. 1, unless its preprocessing says otherwise. Light and dark stay as they are: a net of white digits on black does not read black ones.
   * @param visit is told of each layer
   * @returns all classes, the most probable first; of equal ones the first
   * @throws MoteError MISMATCH for other than 4 × width × height bytes, or a model of other than 1 or 3 channels; TypeError for a model of more
   *   inputs; as `run` does
   */
  classify(image: Pixels, visit?: LayerVisit): Prediction[];
  /**
   * Forgets what earlier runs have left in the model's states: the next run is like the first.
   * @throws MoteError ENGINE after `close`
   */
  reset(): void;
  /** Lets go of the model and its memory. A later run throws. */
  close(): void;
  /** The same, for `using`. */
  [Symbol.dispose](): void;
}
