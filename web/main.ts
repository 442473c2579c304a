/** The page's frame: which room is shown, in what colours, and that it works offline. */
import { register } from "./offline.js";
import { startTheme } from "./theme.js";

/** What a room's module offers. */
export interface Room {
  /**
   * Fills an empty element.
   * @returns what is to be done when the room is left
   */
  readonly mount: (root: HTMLElement) => void | (() => void);
}

/** A room is loaded when it is first asked for. */
const ROOMS: Readonly<Record<string, { readonly title: string; readonly load: () => Promise<Room> }>> = {
  draw: { title: "Draw a digit", load: () => import("./draw/room.js") },
  shrink: { title: "Shrink a net", load: () => import("./shrink/room.js") },
  look: { title: "Look at a picture", load: () => import("./look/room.js") },
};
const FIRST = "draw";

const main = document.querySelector("main")!;
let leave: (() => void) | void;
let shown = "";

function leaveRoom(): void {
  leave?.();
  leave = undefined;
}

/** @param isMove whether the user has come from another room, so that the focus goes along */
async function show(isMove: boolean): Promise<void> {
  const asked = location.hash.slice(1);
  const name = Object.hasOwn(ROOMS, asked) ? asked : FIRST;
  if (name === shown) return;
  shown = name;
  const { title, load } = ROOMS[name];
  document.title = `${title} · Mote`;
  for (const link of document.querySelectorAll<HTMLElement>("[data-room]")) {
    if (link.dataset.room === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    const { mount } = await load();
    if (name !== shown) return;
    leaveRoom();
    main.replaceChildren();
    main.className = name;
    leave = mount(main);
  } catch (error) {
    if (name !== shown) return;
    shown = "";
    leaveRoom();
    const notice = document.createElement("p");
    notice.className = "notice";
    notice.setAttribute("role", "alert");
    notice.textContent = `This room could not be loaded: ${(error as Error).message}. Choose it again to try once more.`;
    main.replaceChildren(notice);
  }
  if (isMove) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

addEventListener("hashchange", () => void show(true));
// A room that could not be loaded has the same hash when it is chosen again.
document.querySelector("nav")!.addEventListener("click", () => void show(true));
document.querySelector(".skip")!.addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
// A file that misses a room's own place for it would replace the page.
for (const name of ["dragover", "drop"] as const) {
  addEventListener(name, (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
}
startTheme(document.querySelector("#theme")!);
void show(false);
register(document.querySelector("#offline")!);
