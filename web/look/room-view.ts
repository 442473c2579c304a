/** What the room that looks at pictures consists of, and what is put into it. */
import { bars, bytesText, fact, html, median, timeText } from "../dom.js";
import type { Net, Sight } from "./protocol.js";

/** Pixels of a side of what is shown of a picture. */
const VIEW = 640;

const button = (text: string, kind = ""): HTMLButtonElement =>
  html("button", { type: "button", class: `button ${kind}` }, text);
const chooser = (accept: string, label: string): HTMLInputElement =>
  html("input", { type: "file", accept, hidden: "", "aria-label": label });
const picture = (kind: string, width: number, height: number, label: string): HTMLCanvasElement =>
  html("canvas", { class: kind, width, height, role: "img", "aria-label": label });

export class RoomView {
  /** What a screen reader says. */
  readonly spoken = html("p", { class: "hidden-text", role: "status" });
  /** Which net is open, or what comes in its place. */
  readonly netLine = html("p", { class: "net" }, "Asking this host for a net …");
  readonly choosePicture = button("Choose a photo", "first");
  readonly useCamera = button("Use the camera");
  readonly chooseNet = button("Choose a net");
  readonly scanCode = button("Scan a net's code");
  readonly chooseCode = button("Choose a picture of a code");
  readonly tryDigits = button("Try the net that reads digits");
  readonly pictureFile = chooser("image/*", "Photo");
  readonly netFile = chooser(".mote,.wasm", "Net");
  readonly codeFile = chooser("image/*", "Picture of a code");

  private readonly problem = html("p", { class: "notice bad", role: "alert", hidden: "" });
  private readonly shown = picture("view", VIEW, (VIEW * 3) / 4, "No picture yet");
  private readonly given = picture("given", 1, 1, "What the net is given");
  private readonly hint = html("p", { class: "hint" }, "Drop, paste or choose a photo");
  private readonly verdict = bars("What the picture shows", "Class");
  private readonly best = html("p", { class: "answer" });
  private readonly doubts = html("p", { class: "muted small" });
  private readonly values = ["Time a picture", "Memory of the net", "The net's file", "It is given"].map((name) =>
    fact(name, "–"),
  );
  private readonly facts = html("dl", { class: "facts", hidden: "" }, ...this.values.map(({ element }) => element));
  private readonly seen = html(
    "section",
    { class: "seen", "aria-label": "What it shows", hidden: "" },
    html("div", { class: "top" }, this.given, this.best),
    this.verdict.element,
    this.doubts,
  );

  /** What a room is filled with. */
  readonly elements: readonly HTMLElement[] = [
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
    this.problem,
    html(
      "div",
      { class: "gaze" },
      html(
        "section",
        { "aria-label": "Picture" },
        html("div", { class: "stage" }, this.shown, this.hint),
        html("div", { class: "row" }, this.choosePicture, this.useCamera, this.pictureFile),
      ),
      html(
        "div",
        { class: "beside" },
        this.spoken,
        this.seen,
        html(
          "section",
          { class: "panel nets", "aria-labelledby": "nets" },
          html("h2", { id: "nets" }, "The net"),
          this.netLine,
          html(
            "div",
            { class: "row" },
            this.chooseNet,
            this.scanCode,
            this.chooseCode,
            this.tryDigits,
            this.netFile,
            this.codeFile,
          ),
          this.facts,
        ),
      ),
    ),
  ];

  fail(message: string): void {
    // Who hears it hears it once.
    if (!this.problem.hidden && this.problem.textContent === message) return;
    this.problem.hidden = false;
    this.problem.textContent = message;
  }

  clearProblem(): void {
    this.problem.hidden = true;
  }

  paint(image: CanvasImageSource, width: number, height: number): void {
    const scale = VIEW / Math.max(width, height);
    this.shown.width = Math.max(1, Math.round(width * scale));
    this.shown.height = Math.max(1, Math.round(height * scale));
    this.shown.classList.toggle("coarse", scale > 4);
    const canvas = this.shown.getContext("2d")!;
    canvas.imageSmoothingEnabled = scale <= 4;
    canvas.imageSmoothingQuality = "high";
    canvas.drawImage(image, 0, 0, this.shown.width, this.shown.height);
    this.hint.hidden = true;
  }

  /** @param label of what is painted, for who does not see it */
  describe(label: string): void {
    this.shown.setAttribute("aria-label", label);
  }

  /** The photo, with nothing said of it, or that there is none. */
  showPicture(photo?: { readonly bitmap: ImageBitmap; readonly name: string }): void {
    this.hideSight();
    if (photo !== undefined) this.paint(photo.bitmap, photo.bitmap.width, photo.bitmap.height);
    else this.shown.getContext("2d")!.clearRect(0, 0, this.shown.width, this.shown.height);
    this.hint.hidden = photo !== undefined;
    this.describe(photo === undefined ? "No picture yet" : `The picture ${photo.name}`);
  }

  showNet({ shape: [channels, height, width], memoryBytes, fileBytes }: Net): void {
    this.facts.hidden = false;
    this.hideSight();
    const given = `${height} × ${width}, ${channels === 1 ? "grey" : "colour"}`;
    const facts = ["–", bytesText(memoryBytes), bytesText(fileBytes), given];
    facts.forEach((text, i) => (this.values[i].value.textContent = text));
  }

  hideNet(): void {
    this.facts.hidden = true;
    this.hideSight();
  }

  /**
   * @param times milliseconds of runs
   * @returns whether the answer is another one than before
   */
  showSight({ best, doubts, given }: Sight, times: readonly number[]): boolean {
    this.clearProblem();
    this.values[0].value.textContent = timeText(median(times));
    this.verdict.show(best);
    const isNew = this.best.textContent !== best[0].name;
    this.best.textContent = best[0].name;
    this.doubts.textContent = doubts.length > 0 ? `It may be wrong: ${doubts.join(", ")}.` : "";
    this.seen.hidden = false;
    this.given.width = given.width;
    this.given.height = given.height;
    this.given.getContext("2d")!.putImageData(given, 0, 0);
    return isNew;
  }

  hideSight(): void {
    this.seen.hidden = true;
  }
}
