/** What is drawn, as lines: smooth on the pad, and as the digits were on which the net was trained. */
import type { Pixels } from "../../runtime/index.js";

/** 0 .. 1 of the pad, from its left and from its top. */
export type Point = readonly [x: number, y: number];
export type Stroke = readonly Point[];

/** Of the net's picture: digits of 20 × 20 pixels stand in it by their centre of mass, with lines so wide. */
export const SIDE = 28;
const BOX = 20;
const PEN = 2.3;
/** Of the pad: what is smaller stays small. */
const SMALLEST = 0.12;
/** A pixel is the mean of so many along a side. */
const SAMPLES = 4;

type Canvas = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Draws lines through the middles of their points, in units of the pad. */
export function drawStrokes(canvas: Canvas, strokes: readonly Stroke[], width: number): void {
  canvas.lineWidth = width;
  canvas.lineCap = canvas.lineJoin = "round";
  for (const stroke of strokes) {
    canvas.beginPath();
    canvas.moveTo(...stroke[0]);
    for (let i = 1; i < stroke.length - 1; i++) {
      const [x, y] = stroke[i];
      const [nextX, nextY] = stroke[i + 1];
      canvas.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    // A stroke of one point is a dot.
    canvas.lineTo(...stroke.at(-1)!);
    canvas.stroke();
  }
}

let scratch: OffscreenCanvasRenderingContext2D | undefined;

/** @param strokes at least one, of a point or more @returns what the net is given: SIDE × SIDE, white on black */
export function pictureOf(strokes: readonly Stroke[]): Pixels {
  const size = SIDE * SAMPLES;
  scratch ??= new OffscreenCanvas(size, size).getContext("2d", { willReadFrequently: true })!;
  const xs = strokes.flatMap((stroke) => stroke.map(([x]) => x));
  const ys = strokes.flatMap((stroke) => stroke.map(([, y]) => y));
  const span = (of: number[]): number => Math.max(...of) - Math.min(...of);
  const scale = (BOX - PEN) / Math.max(span(xs), span(ys), SMALLEST);
  const middle = (of: number[]): number => (Math.max(...of) + Math.min(...of)) / 2;
  const first = rendered(scratch, strokes, scale, middle(xs), middle(ys));
  const [x, y] = centreOf(first);
  return rendered(scratch, strokes, scale, middle(xs) + (x - SIDE / 2) / scale, middle(ys) + (y - SIDE / 2) / scale);
}

/** @param scale pixels of the result for a side of the pad @param x what of the pad comes to the middle */
function rendered(
  canvas: OffscreenCanvasRenderingContext2D,
  strokes: readonly Stroke[],
  scale: number,
  x: number,
  y: number,
): Pixels {
  const size = SIDE * SAMPLES;
  const zoom = scale * SAMPLES;
  canvas.setTransform(1, 0, 0, 1, 0, 0);
  canvas.fillStyle = "black";
  canvas.fillRect(0, 0, size, size);
  canvas.setTransform(zoom, 0, 0, zoom, size / 2 - x * zoom, size / 2 - y * zoom);
  canvas.strokeStyle = "white";
  drawStrokes(canvas, strokes, PEN / scale);
  const { data } = canvas.getImageData(0, 0, size, size);
  const pixels = new Uint8ClampedArray(4 * SIDE * SIDE).fill(255);
  for (let i = 0; i < SIDE * SIDE; i++) {
    let sum = 0;
    for (let sample = 0; sample < SAMPLES * SAMPLES; sample++) {
      const across = (i % SIDE) * SAMPLES + (sample % SAMPLES);
      const down = Math.floor(i / SIDE) * SAMPLES + Math.floor(sample / SAMPLES);
      sum += data[4 * (down * size + across)];
    }
    pixels.fill(sum / SAMPLES ** 2, 4 * i, 4 * i + 3);
  }
  return { width: SIDE, height: SIDE, data: pixels };
}

/** In pixels, of the light. */
function centreOf({ data }: Pixels): Point {
  let [mass, x, y] = [0, 0, 0];
  for (let i = 0; i < SIDE * SIDE; i++) {
    mass += data[4 * i];
    x += data[4 * i] * ((i % SIDE) + 0.5);
    y += data[4 * i] * (Math.floor(i / SIDE) + 0.5);
  }
  return mass > 0 ? [x / mass, y / mass] : [SIDE / 2, SIDE / 2];
}
