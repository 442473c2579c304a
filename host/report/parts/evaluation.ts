/** How well the compressed model does beside the float net and its int8 form, what it takes for what, and where it is most wrong. */
import { confusionMatrix, type Confusion, type Mistake } from "../../engines/evaluate.js";
import { barChart } from "../charts.js";
import type { Matrix } from "../matrix.js";
import { words, type Block, type Part } from "../page.js";
import { dataUri, pngOf } from "../png.js";
import { bytesText, percent, type Table } from "../table.js";

/** A model's answers. */
export interface Answers {
  readonly name: string;
  /** Of the weights' file. */
  readonly bytes: number;
  /** [samples], the class that each is taken for. */
  readonly classes: Uint16Array;
}

export interface EvaluationData {
  /** What the samples are: "mnist:validation". */
  readonly source: string;
  readonly labels: ArrayLike<number>;
  /** Of the classes. */
  readonly names: readonly string[];
  /** The compressed model is the last. */
  readonly models: readonly Answers[];
  /** Of the compressed model. */
  readonly confusion: readonly Confusion[];
  readonly worst: readonly Mistake[];
  /** Bytes of a sample that is a picture: [C, H, W] of 1 or 3 channels. */
  readonly picture?: (index: number) => {
    readonly pixels: Uint8Array;
    readonly shape: readonly [number, number, number];
  };
}

/** A larger matrix is no table: what occurs of it is a list, for the CSV alone. */
const MOST_CLASSES = 20;

export function evaluationPart(data: EvaluationData): Part {
  const { source, labels, names, models, worst } = data;
  const errorsOf = ({ classes }: Answers): number =>
    classes.reduce((sum, one, at) => sum + (one === labels[at] ? 0 : 1), 0);
  const last = models.at(-1)!;
  const share = (count: number): number => (100 * count) / labels.length;
  const rows = models.map((model) => {
    const same = model.classes.reduce((sum, one, at) => sum + (one === last.classes[at] ? 1 : 0), 0);
    return [model.name, model.bytes, errorsOf(model), share(errorsOf(model)), share(same)];
  });
  const hasMatrix = names.length <= MOST_CLASSES;
  return {
    id: "quality",
    title: models.length > 1 ? "Float, int8 and compressed" : "Accuracy",
    blocks: [
      {
        kind: "table",
        id: "models",
        caption: `On ${labels.length.toLocaleString("en")} samples, ${source}`,
        columns: [
          { head: "model" },
          { head: "bytes", show: bytesText },
          { head: "wrong" },
          { head: "error, %", show: percent },
          { head: "same class as compressed, %", show: percent },
        ],
        rows,
      },
      ...(models.length > 1
        ? [
            barChart({
              id: "models-error",
              title: "Error side by side",
              description:
                models
                  .map((model) => `${model.name}: ${percent(share(errorsOf(model)))} at ${bytesText(model.bytes)}`)
                  .join("; ") + ".",
              axis: { label: "error, %", show: (value) => String(Number(value.toPrecision(3))) },
              series: ["error"],
              rows: models.map((model) => ({
                label: model.name,
                values: [share(errorsOf(model))],
                texts: [percent(share(errorsOf(model)))],
              })),
            }),
          ]
        : []),
      hasMatrix
        ? matrixOf(data)
        : words(`How many samples of each of ${names.length} classes are taken for which is in confusion.csv.`),
      ...gallery(data),
    ],
    data: [
      {
        kind: "table",
        id: "worst",
        caption: "The worst mistakes of the compressed model",
        columns: [
          { head: "sample" },
          { head: "label" },
          { head: "class" },
          { head: "probability" },
          { head: "probability of the label" },
        ],
        rows: worst.map(({ index, label, class: taken, probability, labelProbability }) => [
          index,
          names[label],
          names[taken],
          probability,
          labelProbability,
        ]),
      },
      ...(hasMatrix ? [] : [pairsOf(data)]),
    ],
  };
}

function matrixOf({ source, names, confusion }: EvaluationData): Matrix {
  return {
    kind: "matrix",
    id: "confusion",
    caption: `How many samples of each label (down) the compressed model takes for each class (across), ${source}`,
    names,
    counts: confusionMatrix({ classes: names.length, confusion }),
  };
}

function pairsOf({ source, names, confusion }: EvaluationData): Table {
  return {
    kind: "table",
    id: "confusion",
    caption: `How many samples of a label the compressed model takes for a class, ${source}`,
    columns: [{ head: "label" }, { head: "class" }, { head: "samples" }],
    rows: confusion.map(({ label, class: taken, samples }) => [names[label], names[taken], samples]),
  };
}

function gallery({ worst, names, models, picture }: EvaluationData): Block[] {
  if (worst.length === 0) return [words("The compressed model makes no mistake on these samples.")];
  const others = models.slice(0, -1);
  const told = ({ index, label, class: taken, probability }: Mistake): string => {
    const beside = others.map(({ name, classes }) => `${name} ${names[classes[index]]}`).join(", ");
    return `${index}: ${names[label]}, taken for ${names[taken]} with ${(100 * probability).toFixed(1)} %${beside === "" ? "" : `; ${beside}`}`;
  };
  if (picture === undefined) return [words(`The worst mistakes: ${worst.map(told).join("; ")}.`)];
  return [
    {
      kind: "gallery",
      caption: `The worst ${worst.length} mistakes of the compressed model: sample, label, and what it is taken for`,
      pictures: worst.map((mistake) => {
        const { pixels, shape } = picture(mistake.index);
        return {
          source: dataUri(pngOf(interleaved(pixels, shape), shape[2], shape[1])),
          alt: `Sample ${mistake.index}, labelled ${names[mistake.label]}`,
          words: told(mistake),
        };
      }),
    },
  ];
}

/** [C, H, W] → [H, W, C] */
function interleaved(pixels: Uint8Array, [channels, height, width]: readonly [number, number, number]): Uint8Array {
  if (channels === 1) return pixels;
  const area = height * width;
  return Uint8Array.from(pixels, (_, at) => pixels[(at % channels) * area + Math.floor(at / channels)]);
}
