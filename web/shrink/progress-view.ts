/** How far the work is, how long it will take, and a way to end it. */
import { html } from "../dom.js";
import { button } from "./dom.js";
import type { Progress } from "./protocol.js";

/** An estimate by less is none. */
const LEAST_SECONDS = 1;

export interface ProgressView {
  readonly root: HTMLElement;
  readonly update: (progress: Progress) => void;
}

export function progressView(onCancel: () => void): ProgressView {
  const stage = html("span", {}, "Beginning …");
  const left = html("span", { class: "muted small" });
  const bar = html("progress", { max: 1, "aria-label": "Progress" });
  const root = html(
    "section",
    { class: "panel progress" },
    html("p", { class: "row", role: "status" }, stage, left),
    bar,
    button("Cancel", onCancel),
  );
  let begun: number | undefined;
  return {
    root,
    update({ stage: text, done, of }) {
      stage.textContent = done === undefined ? `${text} …` : `${text}, ${done} of ${of} …`;
      if (done === undefined || of === undefined) {
        bar.removeAttribute("value");
        left.textContent = "";
        return;
      }
      bar.value = done / of;
      begun ??= performance.now();
      const seconds = (performance.now() - begun) / 1000;
      // The first one took an unknown time.
      if (done > 1 && seconds > LEAST_SECONDS) left.textContent = aboutText((seconds * (of - done)) / (done - 1));
    },
  };
}

const aboutText = (seconds: number): string =>
  seconds < 90 ? `about ${Math.max(1, Math.round(seconds))} s left` : `about ${Math.round(seconds / 60)} min left`;
