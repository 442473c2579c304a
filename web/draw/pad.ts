/** The pad: draws what a mouse, a finger or a pen does, and takes it back. */
import { colour } from "../theme.js";
import { html } from "../dom.js";
import { drawStrokes, type Point, type Stroke } from "./strokes.js";

export interface Pad {
  readonly element: HTMLCanvasElement;
  readonly strokes: readonly Stroke[];
  /** Takes the last stroke back. */
  undo(): void;
  clear(): void;
  /** Writes strokes onto an empty pad, as a hand does, or at once. They make room for what is drawn next. */
  write(strokes: readonly Stroke[], isAtOnce: boolean): void;
  /** Draws all of it again. */
  paint(): void;
  close(): void;
}

/** Pixels of a side, whatever the pad takes on the screen. */
const RESOLUTION = 720;
/** Of the pad. */
const PEN = 0.055;
/** Milliseconds in which a digit is written. */
const WRITING_MS = 650;

/** @param onChange is told after each change, and whether a stroke has ended with it */
export function padOf(label: string, onChange: (isDone: boolean) => void): Pad {
  const element = html("canvas", {
    class: "pad",
    width: RESOLUTION,
    height: RESOLUTION,
    tabindex: 0,
    role: "img",
    "aria-label": label,
  });
  const canvas = element.getContext("2d")!;
  let strokes: Stroke[] = [];
  let drawing: { readonly pointer: number; readonly points: Point[] } | undefined;
  let writing = 0;
  let isWritten = false;

  const paint = (): void => {
    canvas.setTransform(1, 0, 0, 1, 0, 0);
    canvas.fillStyle = colour("--slate");
    canvas.fillRect(0, 0, RESOLUTION, RESOLUTION);
    canvas.setTransform(RESOLUTION, 0, 0, RESOLUTION, 0, 0);
    canvas.strokeStyle = colour("--chalk");
    drawStrokes(canvas, strokes, PEN);
  };
  const change = (isDone: boolean): void => {
    paint();
    onChange(isDone);
  };
  const stop = (): void => {
    cancelAnimationFrame(writing);
    drawing = undefined;
  };
  const pointOf = ({ clientX, clientY }: MouseEvent): Point => {
    const { left, top, width, height } = element.getBoundingClientRect();
    const within = (value: number): number => Math.min(Math.max(value, 0), 1);
    return [within((clientX - left) / width), within((clientY - top) / height)];
  };

  element.addEventListener("pointerdown", (event) => {
    // A second finger draws nothing, nor does another button.
    if (drawing !== undefined || event.button !== 0) return;
    stop();
    element.setPointerCapture(event.pointerId);
    drawing = { pointer: event.pointerId, points: [pointOf(event)] };
    // Who draws does not want what was written for them.
    strokes = isWritten ? [drawing.points] : [...strokes, drawing.points];
    isWritten = false;
    change(false);
  });
  element.addEventListener("pointermove", (event) => {
    if (drawing?.pointer !== event.pointerId) return;
    const events = event.getCoalescedEvents?.() ?? [];
    drawing.points.push(...(events.length > 0 ? events : [event]).map(pointOf));
    change(false);
  });
  for (const name of ["pointerup", "pointercancel"] as const) {
    element.addEventListener(name, (event) => {
      if (drawing?.pointer !== event.pointerId) return;
      drawing = undefined;
      change(true);
    });
  }
  return {
    element,
    get strokes() {
      return strokes;
    },
    undo: () => {
      stop();
      strokes = strokes.slice(0, -1);
      change(true);
    },
    clear: () => {
      stop();
      isWritten = false;
      strokes = [];
      change(true);
    },
    write: (whole, isAtOnce) => {
      stop();
      isWritten = true;
      const count = whole.reduce((sum, stroke) => sum + stroke.length, 0);
      const began = performance.now();
      const go = (): void => {
        const share = isAtOnce ? 1 : Math.min((performance.now() - began) / WRITING_MS, 1);
        let left = Math.max(1, Math.round(share * count));
        strokes = whole.flatMap((stroke) => {
          const part = stroke.slice(0, left);
          left = Math.max(0, left - stroke.length);
          return part.length > 0 ? [part] : [];
        });
        if (share < 1) writing = requestAnimationFrame(go);
        change(share === 1);
      };
      go();
    },
    paint,
    close: stop,
  };
}
