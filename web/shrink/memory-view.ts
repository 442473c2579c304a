/** The memory plan over time. */
import { html } from "../dom.js";
import { folded, panel, table } from "./dom.js";
import { memoryPicture, spanText } from "./memory-picture.js";
import type { MemoryFacts } from "./protocol.js";
import { grouped } from "./tables.js";

export function memoryPanel(memory: MemoryFacts): HTMLElement {
  const { lives, regions, steps, bytes } = memory;
  const picture = html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Memory plan, drawn" });
  // Text of ours, in which what the file says is escaped.
  picture.innerHTML = memoryPicture(memory);
  const rows = [
    ...regions
      .filter(({ name }) => name !== "arena")
      .map(({ name, address, bytes: size }) => [name, "", grouped(address), grouped(size), "all the time"]),
    ...lives.map(({ name, address, bytes: size, first, last }, index) => [
      `tensor ${index}`,
      name,
      grouped(address),
      grouped(size),
      spanText(first, last, steps),
    ]),
  ];
  return panel(
    "Memory over a run",
    `All that the model ever takes: ${grouped(bytes)} bytes, planned when it is packed. A tensor lies where others are no longer in use.`,
    picture,
    folded("The same as a table", table([["what", "shape", "address", "bytes", "in use"], ...rows], "Memory plan")),
  );
}
