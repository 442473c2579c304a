/** Bytes that the page has loaded so far, as the browser counts them. */

/** @param listener is given the sum whenever it grows @returns what ends that */
export function watchLoaded(listener: (bytes: number) => void): () => void {
  const sizes = new Map<string, number>();
  const add = (entries: readonly PerformanceEntry[]): void => {
    for (const entry of entries) {
      const { name, encodedBodySize } = entry as PerformanceResourceTiming;
      sizes.set(name, Math.max(encodedBodySize, sizes.get(name) ?? 0));
    }
    listener([...sizes.values()].reduce((sum, bytes) => sum + bytes, 0));
  };
  const observers = ["navigation", "resource"].map((type) => {
    const observer = new PerformanceObserver((list) => add(list.getEntries()));
    observer.observe({ type, buffered: true });
    return observer;
  });
  return () => observers.forEach((observer) => observer.disconnect());
}
