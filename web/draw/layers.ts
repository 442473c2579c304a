/** What each layer makes of the digit, as little pictures. */
import { bytesText, html, median } from "../dom.js";
import { rgb } from "../theme.js";

type Shape = readonly [channels: number, height: number, width: number];

/** What is shown of a tensor. */
export interface Seen {
  readonly shape: Shape;
  readonly elements: ArrayLike<number>;
}

export interface LayerPictures {
  readonly element: HTMLElement;
  /** @param tensors the net's input, then what each layer has made */
  readonly show: (tensors: readonly Seen[]) => void;
}

/** @param names of the input and of the layers */
export function layerPictures(names: readonly string[]): LayerPictures {
  const canvases = names.map(() => html("canvas", { role: "img" }));
  const captions = names.map((name) => html("figcaption", {}, html("b", {}, name), html("span")));
  const element = html(
    "ol",
    { class: "layers" },
    ...names.map((_, i) => html("li", {}, html("figure", {}, captions[i], canvases[i]))),
  );
  return {
    element,
    show: (tensors) => {
      const colours: Colours = { less: rgb("--second"), usual: rgb("--wash"), more: rgb("--accent") };
      tensors.forEach((seen, i) => {
        const text = sizeText(seen.shape);
        captions[i].lastElementChild!.textContent = text;
        canvases[i].setAttribute("aria-label", `${names[i]}: ${text}`);
        paint(canvases[i], seen, colours);
      });
    },
  };
}

function sizeText([channels, height, width]: Shape): string {
  const size = bytesText(channels * height * width);
  if (height * width === 1) return `${channels} numbers, ${size}`;
  return `${channels === 1 ? "" : `${channels} pictures of `}${height} × ${width}, ${size}`;
}

/** Channels in rows, a pixel apart: no row longer than it has to be for pictures that are wide rather than high. */
function columnsOf([channels, height, width]: Shape): number {
  const wanted = Math.ceil(Math.sqrt((channels * (height + 1) * 4) / (width + 1)));
  const rows = Math.max(1, Math.floor(channels / wanted));
  return Math.ceil(channels / rows);
}

interface Colours {
  readonly less: readonly number[];
  readonly usual: readonly number[];
  readonly more: readonly number[];
}

/** Of a channel's elements: their median, which is what the net makes of empty paper; of one that has a single element, the least of all. */
function usualOf(elements: readonly number[], least: number): number {
  return elements.length === 1 ? least : median(elements);
}

function paint(canvas: HTMLCanvasElement, { shape, elements }: Seen, { less, usual, more }: Colours): void {
  const [channels, height, width] = shape;
  const columns = columnsOf(shape);
  const across = columns * (width + 1) - 1;
  const down = Math.ceil(channels / columns) * (height + 1) - 1;
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
  const all = Array.from(elements);
  const least = Math.min(...all);
  const differences = Array.from({ length: channels }, (_, channel) => {
    const plane = all.slice(channel * height * width, (channel + 1) * height * width);
    const middle = usualOf(plane, least);
    return plane.map((element) => element - middle);
  }).flat();
  const most = Math.max(1, ...differences.map(Math.abs));
  const image = new ImageData(across, down);
  differences.forEach((difference, i) => {
    const channel = Math.floor(i / height / width);
    const x = (channel % columns) * (width + 1) + (i % width);
    const y = Math.floor(channel / columns) * (height + 1) + (Math.floor(i / width) % height);
    const end = difference < 0 ? less : more;
    const share = Math.abs(difference) / most;
    const pixel = usual.map((value, c) => value + share * (end[c] - value));
    image.data.set([...pixel, 255], 4 * (y * across + x));
  });
  canvas.getContext("2d")!.putImageData(image, 0, 0);
}
