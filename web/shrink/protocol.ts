/** What the room and its worker say to each other. All of it can be cloned. */
import type { Energy } from "../../host/report/energy.js";
import type { ContainerReport, LayerReport } from "../../host/report/container.js";
import type { TensorLife } from "../../host/report/lives.js";

export const RANGES = ["all", "percentile", "least error"] as const;

export interface ShrinkOptions {
  /** Values of a layer's weights: at most 2^bits, 1 … 7. Undefined: those of int8. */
  readonly bits: number | undefined;
  /** Of tensors by samples, as `mote pack --range`. */
  readonly range: (typeof RANGES)[number];
  /** Sizes of inputs that the file leaves open: "image=1,3,224,224", some of them with spaces between. */
  readonly shapes: string;
}

export const DEFAULT_OPTIONS: ShrinkOptions = { bits: undefined, range: "all", shapes: "" };

export type FileFormat = "mote" | "wasm" | "c" | "json" | "html";

/** A worker does one thing after the other, and keeps the model that it made last. */
export type Request =
  | { readonly kind: "shrink"; readonly files: readonly File[]; readonly options: ShrinkOptions }
  /** Of the model. */
  | { readonly kind: "boards" }
  | { readonly kind: "file"; readonly format: FileFormat };

export type Answer =
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "shrunk"; readonly shrunk: Shrunk }
  | { readonly kind: "refused"; readonly refused: Refused }
  | { readonly kind: "boards"; readonly boards: readonly BoardFit[] }
  | { readonly kind: "file"; readonly name: string; readonly type: string; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Of what was asked for beside "shrink", whose errors are refusals. */
  | { readonly kind: "failed"; readonly asked: "boards" | "file"; readonly message: string };

export interface Progress {
  /** For people: "Running samples". */
  readonly stage: string;
  /** Where it can be told: how much of how much. */
  readonly done?: number;
  readonly of?: number;
}

/** A model, and all that the room shows of it. */
export interface Shrunk {
  /** The file's, without its extension. */
  readonly name: string;
  /** "ONNX net, opset 13" */
  readonly kind: string;
  /** Of the files that the net stands in; undefined where a model was opened. */
  readonly netBytes: number | undefined;
  readonly samples: SamplesInfo | undefined;
  readonly notes: readonly string[];
  readonly report: ContainerReport;
  readonly layers: readonly LayerFacts[];
  readonly memory: MemoryFacts;
  readonly energy: { readonly dense: Energy; readonly packed: Energy };
  /** As the model has it, and where it was imported as its file has it. */
  readonly graphs: { readonly model: GraphPicture; readonly file?: GraphPicture };
  readonly labels: readonly string[] | undefined;
  /** What int8 costs the outputs of a net of real numbers: the least of their signal-to-noise ratios, dB. */
  readonly outputDecibels: number | undefined;
}

export interface SamplesInfo {
  readonly count: number;
  readonly source: string;
  /** Made up here, so that ranges are a guess. */
  readonly isGenerated: boolean;
}

export interface LayerFacts extends LayerReport {
  /** The node's in the file. */
  readonly name: string | undefined;
  readonly weightCounts?: WeightCounts;
  /** Beside real numbers. */
  readonly decibels?: number;
}

/** How often each int8 value occurs, at index value + 128; zeros are counted as well. */
export interface WeightCounts {
  readonly packed: readonly number[];
  /** Before weights were shared, in steps of int8. */
  readonly before?: readonly number[];
}

export interface MemoryFacts {
  /** In all, the model read through the window. */
  readonly bytes: number;
  /** With the model in it, and no window. */
  readonly residentBytes: number;
  readonly regions: readonly { readonly name: string; readonly address: number; readonly bytes: number }[];
  /** Addresses are those of linear memory. */
  readonly lives: readonly (TensorLife & { readonly name: string })[];
  readonly steps: number;
}

/** A net that cannot be taken, with all reasons. */
export interface Refused {
  readonly message: string;
  readonly reasons: readonly Reason[];
  /** With the nodes that stand in the way marked. */
  readonly graph?: GraphPicture;
}

export interface Reason {
  /** "LSTM", or what else stands in the way. */
  readonly what: string;
  readonly why: string;
  /** Indices of boxes of the graph. */
  readonly boxes: readonly number[];
  readonly names: readonly string[];
}

export interface GraphPicture {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  readonly edges: readonly Edge[];
  /** Too many nodes: there are none of either. */
  readonly isTooLarge?: true;
}

export interface Box {
  /** Of the corner. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly lines: readonly string[];
  readonly look: "end" | "weights" | "other" | "refused";
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Of the model. */
  readonly layer?: number;
}

export interface Edge {
  readonly from: number;
  readonly to: number;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly label: string;
  readonly labelAt?: readonly [x: number, y: number];
}

/** A model on a board, by one engine. */
export interface EngineFit {
  readonly engine: string;
  /** The form that fits, or lacks the least. */
  readonly form: string;
  readonly sram: number;
  readonly flash: number;
  /** Bytes; 0 where it fits. */
  readonly lack: number;
  /** Why it has no form at all. */
  readonly why?: string;
}

export interface BoardFit {
  readonly name: string;
  readonly cpu: string;
  readonly ramBytes: number;
  readonly flashBytes: number;
  readonly engines: readonly EngineFit[];
}
