/** Opens nets and runs them on pictures, apart from the page, which stays quick whatever a net takes. */
import type { Picture } from "../../host/data/plane.js";
import { openModel, type Model, type Prediction } from "../../runtime/simd.js";
import type { Answer, Question, Scan } from "./protocol.js";
import { expectClassifier, fit } from "./see.js";

/** Bytes of a file that is read at all; nets for photos have a few hundred thousand to some millions. */
const MAX_FILE_BYTES = 1 << 28;
/** Pixels of a side: what is larger is made smaller first. */
const MAX_SIDE = 2048;
/** After which a picture is not run once more. */
const TIMING_MS = 200;
/** Classes that are shown. */
const SHOWN = 5;

const answer = (message: Answer): void => postMessage(message);
let model: Model | undefined;
/** Pictures of a film that were looked through for a code, each in another way. */
let scans = 0;

addEventListener("message", ({ data }: MessageEvent<Question>) => {
  const work = (): Promise<void> => {
    if (data.kind === "open") return open(data.source);
    return data.kind === "scan" ? scan(data) : look(data.picture, data.times);
  };
  work().catch((error: Error) => answer({ kind: "failed", message: error.message }));
});

async function open(source: File | string): Promise<void> {
  let file: Blob | undefined;
  if (typeof source === "string") file = await served(source);
  else file = source;
  if (file === undefined) return answer({ kind: "absent" });
  if (file.size > MAX_FILE_BYTES) {
    throw new Error(`the file has ${file.size} bytes; expected at most ${MAX_FILE_BYTES}`);
  }
  const opened = await openModel(file);
  expectClassifier(opened);
  model?.close();
  model = opened;
  const name = typeof source === "string" ? source.replace(/.*\//, "") : source.name;
  const { inputs, outputs, memoryBytes } = opened;
  const classes = outputs[0].shape.reduce((product, side) => product * side);
  const isNamed = outputs[0].labels !== undefined;
  answer({
    kind: "opened",
    net: { name, fileBytes: file.size, memoryBytes, shape: inputs[0].shape, classes, isNamed },
  });
}

/** A host that lacks it says so, or gives its page instead. */
async function served(address: string): Promise<Blob | undefined> {
  try {
    const response = await fetch(address);
    const isPage = response.headers.get("content-type")?.startsWith("text/html") === true;
    return response.ok && !isPage ? await response.blob() : undefined;
  } catch {
    return undefined;
  }
}

async function scan({ picture, name, isFilm }: Scan): Promise<void> {
  // The decoder is as large as the rest of the room: it comes when it is first asked for.
  const { decodeQr, expectModel } = await import("../../host/qr/decode.js");
  const bytes = decodeQr(pixelsOf(picture), isFilm ? scans++ : undefined);
  if (bytes === undefined) return answer({ kind: "unread", name });
  await open(new File([Uint8Array.from(expectModel(bytes, name))], name));
}

/** Closes the picture. */
function pixelsOf(picture: ImageBitmap): Picture {
  const scale = Math.min(1, MAX_SIDE / Math.max(picture.width, picture.height));
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  canvas.imageSmoothingQuality = "high";
  canvas.drawImage(picture, 0, 0, width, height);
  picture.close();
  return { width, height, rgba: new Uint8Array(canvas.getImageData(0, 0, width, height).data.buffer) };
}

async function look(picture: ImageBitmap, times: number): Promise<void> {
  if (model === undefined) throw new Error("no net is open");
  const { pixels, doubts } = fit(pixelsOf(picture), model.inputs[0]);
  const runs: number[] = [];
  let predictions: Prediction[];
  const first = performance.now();
  do {
    const began = performance.now();
    predictions = model.classify(pixels);
    runs.push(performance.now() - began);
  } while (runs.length < times && performance.now() - first < TIMING_MS);
  const best = predictions.slice(0, SHOWN).map(({ label, probability }) => ({ name: label, share: probability }));
  const given = new ImageData(new Uint8ClampedArray(pixels.data), pixels.width, pixels.height);
  answer({ kind: "looked", sight: { best, runs, given, doubts } });
}
