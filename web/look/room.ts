/** The room that looks at pictures. */

export function mount(root: HTMLElement): void {
  const heading = document.createElement("h1");
  heading.textContent = "Look at a picture";
  root.append(heading);
}
