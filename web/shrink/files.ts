/** The files that can be downloaded of a model. */
import { zipSync } from "fflate";
import { cSource } from "../../host/c/c-source.js";
import { readContainer } from "../../host/container/read.js";
import { activationBits, refuseWide } from "../../host/model/elements.js";
import type { Made } from "./pipeline.js";
import type { BoardFit, FileFormat } from "./protocol.js";
import { reportPage } from "./report-page.js";

export interface MadeFile {
  readonly name: string;
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The earliest that a zip archive can say, so that the same model is the same bytes on any day. */
const NO_TIME = new Date(1980, 0, 1);

/**
 * @param named core-named.wasm, for a packed module
 * @param boards where they have been worked out
 * @throws MoteError as `bake`
 */
export async function fileOf(
  { shrunk, container }: Made,
  format: FileFormat,
  named: () => Promise<Uint8Array>,
  boards: readonly BoardFit[] | undefined,
): Promise<MadeFile> {
  const { name } = shrunk;
  const text = (content: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(content);
  switch (format) {
    case "mote":
      return { name: `${name}.mote`, type: "application/octet-stream", bytes: new Uint8Array(container) };
    case "wasm": {
      refuseWide(activationBits(readContainer(container).model), "a packed module of the page: ");
      // Only this takes the optimiser, which is large.
      const { bake } = await import("../../host/module/bake.js");
      return { name: `${name}.wasm`, type: "application/wasm", bytes: new Uint8Array(bake(container, await named())) };
    }
    case "c": {
      const { header, source } = cSource(container, readContainer(container).plan, name);
      const files = { [`${name}.h`]: text(header), [`${name}.c`]: text(source) };
      return { name: `${name}-c.zip`, type: "application/zip", bytes: zipped(files) };
    }
    case "json": {
      const { graphs: _, ...facts } = shrunk;
      const json = JSON.stringify({ ...facts, ...(boards === undefined ? {} : { boards }) }, undefined, 2);
      return { name: `${name}.json`, type: "application/json", bytes: text(`${json}\n`) };
    }
    case "html":
      return { name: `${name}-report.html`, type: "text/html", bytes: text(reportPage(shrunk, boards)) };
  }
}

const zipped = (files: Record<string, Uint8Array>): Uint8Array<ArrayBuffer> =>
  new Uint8Array(zipSync(files, { mtime: NO_TIME }));
