/** The room that makes nets small: files in, a model and all that is known of it out. Nothing leaves the device. */
import moteUrl from "../../models/lenet5.mote?url";
import tfliteUrl from "../../tests/golden/import/conv-int8.tflite?url";
import onnxUrl from "../../tests/golden/import/torch-blocks.onnx?url";
import { html } from "../dom.js";
import { button } from "./dom.js";
import { optionsForm } from "./options-form.js";
import { progressView } from "./progress-view.js";
import { DEFAULT_OPTIONS, type Answer, type Request, type Shrunk } from "./protocol.js";
import { refusedView } from "./refused-view.js";
import { resultView, type ResultView } from "./result-view.js";
import "./shrink.css";

/** For those who have no file at hand. */
const EXAMPLES: readonly (readonly [text: string, name: string, url: string])[] = [
  ["LeNet-5, .mote", "lenet5.mote", moteUrl],
  ["A net of PyTorch, .onnx", "torch-blocks.onnx", onnxUrl],
  ["An int8 net, .tflite", "conv-int8.tflite", tfliteUrl],
];
const NET_NAME = /\.(onnx|tflite|caffemodel|net|mote|wasm|safetensors|json)$/i;

export function mount(root: HTMLElement): () => void {
  const picker = html("input", { type: "file", multiple: "", hidden: "" });
  const drop = html(
    "section",
    { class: "panel drop", "aria-label": "Files" },
    html("p", { class: "drop-text" }, "Drop a net here, with what belongs to it"),
    button("Choose files", () => picker.click(), { class: "button first" }),
    picker,
    html(
      "p",
      { class: "muted small" },
      ".onnx, .tflite, .mote; .safetensors or Caffe with the file that describes the graph. With it samples, if you have any: .npy, .npz, idx or pictures.",
    ),
    html(
      "p",
      { class: "row examples" },
      html("span", { class: "muted small" }, "No file at hand? Try"),
      ...EXAMPLES.map(([text, name, url]) => button(text, () => void example(name, url), { class: "button small" })),
    ),
  );
  let options = DEFAULT_OPTIONS;
  const form = optionsForm(options, (chosen) => {
    options = chosen;
    if (files.size > 0) begin();
  });
  const place = html("div", { class: "place" });
  root.append(
    html(
      "div",
      { class: "intro" },
      html("h1", {}, "Shrink a net"),
      html(
        "p",
        {},
        "A trained net becomes a Mote model: int8, fewer values, Huffman-coded. It is done here, on your device; nothing is uploaded.",
      ),
    ),
    html("div", { class: "start" }, drop, form),
    place,
  );

  /** By name: what belongs to the net that is shown. */
  let files = new Map<string, File>();
  let worker: Worker | undefined;
  let result: ResultView | undefined;
  let isOpen = true;
  /** Files that were taken, and examples that were asked for, so far: an example counts that comes before the next. */
  let wishes = 0;

  const end = (): void => {
    worker?.terminate();
    worker = undefined;
    result?.close();
    result = undefined;
  };
  const ask = (request: Request): void => worker?.postMessage(request);

  function take(added: readonly File[]): void {
    if (added.length === 0) return;
    wishes++;
    // Samples, or what was missing, join what is there; another net begins anew.
    const isNew = added.some(({ name }) => NET_NAME.test(name) && !belongs(name));
    if (isNew) files = new Map();
    for (const file of added) files.set(file.name, file);
    begin();
  }

  /** The weights of a graph that was dropped before them, or the other way round. */
  function belongs(name: string): boolean {
    const pair = /\.(json|safetensors)$/i;
    return (
      pair.test(name) && files.size > 0 && [...files.keys()].every((other) => pair.test(other) || !NET_NAME.test(other))
    );
  }

  function begin(): void {
    end();
    const progress = progressView(() => {
      end();
      place.replaceChildren(
        html(
          "p",
          { class: "notice", role: "status" },
          "Cancelled. The files are still here: change something above, or choose others.",
        ),
      );
    });
    place.replaceChildren(progress.root);
    worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => answered(data, progress.update));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      end();
      show(
        refusedView({
          message: `The work ended early: ${event.message || "this browser could not begin it"}.`,
          reasons: [],
        }),
      );
    });
    ask({ kind: "shrink", files: [...files.values()], options });
  }

  function answered(
    answer: Answer,
    update: (progress: Extract<Answer, { kind: "progress" }>["progress"]) => void,
  ): void {
    switch (answer.kind) {
      case "progress":
        return update(answer.progress);
      case "shrunk":
        return showShrunk(answer.shrunk);
      case "refused":
        end();
        return show(refusedView(answer.refused));
      case "boards":
        return result?.showBoards(answer.boards);
      case "file":
        result?.tell("");
        return save(answer.name, answer.type, answer.bytes);
      case "failed":
        return answer.asked === "boards" ? result?.failBoards(answer.message) : result?.tell(answer.message);
    }
  }

  function showShrunk(shrunk: Shrunk): void {
    result = resultView(shrunk, {
      file: (format) => ask({ kind: "file", format }),
      boards: () => ask({ kind: "boards" }),
    });
    show(result);
  }

  function show(view: { readonly root: HTMLElement; readonly start: () => void }): void {
    place.replaceChildren(view.root);
    view.start();
    view.root.querySelector<HTMLElement>("h2")?.focus({ preventScroll: true });
    view.root.scrollIntoView({ block: "start" });
  }

  async function example(name: string, url: string): Promise<void> {
    const wish = ++wishes;
    const isWished = (): boolean => isOpen && wish === wishes;
    try {
      const response = await fetch(url);
      if (!response.ok) throw new Error(String(response.status));
      const bytes = await response.blob();
      if (isWished()) take([new File([bytes], name)]);
    } catch {
      if (!isWished()) return;
      place.replaceChildren(
        html("p", { class: "notice bad", role: "alert" }, "The example could not be loaded; is there a network?"),
      );
    }
  }

  picker.addEventListener("change", () => {
    take([...(picker.files ?? [])]);
    picker.value = "";
  });
  const over = (event: DragEvent): void => {
    event.preventDefault();
    drop.classList.add("over");
  };
  const out = (event: DragEvent): void => {
    if (event.relatedTarget === null) drop.classList.remove("over");
  };
  const dropped = (event: DragEvent): void => {
    event.preventDefault();
    drop.classList.remove("over");
    take([...(event.dataTransfer?.files ?? [])]);
  };
  // Anywhere on the page: a file that misses the box would replace the page.
  addEventListener("dragover", over);
  addEventListener("dragleave", out);
  addEventListener("drop", dropped);
  return () => {
    isOpen = false;
    removeEventListener("dragover", over);
    removeEventListener("dragleave", out);
    removeEventListener("drop", dropped);
    end();
  };
}

function save(name: string, type: string, bytes: Uint8Array<ArrayBuffer>): void {
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  const link = html("a", { href: url, download: name });
  link.click();
  // The download has begun by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
