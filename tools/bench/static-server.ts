/** Serves a folder as a host of static files does. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

export interface StaticServer {
  /** Of the folder, with a slash at its end. */
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly asked: readonly string[];
  readonly close: () => Promise<void>;
}

export interface ServeOptions {
  /** Of the answer with a file, by the file's path in the folder. */
  readonly headers?: (path: string) => Record<string, string>;
  /** The path that stands for the folder, as on a host that has other pages too. */
  readonly below?: string;
  /** What is served beside, by path in the folder. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
}

export async function serveFolder(
  folder: string,
  { headers = () => ({}), below = "/", files = {} }: ServeOptions = {},
): Promise<StaticServer> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    asked.push(pathname);
    const path = normalize(pathname.slice(below.length - 1)).slice(1) || "index.html";
    try {
      if (!pathname.startsWith(below)) throw new Error("outside of the folder");
      const content = files[path] ?? readFileSync(join(folder, path));
      response.writeHead(200, {
        "content-type": TYPES[extname(path)] ?? "application/octet-stream",
        "content-length": content.length,
        ...headers(path),
      });
      response.end(request.method === "HEAD" ? undefined : content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${below}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
