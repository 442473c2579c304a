/** The room that makes nets small. */

export function mount(root: HTMLElement): void {
  const heading = document.createElement("h1");
  heading.textContent = "Shrink a net";
  root.append(heading);
}
