/** The room that looks at pictures: any net that classifies them, on a photo or through the camera. */
import "./look.css";
import digitUrl from "../../examples/digit.png?url";
import lenet5Url from "../../models/lenet5.mote?url";
import { bars, bytesText, countText, fact, html, median, timeText } from "../dom.js";
import { openCamera, type Camera } from "./camera.js";
import type { Answer, Net, Question, Sight } from "./protocol.js";

/** What a host may serve beside the page. */
const SERVED = new URL("models/squeezenet.mote", document.baseURI).href;
/** Pixels of a side of what is shown of a picture. */
const VIEW = 640;
/** Runs of one photo, for its time, and how many times count. */
const TIMES = 5;
const COUNTED = 15;
/** After which a worker that does not answer is given up. */
const PATIENCE_MS = 30_000;
/** Pixels of a line of the camera while it looks for a code, which has up to 185 modules with its quiet zone. */
const SCAN_WIDTH = 1920;
const NO_NET = "No net is open.";
/** What a net is called that the camera has read. */
const SCANNED = "The scanned net";
/** A screen reader is told what the camera has seen for so long. */
const STEADY_MS = 1200;

/** @param root is filled @returns what leaves the room */
export function mount(root: HTMLElement): () => void {
  let worker: Worker | undefined;
  let patience = 0;
  let steady = 0;
  let net: Net | undefined;
  /** What is said of it. */
  let told = NO_NET;
  let picture: ImageBitmap | undefined;
  let pictureName = "";
  let camera: Camera | undefined;
  let isOpen = true;
  let isBusy = false;
  /** What the worker looks at: by the time that it answers something else may be shown. */
  let asked: Camera | ImageBitmap | undefined;
  /** Of what takes time to come the last that was wished for counts. */
  const wishes = { net: 0, picture: 0, camera: 0 };
  /** Whether the camera looks for a net's code. */
  let isScanning = false;
  let times: number[] = [];

  const problem = html("p", { class: "notice bad", role: "alert", hidden: "" });
  const spoken = html("p", { class: "hidden-text", role: "status" });
  const netLine = html("p", { class: "net" }, "Asking this host for a net …");
  const view = html("canvas", {
    class: "view",
    width: VIEW,
    height: (VIEW * 3) / 4,
    role: "img",
    "aria-label": "No picture yet",
  });
  const given = html("canvas", {
    class: "given",
    width: 1,
    height: 1,
    role: "img",
    "aria-label": "What the net is given",
  });
  const hint = html("p", { class: "hint" }, "Drop, paste or choose a photo");
  const verdict = bars("What the picture shows", "Class");
  const best = html("p", { class: "answer" });
  const doubts = html("p", { class: "muted small" });
  const button = (text: string, kind = ""): HTMLButtonElement =>
    html("button", { type: "button", class: `button ${kind}` }, text);
  const choosePicture = button("Choose a photo", "first");
  const useCamera = button("Use the camera");
  const chooseNet = button("Choose a net");
  const scanCode = button("Scan a net's code");
  const chooseCode = button("Choose a picture of a code");
  const tryDigits = button("Try the net that reads digits");
  const pictureFile = html("input", { type: "file", accept: "image/*", hidden: "", "aria-label": "Photo" });
  const netFile = html("input", { type: "file", accept: ".mote,.wasm", hidden: "", "aria-label": "Net" });
  const codeFile = html("input", { type: "file", accept: "image/*", hidden: "", "aria-label": "Picture of a code" });
  const values = ["Time a picture", "Memory of the net", "The net's file", "It is given"].map((name) =>
    fact(name, "–"),
  );
  const factList = html("dl", { class: "facts", hidden: "" }, ...values.map(({ element }) => element));
  const seen = html(
    "section",
    { class: "seen", "aria-label": "What it shows", hidden: "" },
    html("div", { class: "top" }, given, best),
    verdict.element,
    doubts,
  );
  root.append(
    html(
      "div",
      { class: "intro" },
      html("h1", {}, "Look at a picture"),
      html(
        "p",
        {},
        "A net on this device says what is in a photo, or in what the camera sees. The picture goes nowhere.",
      ),
    ),
    problem,
    html(
      "div",
      { class: "gaze" },
      html(
        "section",
        { "aria-label": "Picture" },
        html("div", { class: "stage" }, view, hint),
        html("div", { class: "row" }, choosePicture, useCamera, pictureFile),
      ),
      html(
        "div",
        { class: "beside" },
        spoken,
        seen,
        html(
          "section",
          { class: "panel nets", "aria-labelledby": "nets" },
          html("h2", { id: "nets" }, "The net"),
          netLine,
          html("div", { class: "row" }, chooseNet, scanCode, chooseCode, tryDigits, netFile, codeFile),
          factList,
        ),
      ),
    ),
  );

  const fail = (message: string): void => {
    // Who hears it hears it once.
    if (!problem.hidden && problem.textContent === message) return;
    problem.hidden = false;
    problem.textContent = message;
  };
  const endCamera = (): void => {
    wishes.camera++;
    if (camera === undefined) return;
    camera.stop();
    camera = undefined;
    useCamera.textContent = "Use the camera";
    scanCode.textContent = "Scan a net's code";
    if (isScanning) netLine.textContent = told;
    isScanning = false;
    showPicture();
    void look();
  };
  const ask = (question: Question): void => {
    worker ??= startWorker();
    clearTimeout(patience);
    worker.postMessage(question, question.kind === "open" ? [] : [question.picture]);
    // How long a network takes is nobody's fault.
    if (question.kind === "open" && typeof question.source === "string") return;
    patience = window.setTimeout(() => {
      endWorker();
      if (camera !== undefined) endCamera();
      fail(`There was no answer for ${PATIENCE_MS / 1000} seconds: the net was closed.`);
      netLine.textContent = told;
    }, PATIENCE_MS);
  };
  const endWorker = (): void => {
    clearTimeout(patience);
    worker?.terminate();
    worker = net = undefined;
    told = NO_NET;
    isBusy = false;
    clearTimeout(steady);
    factList.hidden = seen.hidden = true;
  };
  const startWorker = (): Worker => {
    const started = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    started.addEventListener("message", ({ data }: MessageEvent<Answer>) => take(data));
    started.addEventListener("error", (event) => {
      endWorker();
      fail(`The net could not be started: ${event.message}`);
    });
    return started;
  };

  function take(reply: Answer): void {
    clearTimeout(patience);
    if (reply.kind === "absent") {
      told =
        "This host serves no net for photos. Choose one that you have, a .mote file that classifies pictures; or see how it works with the one that reads digits.";
      if (!isScanning) netLine.textContent = told;
      return;
    }
    if (reply.kind === "unread") {
      isBusy = false;
      if (camera !== undefined) nextLook();
      else if (reply.name !== SCANNED) {
        fail(`No QR code can be read in ${reply.name}. Choose a sharp picture that shows little else.`);
        netLine.textContent = told;
      }
      return;
    }
    if (reply.kind === "failed") {
      const isLook = isBusy && !isScanning;
      isBusy = false;
      if (isLook && !isAsked()) return nextLook();
      fail(`That does not work: ${reply.message}.`);
      if (isLook) seen.hidden = true;
      // The next picture of a film may be another.
      if (camera !== undefined && isLook) return nextLook();
      if (camera !== undefined) endCamera();
      netLine.textContent = told;
      return;
    }
    if (reply.kind === "opened") {
      problem.hidden = true;
      // The host's own may come meanwhile.
      const isScanned = isScanning && reply.net.name === SCANNED;
      if (isScanned) {
        isBusy = false;
        endCamera();
      }
      net = reply.net;
      times = [];
      const [channels, height, width] = net.shape;
      const advice =
        net.isNamed || net.classes <= 10 ? "" : " It has no names for them, which mote pack --labels gives it.";
      told = `${net.name} tells ${countText(net.classes)} classes apart.${advice}`;
      if (!isScanning) netLine.textContent = told;
      if (isScanned) spoken.textContent = told;
      factList.hidden = false;
      seen.hidden = true;
      const facts = [
        "–",
        bytesText(net.memoryBytes),
        bytesText(net.fileBytes),
        `${height} × ${width}, ${channels === 1 ? "grey" : "colour"}`,
      ];
      facts.forEach((text, i) => (values[i].value.textContent = text));
      void look();
      return;
    }
    isBusy = false;
    if (isAsked()) show(reply.sight);
    if (camera !== undefined || !isAsked()) nextLook();
  }

  /** Whether the worker looks, or has looked, at what is shown. */
  const isAsked = (): boolean => asked === (camera ?? picture);
  const nextLook = (): void => void requestAnimationFrame(() => void look());

  function show(sight: Sight): void {
    problem.hidden = true;
    times = [...times, ...sight.runs].slice(-COUNTED);
    values[0].value.textContent = timeText(median(times));
    verdict.show(sight.best);
    const { name, share } = sight.best[0];
    const isNew = best.textContent !== name;
    best.textContent = name;
    doubts.textContent = sight.doubts.length > 0 ? `It may be wrong: ${sight.doubts.join(", ")}.` : "";
    seen.hidden = false;
    given.width = sight.given.width;
    given.height = sight.given.height;
    given.getContext("2d")!.putImageData(sight.given, 0, 0);
    if (!isNew && camera !== undefined) return;
    clearTimeout(steady);
    steady = window.setTimeout(
      () => (spoken.textContent = `${name}, ${Math.round(100 * share)} per cent.`),
      camera === undefined ? 0 : STEADY_MS,
    );
  }

  /** The photo, or what the camera sees now. */
  async function look(): Promise<void> {
    if (camera !== undefined && camera.video.videoWidth > 0) {
      paint(camera.video, camera.video.videoWidth, camera.video.videoHeight);
      if (isBusy) return;
      if (net === undefined && !isScanning) nextLook();
      else await askOf(camera, camera.video, 1);
    } else if (picture !== undefined && net !== undefined && !isBusy) await askOf(picture, picture, TIMES);
  }

  async function askOf(subject: Camera | ImageBitmap, image: ImageBitmapSource, count: number): Promise<void> {
    isBusy = true;
    asked = subject;
    const copy = await createImageBitmap(image);
    // The room may have been left, or the net changed.
    if (isOpen && isScanning) ask({ kind: "scan", picture: copy, name: SCANNED, isFilm: true });
    else if (isOpen && net !== undefined) ask({ kind: "look", picture: copy, times: count });
    else isBusy = false;
  }

  function paint(image: CanvasImageSource, width: number, height: number): void {
    const scale = VIEW / Math.max(width, height);
    view.width = Math.max(1, Math.round(width * scale));
    view.height = Math.max(1, Math.round(height * scale));
    view.classList.toggle("coarse", scale > 4);
    const canvas = view.getContext("2d")!;
    canvas.imageSmoothingEnabled = scale <= 4;
    canvas.imageSmoothingQuality = "high";
    canvas.drawImage(image, 0, 0, view.width, view.height);
    hint.hidden = true;
  }

  async function takePicture(file: Blob, name: string): Promise<void> {
    endCamera();
    const wish = ++wishes.picture;
    const bitmap = await bitmapOf(file, name);
    if (bitmap === undefined) return;
    if (!isOpen || wish !== wishes.picture) return bitmap.close();
    picture?.close();
    picture = bitmap;
    pictureName = name;
    problem.hidden = true;
    showPicture();
    await look();
  }

  /** @returns undefined, and says so, where it is none */
  async function bitmapOf(file: Blob, name: string): Promise<ImageBitmap | undefined> {
    try {
      return await createImageBitmap(file);
    } catch {
      fail(`${name} is no picture that this browser can read.`);
      return undefined;
    }
  }

  /** Of the camera nothing stays. */
  function showPicture(): void {
    clearTimeout(steady);
    seen.hidden = true;
    if (picture !== undefined) paint(picture, picture.width, picture.height);
    else view.getContext("2d")!.clearRect(0, 0, view.width, view.height);
    hint.hidden = picture !== undefined;
    view.setAttribute("aria-label", picture === undefined ? "No picture yet" : `The picture ${pictureName}`);
  }

  async function takeCode(file: File): Promise<void> {
    const wish = ++wishes.net;
    const bitmap = await bitmapOf(file, file.name);
    if (bitmap === undefined) return;
    if (!isOpen || wish !== wishes.net) return bitmap.close();
    endCamera();
    endWorker();
    netLine.textContent = `Reading the code in ${file.name} …`;
    ask({ kind: "scan", picture: bitmap, name: file.name, isFilm: false });
  }

  function takeNet(file: File): void {
    wishes.net++;
    // The net before may still be at work on something endless.
    endWorker();
    netLine.textContent = `Opening ${file.name} …`;
    ask({ kind: "open", source: file });
  }

  const takeFiles = (files: Iterable<File>): void => {
    for (const file of files) {
      if (/\.(mote|wasm)$/i.test(file.name)) takeNet(file);
      else void takePicture(file, file.name);
    }
  };
  const chosen = (input: HTMLInputElement): void => {
    takeFiles(input.files ?? []);
    // The same file may be chosen again.
    input.value = "";
  };
  choosePicture.addEventListener("click", () => pictureFile.click());
  chooseNet.addEventListener("click", () => netFile.click());
  chooseCode.addEventListener("click", () => codeFile.click());
  pictureFile.addEventListener("change", () => chosen(pictureFile));
  netFile.addEventListener("change", () => {
    for (const file of netFile.files ?? []) takeNet(file);
    netFile.value = "";
  });
  codeFile.addEventListener("change", () => {
    for (const file of codeFile.files ?? []) void takeCode(file);
    codeFile.value = "";
  });
  tryDigits.addEventListener("click", () => {
    const [ofNet, ofPicture] = [++wishes.net, ++wishes.picture];
    const load = async (): Promise<void> => {
      const [model, digit] = await Promise.all([lenet5Url, digitUrl].map(async (url) => (await fetch(url)).blob()));
      if (!isOpen) return;
      if (ofNet === wishes.net) takeNet(new File([model], "lenet5.mote"));
      if (ofPicture === wishes.picture) await takePicture(digit, "of a digit");
    };
    load().catch((error: Error) => fail(`The net could not be loaded: ${error.message}.`));
  });
  /** @param toScan whether it looks for a net's code, not for what the net tells apart */
  const film = async (toScan: boolean): Promise<void> => {
    endCamera();
    const wish = wishes.camera;
    const ended = (): void => {
      if (wish !== wishes.camera) return;
      endCamera();
      fail("The camera has ended.");
    };
    const opened = await openCamera(ended, toScan ? SCAN_WIDTH : undefined);
    if (!isOpen || wish !== wishes.camera) return opened.stop();
    camera = opened;
    isScanning = toScan;
    if (toScan) scanCode.textContent = "Stop scanning";
    else useCamera.textContent = "Stop the camera";
    view.setAttribute("aria-label", "What the camera sees");
    problem.hidden = true;
    if (toScan) {
      netLine.textContent = spoken.textContent = "Hold the code still before the camera, so that it fills the picture.";
    }
    times = [];
    await look();
  };
  for (const [control, toScan] of [
    [useCamera, false],
    [scanCode, true],
  ] as const) {
    control.addEventListener("click", () => {
      if (camera !== undefined && isScanning === toScan) endCamera();
      else film(toScan).catch((error: Error) => fail(error.message));
    });
  }
  const onDrop = (event: DragEvent): void => {
    event.preventDefault();
    root.classList.toggle("over", event.type === "dragover");
    if (event.type === "drop") takeFiles(event.dataTransfer?.files ?? []);
  };
  const onPaste = (event: ClipboardEvent): void => takeFiles(event.clipboardData?.files ?? []);
  for (const name of ["dragover", "dragleave", "drop"] as const) root.addEventListener(name, onDrop);
  addEventListener("paste", onPaste);
  ask({ kind: "open", source: SERVED });
  return () => {
    isOpen = false;
    clearTimeout(steady);
    endCamera();
    endWorker();
    picture?.close();
    root.classList.remove("over");
    for (const name of ["dragover", "dragleave", "drop"] as const) root.removeEventListener(name, onDrop);
    removeEventListener("paste", onPaste);
  };
}
