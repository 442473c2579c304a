/// <reference types="vite/client" />
/** Says which digit a finger draws, in the WebView of an app: page, runtime and model are among its assets, and nothing is loaded from elsewhere. */
import { openModel } from "mote-nn";
import modelUrl from "../../models/lenet5.mote?url";

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const canvas = element<HTMLCanvasElement>("picture");
const pen = canvas.getContext("2d", { willReadFrequently: true })!;
const model = await openModel(fetch(modelUrl));

// White on black, as the digits were on which the model was trained, and as thick.
pen.strokeStyle = "white";
pen.lineWidth = 22;
pen.lineCap = "round";

/** The canvas is as wide as the phone, and has its own pixels. */
function place({ offsetX, offsetY }: PointerEvent): [x: number, y: number] {
  return [(offsetX * canvas.width) / canvas.clientWidth, (offsetY * canvas.height) / canvas.clientHeight];
}

function draw(event: PointerEvent): void {
  pen.lineTo(...place(event));
  pen.stroke();
  const [{ label, probability }] = model.classify(pen.getImageData(0, 0, canvas.width, canvas.height));
  element("class").textContent = `${label}, ${(100 * probability).toFixed(1)} %`;
}

canvas.addEventListener("pointerdown", (event) => {
  pen.beginPath();
  pen.moveTo(...place(event));
  draw(event);
});
canvas.addEventListener("pointermove", (event) => {
  if (event.buttons !== 0) draw(event);
});
element("clear").addEventListener("click", () => {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  element("class").textContent = "Draw a digit";
});
