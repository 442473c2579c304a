/** The room that looks at pictures: any net that classifies them, on a photo or through the camera. */
import "./look.css";
import digitUrl from "../../examples/digit.png?url";
import lenet5Url from "../../models/lenet5.mote?url";
import { countText } from "../dom.js";
import { openCamera, type Camera } from "./camera.js";
import { PatientWorker } from "./patient-worker.js";
import type { Answer, Net, Sight } from "./protocol.js";
import { RoomView } from "./room-view.js";

/** What a host may serve beside the page. */
const SERVED = new URL("models/squeezenet.mote", document.baseURI).href;
/** Runs of one photo, for its time, and how many times count. */
const TIMES = 5;
const COUNTED = 15;
/** Pixels of a line of the camera while it looks for a code, which has up to 185 modules with its quiet zone. */
const SCAN_WIDTH = 1920;
const NO_NET = "No net is open.";
/** What a net is called that the camera has read. */
const SCANNED = "The scanned net";
/** A screen reader is told what the camera has seen for so long. */
const STEADY_MS = 1200;

/** @param root is filled @returns what leaves the room */
export function mount(root: HTMLElement): () => void {
  let steady = 0;
  let net: Net | undefined;
  /** What is said of it. */
  let told = NO_NET;
  let photo: { readonly bitmap: ImageBitmap; readonly name: string } | undefined;
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

  const view = new RoomView();
  root.append(...view.elements);

  const tell = (text: string): void => {
    told = text;
    if (!isScanning) view.netLine.textContent = told;
  };
  const endCamera = (): void => {
    wishes.camera++;
    if (camera === undefined) return;
    camera.stop();
    camera = undefined;
    view.useCamera.textContent = "Use the camera";
    view.scanCode.textContent = "Scan a net's code";
    if (isScanning) view.netLine.textContent = told;
    isScanning = false;
    showPhoto();
    void look();
  };
  const worker = new PatientWorker({
    answered: take,
    lost: (reason) => {
      forgetNet();
      if (camera !== undefined) endCamera();
      view.fail(reason);
      view.netLine.textContent = told;
    },
  });
  function forgetNet(): void {
    net = undefined;
    told = NO_NET;
    isBusy = false;
    clearTimeout(steady);
    view.hideNet();
  }
  const endWorker = (): void => {
    worker.end();
    forgetNet();
  };

  function take(answer: Answer): void {
    if (answer.kind === "absent") {
      tell(
        "This host serves no net for photos. Choose one that you have, a .mote file that classifies pictures; or see how it works with the one that reads digits.",
      );
    } else if (answer.kind === "unread") takeUnread(answer.name);
    else if (answer.kind === "failed") takeFailure(answer.message);
    else if (answer.kind === "opened") takeNet(answer.net);
    else {
      isBusy = false;
      if (isAsked()) show(answer.sight);
      if (camera !== undefined || !isAsked()) nextLook();
    }
  }

  /** @param name of what has no code */
  function takeUnread(name: string): void {
    isBusy = false;
    if (camera !== undefined) return nextLook();
    if (name === SCANNED) return;
    view.fail(`No QR code can be read in ${name}. Choose a sharp picture that shows little else.`);
    view.netLine.textContent = told;
  }

  function takeFailure(message: string): void {
    const isLook = isBusy && !isScanning;
    isBusy = false;
    if (isLook && !isAsked()) return nextLook();
    view.fail(`That does not work: ${message}.`);
    if (isLook) view.hideSight();
    // The next picture of a film may be another.
    if (camera !== undefined && isLook) return nextLook();
    if (camera !== undefined) endCamera();
    view.netLine.textContent = told;
  }

  function takeNet(opened: Net): void {
    view.clearProblem();
    // The host's own may come meanwhile.
    const isScanned = isScanning && opened.name === SCANNED;
    if (isScanned) {
      isBusy = false;
      endCamera();
    }
    net = opened;
    times = [];
    const { name, classes, isNamed } = opened;
    const advice = isNamed || classes <= 10 ? "" : " It has no names for them, which mote pack --labels gives it.";
    tell(`${name} tells ${countText(classes)} classes apart.${advice}`);
    if (isScanned) view.spoken.textContent = told;
    view.showNet(opened);
    void look();
  }

  /** Whether the worker looks, or has looked, at what is shown. */
  const isAsked = (): boolean => asked === (camera ?? photo?.bitmap);
  const nextLook = (): void => void requestAnimationFrame(() => void look());

  function show(sight: Sight): void {
    times = [...times, ...sight.runs].slice(-COUNTED);
    const isNew = view.showSight(sight, times);
    if (!isNew && camera !== undefined) return;
    const { name, share } = sight.best[0];
    clearTimeout(steady);
    steady = window.setTimeout(
      () => (view.spoken.textContent = `${name}, ${Math.round(100 * share)} per cent.`),
      camera === undefined ? 0 : STEADY_MS,
    );
  }

  /** The photo, or what the camera sees now. */
  async function look(): Promise<void> {
    if (camera !== undefined && camera.video.videoWidth > 0) {
      view.paint(camera.video, camera.video.videoWidth, camera.video.videoHeight);
      if (isBusy) return;
      if (net === undefined && !isScanning) nextLook();
      else await askOf(camera, camera.video, 1);
    } else if (photo !== undefined && net !== undefined && !isBusy) await askOf(photo.bitmap, photo.bitmap, TIMES);
  }

  async function askOf(subject: Camera | ImageBitmap, image: ImageBitmapSource, count: number): Promise<void> {
    isBusy = true;
    asked = subject;
    const copy = await createImageBitmap(image);
    // The room may have been left, or the net changed.
    if (isOpen && isScanning) worker.ask({ kind: "scan", picture: copy, name: SCANNED, isFilm: true });
    else if (isOpen && net !== undefined) worker.ask({ kind: "look", picture: copy, times: count });
    else isBusy = false;
  }

  async function takePicture(file: Blob, name: string): Promise<void> {
    endCamera();
    const wish = ++wishes.picture;
    const bitmap = await bitmapOf(file, name);
    if (bitmap === undefined) return;
    if (!isOpen || wish !== wishes.picture) return bitmap.close();
    photo?.bitmap.close();
    photo = { bitmap, name };
    view.clearProblem();
    showPhoto();
    await look();
  }

  /** @returns undefined, and says so, where it is none */
  async function bitmapOf(file: Blob, name: string): Promise<ImageBitmap | undefined> {
    try {
      return await createImageBitmap(file);
    } catch {
      view.fail(`${name} is no picture that this browser can read.`);
      return undefined;
    }
  }

  /** Of the camera nothing stays. */
  function showPhoto(): void {
    clearTimeout(steady);
    view.showPicture(photo);
  }

  async function takeCode(file: File): Promise<void> {
    const wish = ++wishes.net;
    const bitmap = await bitmapOf(file, file.name);
    if (bitmap === undefined) return;
    if (!isOpen || wish !== wishes.net) return bitmap.close();
    endCamera();
    endWorker();
    view.netLine.textContent = `Reading the code in ${file.name} …`;
    worker.ask({ kind: "scan", picture: bitmap, name: file.name, isFilm: false });
  }

  function openNet(file: File): void {
    wishes.net++;
    // The net before may still be at work on something endless.
    endWorker();
    view.netLine.textContent = `Opening ${file.name} …`;
    worker.ask({ kind: "open", source: file });
  }

  const takeFiles = (files: Iterable<File>): void => {
    for (const file of files) {
      if (/\.(mote|wasm)$/i.test(file.name)) openNet(file);
      else void takePicture(file, file.name);
    }
  };
  const chosen = (input: HTMLInputElement): void => {
    takeFiles(input.files ?? []);
    // The same file may be chosen again.
    input.value = "";
  };
  view.choosePicture.addEventListener("click", () => view.pictureFile.click());
  view.chooseNet.addEventListener("click", () => view.netFile.click());
  view.chooseCode.addEventListener("click", () => view.codeFile.click());
  view.pictureFile.addEventListener("change", () => chosen(view.pictureFile));
  view.netFile.addEventListener("change", () => {
    for (const file of view.netFile.files ?? []) openNet(file);
    view.netFile.value = "";
  });
  view.codeFile.addEventListener("change", () => {
    for (const file of view.codeFile.files ?? []) void takeCode(file);
    view.codeFile.value = "";
  });
  view.tryDigits.addEventListener("click", () => {
    const [ofNet, ofPicture] = [++wishes.net, ++wishes.picture];
    const load = async (): Promise<void> => {
      const [model, digit] = await Promise.all([lenet5Url, digitUrl].map(async (url) => (await fetch(url)).blob()));
      if (!isOpen) return;
      if (ofNet === wishes.net) openNet(new File([model], "lenet5.mote"));
      if (ofPicture === wishes.picture) await takePicture(digit, "of a digit");
    };
    load().catch((error: Error) => view.fail(`The net could not be loaded: ${error.message}.`));
  });
  /** @param toScan whether it looks for a net's code, not for what the net tells apart */
  const film = async (toScan: boolean): Promise<void> => {
    endCamera();
    const wish = wishes.camera;
    const ended = (): void => {
      if (wish !== wishes.camera) return;
      endCamera();
      view.fail("The camera has ended.");
    };
    const opened = await openCamera(ended, toScan ? SCAN_WIDTH : undefined);
    if (!isOpen || wish !== wishes.camera) return opened.stop();
    camera = opened;
    isScanning = toScan;
    if (toScan) view.scanCode.textContent = "Stop scanning";
    else view.useCamera.textContent = "Stop the camera";
    view.describe("What the camera sees");
    view.clearProblem();
    if (toScan) {
      view.netLine.textContent = view.spoken.textContent =
        "Hold the code still before the camera, so that it fills the picture.";
    }
    times = [];
    await look();
  };
  for (const [control, toScan] of [
    [view.useCamera, false],
    [view.scanCode, true],
  ] as const) {
    control.addEventListener("click", () => {
      if (camera !== undefined && isScanning === toScan) endCamera();
      else film(toScan).catch((error: Error) => view.fail(error.message));
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
  worker.ask({ kind: "open", source: SERVED });
  return () => {
    isOpen = false;
    clearTimeout(steady);
    endCamera();
    endWorker();
    photo?.bitmap.close();
    root.classList.remove("over");
    for (const name of ["dragover", "dragleave", "drop"] as const) root.removeEventListener(name, onDrop);
    removeEventListener("paste", onPaste);
  };
}
