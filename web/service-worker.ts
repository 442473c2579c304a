/**
 * Keeps the built page for when there is no network. The build puts its files and a digest of them in front (offline-files.ts), so that a
 * page that has changed has another worker. A new one waits until no page of the old one is open.
 */
declare const self: ServiceWorkerGlobalScope;
/** Of all files of the page. */
declare const DIGEST: string;
/** Kept when the page is first opened. */
declare const FILES: readonly string[];
/** Kept when they are first asked for, since not every visitor needs as many bytes. */
declare const LARGE_FILES: readonly string[];

const PAGE = `mote-page-${DIGEST}`;
/** Models that the host serves; they may change, and the page does not. */
const MODELS = "mote-models";

const addressOf = (path: string): string => new URL(path, self.registration.scope).href;

self.addEventListener("install", (event) => {
  const keep = async (): Promise<void> => {
    const cache = await caches.open(PAGE);
    await cache.addAll(FILES.map((path) => new Request(addressOf(path), { cache: "no-cache" })));
  };
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  const begin = async (): Promise<void> => {
    for (const name of await caches.keys()) {
      if (name.startsWith("mote-page-") && name !== PAGE) await caches.delete(name);
    }
    await self.clients.claim();
  };
  event.waitUntil(begin());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  const address = origin + pathname;
  if (address === addressOf("./")) event.respondWith(fromPage(addressOf("index.html"), request));
  else if ([...FILES, ...LARGE_FILES].some((path) => address === addressOf(path))) {
    event.respondWith(fromPage(address, request));
  } else if (address.startsWith(addressOf("models/"))) event.respondWith(fromNetwork(request));
});

async function fromPage(address: string, request: Request): Promise<Response> {
  const cache = await caches.open(PAGE);
  const kept = await cache.match(address);
  if (kept) return kept;
  const response = await fetch(request);
  await keep(cache, address, response);
  return response;
}

async function fromNetwork(request: Request): Promise<Response> {
  const cache = await caches.open(MODELS);
  try {
    const response = await fetch(request);
    await keep(cache, request.url, response);
    return response;
  } catch (error) {
    const kept = await cache.match(request.url);
    if (kept) return kept;
    throw error;
  }
}

/** Where there is room: what has come is given to the page all the same. */
async function keep(cache: Cache, address: string, response: Response): Promise<void> {
  if (!response.ok) return;
  try {
    await cache.put(address, response.clone());
  } catch (error) {
    console.warn(`not kept for when there is no network: ${address}: ${String(error)}`);
  }
}
