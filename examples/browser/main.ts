/// <reference types="vite/client" />
/** Says which digit is drawn on a canvas, stroke by stroke. It begins with a picture. */
import { openModel } from "mote-nn";
import modelUrl from "../../models/lenet5.mote?url";
import digitUrl from "../digit.png?url";

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const canvas = element<HTMLCanvasElement>("picture");
const pen = canvas.getContext("2d", { willReadFrequently: true })!;
const model = await openModel(fetch(modelUrl));

function show(): void {
  const [best, next] = model.classify(pen.getImageData(0, 0, canvas.width, canvas.height));
  const percent = (probability: number): string => `${(100 * probability).toFixed(1)} %`;
  element("class").textContent =
    `${best.label}, ${percent(best.probability)}; else ${next.label}, ${percent(next.probability)}`;
}

const picture = new Image();
picture.src = digitUrl;
await picture.decode();
pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
show();

// White on black, as the digits were on which the model was trained, and as thick.
pen.strokeStyle = "white";
pen.lineWidth = 22;
pen.lineCap = "round";

canvas.addEventListener("pointerdown", ({ offsetX, offsetY }) => {
  pen.beginPath();
  pen.moveTo(offsetX, offsetY);
});
canvas.addEventListener("pointermove", ({ buttons, offsetX, offsetY }) => {
  if (buttons === 0) return;
  pen.lineTo(offsetX, offsetY);
  pen.stroke();
  show();
});
element("clear").addEventListener("click", () => {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  show();
});
