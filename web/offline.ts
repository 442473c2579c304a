/** Registers the service worker of the built page, which keeps it for when there is no network. */

/** From the page's load on: by then the first room has loaded what it takes. */
const WAIT_MS = 1000;

/** @param status where it is said that the page works offline now */
export function register(status: HTMLElement): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  const start = async (): Promise<void> => {
    try {
      await navigator.serviceWorker.register("./service-worker.js");
      await navigator.serviceWorker.ready;
      status.textContent = "It works offline from now on.";
    } catch {
      // Not from a secure origin, or forbidden: the page does without.
    }
  };
  // What is shown first comes first.
  const later = (): void => void setTimeout(() => void start(), WAIT_MS);
  if (document.readyState === "complete") later();
  else addEventListener("load", later, { once: true });
}
