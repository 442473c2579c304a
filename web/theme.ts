/** Light or dark: as the system has it, until the user says otherwise. */

const STORED = "mote-theme";
const CHANGED = "mote-theme";

const system = matchMedia("(prefers-color-scheme: dark)");

/** What is shown now. */
function isDark(): boolean {
  const { theme } = document.documentElement.dataset;
  return theme === undefined ? system.matches : theme === "dark";
}

/** A colour of style.css as it is now, such as `--accent`: for what is drawn on a canvas. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

let scratch: CanvasRenderingContext2D | undefined;

/** @returns red, green and blue of such a colour, 0 .. 255 */
export function rgb(name: string): number[] {
  // However it is written, a canvas has it as #rrggbb.
  scratch ??= document.createElement("canvas").getContext("2d")!;
  scratch.fillStyle = colour(name);
  const hex = scratch.fillStyle;
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

/**
 * Calls back whenever light and dark have changed places.
 * @returns what ends that
 */
export function onTheme(listener: () => void): () => void {
  addEventListener(CHANGED, listener);
  return () => removeEventListener(CHANGED, listener);
}

/** @param button that switches; its name is said here */
export function startTheme(button: HTMLButtonElement): void {
  const root = document.documentElement;
  const stored = read();
  if (stored === "dark" || stored === "light") root.dataset.theme = stored;
  const announce = (): void => {
    button.setAttribute("aria-label", isDark() ? "Change to light colours" : "Change to dark colours");
    dispatchEvent(new Event(CHANGED));
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    write(root.dataset.theme);
    announce();
  });
  system.addEventListener("change", announce);
  announce();
}

/** Storage may be forbidden: then the choice lasts as long as the page. */
function read(): string | null {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}

function write(theme: string): void {
  try {
    localStorage.setItem(STORED, theme);
  } catch {
    // As above.
  }
}
