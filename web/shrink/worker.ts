/** The worker: what takes long is done here, so that the room stays alive and may end it at any time. */
import coreUrl from "../../build/core.wasm?url";
import namedUrl from "../../build/core-named.wasm?url";
import fastUrl from "../../build/fast-named.wasm?url";
import trainUrl from "../../build/train.wasm?url";
import type { Picture } from "../../host/data/plane.js";
import { MoteError, printable } from "../../host/errors.js";
import { kernelConvolve } from "../../host/import/float-conv.js";
import { droppedFile } from "./dropped-file.js";
import { fileOf } from "./files.js";
import { RefusedError, shrink, type Made, type Platform } from "./pipeline.js";
import type { Answer, BoardFit, Request } from "./protocol.js";

/** The screen of 7680 × 4320: a file of a few bytes can claim any size. */
const MOST_PIXELS = 1 << 25;

let made: Made | undefined;
let boards: readonly BoardFit[] | undefined;

const answer = (message: Answer, transfer: Transferable[] = []): void => self.postMessage(message, { transfer });

const loaded = new Map<string, Promise<Uint8Array>>();

function load(url: string): Promise<Uint8Array> {
  const known = loaded.get(url);
  if (known !== undefined) return known;
  const bytes = fetched(url);
  loaded.set(url, bytes);
  // What did not come may come the next time.
  bytes.catch(() => loaded.delete(url));
  return bytes;
}

async function fetched(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  if (!response.ok) throw new MoteError("FILE", `a part of this page could not be loaded (${response.status})`);
  return new Uint8Array(await response.arrayBuffer());
}

const platform: Platform = {
  core: () => load(coreUrl),
  async convolve() {
    try {
      return kernelConvolve(new WebAssembly.Module((await load(trainUrl)) as Uint8Array<ArrayBuffer>));
    } catch {
      // Shared memory may be forbidden: plain loops have the same results but for the last bits, and take ten times as long.
      return undefined;
    }
  },
  decodePicture,
};

async function decodePicture(bytes: Uint8Array, name: string): Promise<Picture> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes as Uint8Array<ArrayBuffer>]));
  } catch (cause) {
    throw new MoteError("FORMAT", `${name}: the browser cannot decode this picture`, { cause });
  }
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) {
    throw new MoteError("FORMAT", `${name}: ${width} × ${height} pixels, expected at most ${MOST_PIXELS}`);
  }
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, rgba: new Uint8Array(context.getImageData(0, 0, width, height).data.buffer) };
}

async function serve(request: Request): Promise<void> {
  if (request.kind === "shrink") {
    boards = undefined;
    made = await shrink(request.files.map(droppedFile), request.options, platform, (progress) =>
      answer({ kind: "progress", progress }),
    );
    answer({ kind: "shrunk", shrunk: made.shrunk });
    return;
  }
  if (made === undefined) throw new MoteError("ARGUMENT", "there is no model yet");
  if (request.kind === "boards") {
    const { boardFits } = await import("./boards.js");
    const [core, fast] = await Promise.all([load(namedUrl), load(fastUrl)]);
    boards = boardFits(made.container, { core: () => core, fast: () => fast });
    answer({ kind: "boards", boards });
    return;
  }
  const { name, type, bytes } = await fileOf(made, request.format, () => load(namedUrl), boards);
  answer({ kind: "file", name, type, bytes }, [bytes.buffer]);
}

/** What is no error of ours is one all the same: a file that is larger than the memory, or a fault. */
function messageOf(error: unknown): string {
  if (error instanceof MoteError) return printable(error.message);
  if (error instanceof RangeError || error instanceof WebAssembly.RuntimeError) {
    return `this browser's memory does not suffice: ${printable(error.message)}`;
  }
  return `something unforeseen: ${printable(String(error))}`;
}

self.addEventListener("message", ({ data }: MessageEvent<Request>) => {
  serve(data).catch((error: unknown) => {
    if (error instanceof RefusedError) answer({ kind: "refused", refused: error.refused });
    else if (data.kind === "shrink") {
      answer({ kind: "refused", refused: { message: messageOf(error), reasons: [] } });
    } else answer({ kind: "failed", asked: data.kind, message: messageOf(error) });
  });
});
