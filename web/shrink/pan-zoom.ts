/** Moves and scales a picture in a window: by pointer, wheel, two fingers, keys and buttons. */

interface View {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

const [LEAST_SCALE, MOST_SCALE] = [0.05, 4];
const STEP = 1.25;
const MOVE = 64;
/** A pointer that moves less is a click. */
const CLICK_PIXELS = 5;

export class PanZoom {
  private view: View = { x: 0, y: 0, scale: 1 };
  private readonly pointers = new Map<number, { x: number; y: number }>();
  /** Pixels that pointers have moved since the first came down. */
  private moved = 0;

  /**
   * @param viewport that has the focus for keys
   * @param size of the picture
   * @param apply takes the picture's place: where its corner is, and its scale
   */
  constructor(
    private readonly viewport: HTMLElement,
    private readonly size: { readonly width: number; readonly height: number },
    private readonly apply: (view: View) => void,
  ) {
    viewport.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    viewport.addEventListener("pointerdown", (event) => this.onDown(event));
    viewport.addEventListener("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel"] as const) {
      viewport.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    }
    viewport.addEventListener("keydown", (event) => {
      if (event.target === viewport) this.onKey(event);
    });
  }

  /** Whether the pointer has moved the picture, so that its release is no click. */
  get hasMoved(): boolean {
    return this.moved > CLICK_PIXELS;
  }

  /** All of the picture. */
  fit(): void {
    const { clientWidth, clientHeight } = this.viewport;
    const scale = Math.min(1, clientWidth / this.size.width, clientHeight / this.size.height);
    this.set({
      x: (clientWidth - scale * this.size.width) / 2,
      y: (clientHeight - scale * this.size.height) / 2,
      scale,
    });
  }

  /** Its top, as large as it can be read where the width allows. */
  start(): void {
    const { clientWidth, clientHeight } = this.viewport;
    const wide = Math.min(1, clientWidth / this.size.width);
    const scale = Math.max(wide, Math.min(1, clientHeight / this.size.height));
    const isWhole = scale * this.size.height <= clientHeight;
    this.set({
      x: (clientWidth - scale * this.size.width) / 2,
      y: isWhole ? (clientHeight - scale * this.size.height) / 2 : 0,
      scale,
    });
  }

  /** Around the middle of the window, or a point of it. */
  zoom(factor: number, at?: { readonly x: number; readonly y: number }): void {
    const { x, y } = at ?? { x: this.viewport.clientWidth / 2, y: this.viewport.clientHeight / 2 };
    const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, this.view.scale * factor));
    const by = scale / this.view.scale;
    this.set({ x: x - by * (x - this.view.x), y: y - by * (y - this.view.y), scale });
  }

  zoomIn(): void {
    this.zoom(STEP);
  }

  zoomOut(): void {
    this.zoom(1 / STEP);
  }

  /** Brings a part of the picture into the window, moving no more than that takes. */
  reveal(part: { readonly x: number; readonly y: number; readonly width: number; readonly height: number }): void {
    const { scale, x, y } = this.view;
    const { clientWidth, clientHeight } = this.viewport;
    const move = (from: number, length: number, room: number): number => {
      const margin = Math.min(24, Math.max(0, (room - length) / 2));
      if (from < margin) return margin - from;
      return from + length > room - margin ? Math.max(margin - from, room - margin - from - length) : 0;
    };
    const right = move(x + scale * part.x, scale * part.width, clientWidth);
    const down = move(y + scale * part.y, scale * part.height, clientHeight);
    this.set({ scale, x: x + right, y: y + down });
  }

  private set(view: View): void {
    this.view = view;
    this.apply(view);
  }

  private place({ clientX, clientY }: MouseEvent): { x: number; y: number } {
    const { left, top } = this.viewport.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  /** With a key, or by two fingers on a pad, always; else once the window has the focus, so that the page can be scrolled past it. */
  private onWheel(event: WheelEvent): void {
    const isMeant = event.ctrlKey || event.metaKey || event.shiftKey;
    if (!isMeant && !this.viewport.contains(document.activeElement)) return;
    event.preventDefault();
    const delta = event.deltaY === 0 ? event.deltaX : event.deltaY;
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 * delta : delta;
    this.zoom(Math.exp(-Math.max(-240, Math.min(240, pixels)) / (event.ctrlKey ? 100 : 400)), this.place(event));
  }

  private onDown(event: PointerEvent): void {
    if (event.button !== 0) return;
    if (this.pointers.size === 0) this.moved = 0;
    this.pointers.set(event.pointerId, this.place(event));
  }

  private onMove(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    if (before === undefined) return;
    const now = this.place(event);
    this.moved += Math.hypot(now.x - before.x, now.y - before.y);
    // From now on the picture gets what happens outside as well, and no box a click.
    if (this.hasMoved) this.viewport.setPointerCapture(event.pointerId);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other === undefined) {
      this.set({ ...this.view, x: this.view.x + now.x - before.x, y: this.view.y + now.y - before.y });
    } else {
      const distance = (point: { x: number; y: number }): number => Math.hypot(point.x - other.x, point.y - other.y);
      this.zoom(distance(now) / Math.max(1, distance(before)), {
        x: (now.x + other.x) / 2,
        y: (now.y + other.y) / 2,
      });
    }
    this.pointers.set(event.pointerId, now);
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [MOVE, 0],
      ArrowRight: [-MOVE, 0],
      ArrowUp: [0, MOVE],
      ArrowDown: [0, -MOVE],
    };
    const { key } = event;
    if (key === "+" || key === "=") this.zoomIn();
    else if (key === "-") this.zoomOut();
    else if (key === "0") this.fit();
    else if (key === "Home") this.start();
    else if (Object.hasOwn(moves, key)) {
      this.set({ ...this.view, x: this.view.x + moves[key][0], y: this.view.y + moves[key][1] });
    } else return;
    event.preventDefault();
  }
}
