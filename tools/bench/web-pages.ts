/** What runs nets in a browser's pages: mote-nn/simd, and onnxruntime-web, which is measured where it has been put and is no dependency. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { builtFile } from "../../host/node/paths.js";

const RIVAL_FOLDER = "build/rivals/node_modules/onnxruntime-web";
export const RIVAL_INSTALL = "npm install --prefix build/rivals --no-save onnxruntime-web@1.30.0";

/** Its version, or undefined where it is not there. */
export function rivalVersion(): string | undefined {
  const manifest = builtFile(join(RIVAL_FOLDER, "package.json"));
  if (!existsSync(manifest)) return undefined;
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}

/** By these a page's clock counts in steps of 5 µs instead of 100. */
export const PAGE_HEADERS = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

/** What a page keeps between calls. */
interface Bench {
  /** One image. */
  once: () => unknown;
  memoryBytes: () => number;
}

/** A net in a page of its own, ready to run. */
export interface Runner {
  /** @returns milliseconds of one run, of `count` one after another */
  readonly time: (count: number) => Promise<number>;
  /** Of linear memory. */
  readonly memoryBytes: () => Promise<number>;
  readonly close: () => Promise<void>;
}

/**
 * @param address of an empty page; the checkout is at its server's root
 * @param model a container beside the page
 */
export async function openOurs(browser: Browser, address: string, model: string): Promise<Runner> {
  const page = await openPage(browser, address);
  await page.evaluate(async (model) => {
    const entry = "/dist/runtime/simd.js";
    const { openModel } = (await import(entry)) as typeof import("../../runtime/simd.js");
    const opened = await openModel(fetch(model));
    const inputs = opened.inputs.map(({ shape }) =>
      Int8Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, i) => 127 * Math.sin(i / 97)),
    );
    const bench: Bench = { once: () => opened.run(inputs), memoryBytes: () => opened.memoryBytes };
    Object.assign(globalThis, { bench });
  }, model);
  return runnerOf(page);
}

/**
 * onnxruntime-web at its best: WebAssembly's SIMD, all graph optimizations, the input made once. Other builds of it, execution providers that
 * WebAssembly has, and settings of memory and denormal numbers take as long or longer.
 * @param model an ONNX file of float32 beside the page
 * @param shape of its one input
 */
export async function openRival(
  browser: Browser,
  address: string,
  model: string,
  shape: readonly number[],
): Promise<Runner> {
  const page = await openPage(browser, address);
  const entry = `/${RIVAL_FOLDER}/dist/ort.wasm.min.mjs`;
  await page.evaluate(
    async ({ entry, model, shape }) => {
      const memories: WebAssembly.Memory[] = [];
      WebAssembly.Memory = class extends WebAssembly.Memory {
        constructor(descriptor: WebAssembly.MemoryDescriptor) {
          super(descriptor);
          memories.push(this);
        }
      };
      const ort = (await import(entry)) as OnnxRuntimeWeb;
      Object.assign(ort.env.wasm, { numThreads: 1, proxy: false });
      const session = await ort.InferenceSession.create(model, {
        executionProviders: ["wasm"],
        graphOptimizationLevel: "all",
      });
      const length = shape.reduce((product, size) => product * size, 1);
      const values = Float32Array.from({ length }, (_, i) => Math.sin(i / 97));
      const feeds = { [session.inputNames[0]]: new ort.Tensor("float32", values, shape) };
      const bench: Bench = {
        once: () => session.run(feeds),
        memoryBytes: () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0),
      };
      Object.assign(globalThis, { bench });
    },
    { entry, model, shape },
  );
  return runnerOf(page);
}

/** Of its interface what is used here. */
interface OnnxRuntimeWeb {
  readonly env: { readonly wasm: object };
  readonly InferenceSession: {
    create(
      url: string,
      options: object,
    ): Promise<{ readonly inputNames: readonly string[]; run(feeds: object): Promise<unknown> }>;
  };
  readonly Tensor: new (type: "float32", values: Float32Array, shape: readonly number[]) => object;
}

async function openPage(browser: Browser, address: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(address);
  return page;
}

function runnerOf(page: Page): Runner {
  return {
    time: (count) =>
      page.evaluate(async (count) => {
        const { bench } = globalThis as unknown as { bench: Bench };
        const began = performance.now();
        for (let i = 0; i < count; i++) await bench.once();
        return (performance.now() - began) / count;
      }, count),
    memoryBytes: () => page.evaluate(() => (globalThis as unknown as { bench: Bench }).bench.memoryBytes()),
    close: () => page.close(),
  };
}
