/** The room that reads digits: what is drawn goes through LeNet-5 with each movement of the pen, and what the net makes of it is shown. */
import "./draw.css";
import modelUrl from "../../models/lenet5.mote?url";
import { openModel, type Model } from "../../runtime/index.js";
import { bars, bytesText, fact, html, median, timeText } from "../dom.js";
import { onTheme } from "../theme.js";
import { comparison } from "./comparison.js";
import { strokesOf } from "./digits.js";
import { layerPictures, type Seen } from "./layers.js";
import { watchLoaded } from "./loaded.js";
import { padOf } from "./pad.js";
import { pictureOf, SIDE } from "./strokes.js";

/** Of the net before it was made small, as float32. */
const FLOAT_BYTES = 1_724_320;
const LAYERS = [
  "What the net is given",
  "Convolution, pooled",
  "Convolution, pooled",
  "Dense",
  "Dense: the ten digits",
];
const FIRST_DIGIT = 7;
/** Runs that one measurement takes together, since clocks of browsers are coarse, and how many measurements count. */
const BATCH = 20;
const MEASUREMENTS = 31;
/** After the last change, before a screen reader is told. */
const QUIET_MS = 600;
/** When the first digit has been read: a mark for `performance`. */
const FIRST_MARK = "mote-first-digit";

