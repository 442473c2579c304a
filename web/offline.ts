/** Registers the service worker of the built page, which keeps it for when there is no network. */

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
  if (document.readyState === "complete") void start();
  else addEventListener("load", () => void start(), { once: true });
}