/** @param root is filled @returns what leaves the room */
export function mount(root: HTMLElement): () => void {
  let model: Model | undefined;
  let frame = 0;
  let quiet = 0;
  let isOpen = true;
  const times: number[] = [];

  const pad = padOf(
    "Drawing pad. With the pad in focus, keys 0 to 9 write a digit, Backspace takes a stroke back, Delete clears.",
    (isDone) => {
      if (isDone) read();
      else schedule();
    },
  );
  const undo = html("button", { type: "button", class: "button" }, "Undo");
  const clear = html("button", { type: "button", class: "button" }, "Clear");
  const samples = Array.from({ length: 10 }, (_, digit) =>
    html("button", { type: "button", class: "button sample", "aria-label": `Write a ${digit}` }, String(digit)),
  );
  const digit = html("div", { class: "digit", "aria-hidden": "true" });
  const spoken = html("p", { class: "hidden-text", role: "status" });
  const probabilities = bars("How probable each digit is", "Digit");
  const layers = layerPictures(LAYERS);
  const time = fact("Time a digit");
  const memory = fact("Memory of the net");
  const size = fact("The net");
  const loaded = fact("This page, so far");
  const problem = html("p", { class: "notice bad", role: "alert", hidden: "" });

  const padPanel = html(
    "section",
    { class: "drawing", "aria-label": "Drawing" },
    html("div", { class: "sheet" }, pad.element),
    html("div", { class: "row tools" }, undo, clear),
    html("p", { class: "muted small" }, "Draw in the square, or have a digit written:"),
    html("div", { class: "samples", role: "group", "aria-label": "Digits to write" }, ...samples),
  );
  const intro = html(
    "p",
    {},
    "LeNet-5, made small by pruning, sharing and coding, reads it at every movement of the pen.",
  );
  root.append(
    html("div", { class: "intro" }, html("h1", {}, "Draw a digit"), intro),
    problem,
    html(
      "div",
      { class: "desk" },
      padPanel,
      html("section", { class: "verdict", "aria-label": "What it is" }, digit, probabilities.element, spoken),
      html(
        "section",
        { class: "inside", "aria-labelledby": "inside" },
        html("h2", { id: "inside" }, "What each layer sees"),
        html("p", { class: "muted small" }, "Warm is more than usual in a picture, cool is less."),
        layers.element,
      ),
    ),
    html("dl", { class: "facts panel" }, time.element, memory.element, size.element, loaded.element),
  );

  function read(): void {
    cancelAnimationFrame(frame);
    frame = 0;
    const isEmpty = pad.strokes.length === 0;
    // A button that can no longer be pressed would take the focus along, and with it the keys.
    if (isEmpty && [undo, clear].some((button) => button === document.activeElement)) {
      pad.element.focus({ preventScroll: true });
    }
    undo.disabled = clear.disabled = isEmpty;
    clearTimeout(quiet);
    if (model === undefined) return;
    if (isEmpty) {
      blank();
      return;
    }
    const { inputs } = model;
    const picture = pictureOf(pad.strokes);
    const pixels = picture.data.filter((_, i) => i % 4 === 0);
    const tensors: Seen[] = [{ shape: inputs[0].shape, elements: pixels }];
    const predictions = model.classify(picture, (_, elements, shape) => tensors.push({ shape, elements }));
    const [best] = predictions;
    digit.textContent = best.label;
    probabilities.show(
      predictions
        .toSorted((a, b) => a.index - b.index)
        .map(({ label, probability }) => ({ name: label, share: probability })),
    );
    layers.show(tensors);
    root.dataset.digit = best.label;
    quiet = window.setTimeout(() => {
      spoken.textContent = `It looks like a ${best.label}, ${Math.round(100 * best.probability)} per cent.`;
      measure(inputs[0].shape.reduce((product, side) => product * side));
    }, QUIET_MS);
  }

  function schedule(): void {
    if (frame === 0) frame = requestAnimationFrame(read);
  }

  function blank(): void {
    digit.textContent = "";
    delete root.dataset.digit;
    spoken.textContent = "The pad is empty.";
    probabilities.show(Array.from({ length: 10 }, (_, i) => ({ name: String(i), share: 0 })));
    layers.show([{ shape: model!.inputs[0].shape, elements: new Uint8Array(SIDE * SIDE) }]);
  }

  /** While nobody draws. */
  function measure(elements: number): void {
    const input = new Int8Array(elements).fill(-128);
    const began = performance.now();
    for (let i = 0; i < BATCH; i++) model?.run(input);
    times.push((performance.now() - began) / BATCH);
    if (times.length > MEASUREMENTS) times.shift();
    time.value.textContent = timeText(median(times));
    if (isOpen && times.length < MEASUREMENTS) quiet = window.setTimeout(() => measure(elements), 0);
  }

  const write = (which: number): void => {
    pad.write(strokesOf(which), matchMedia("(prefers-reduced-motion: reduce)").matches);
  };
  undo.addEventListener("click", () => pad.undo());
  clear.addEventListener("click", () => pad.clear());
  samples.forEach((button, which) => button.addEventListener("click", () => write(which)));
  padPanel.addEventListener("keydown", (event) => {
    const { key, ctrlKey, metaKey, altKey } = event;
    if ((ctrlKey || metaKey) && key.toLowerCase() === "z") pad.undo();
    else if (ctrlKey || metaKey || altKey) return;
    else if (key === "Backspace") pad.undo();
    else if (key === "Delete" || key === "Escape") pad.clear();
    else if (/^\d$/.test(key)) write(Number(key));
    else return;
    event.preventDefault();
  });

  const open = async (): Promise<void> => {
    const response = await fetch(modelUrl);
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const bytes = await response.arrayBuffer();
    // The smallest engine is quick enough for it.
    const opened = await openModel(bytes, { engine: "core" });
    if (!isOpen) return opened.close();
    model = opened;
    intro.textContent = `LeNet-5 in ${bytesText(bytes.byteLength)}, ${Math.round(FLOAT_BYTES / bytes.byteLength)} times smaller than its float32 weights, reads it at every movement of the pen.`;
    size.value.textContent = bytesText(bytes.byteLength);
    memory.value.textContent = bytesText(model.memoryBytes);
    pad.write(strokesOf(FIRST_DIGIT), true);
    performance.mark(FIRST_MARK);
    // The digits are read without it.
    const picture = await comparison().catch(() => undefined);
    if (isOpen && picture) root.append(picture);
  };
  open().catch((error: Error) => {
    problem.hidden = false;
    problem.textContent = `The net could not be opened: ${error.message}.`;
  });
  pad.paint();
  const unwatch = [
    watchLoaded((bytes) => (loaded.value.textContent = bytesText(bytes))),
    onTheme(() => {
      pad.paint();
      read();
    }),
  ];
  return () => {
    isOpen = false;
    clearTimeout(quiet);
    cancelAnimationFrame(frame);
    pad.close();
    model?.close();
    model = undefined;
    for (const end of unwatch) end();
  };
}
