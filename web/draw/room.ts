/** The room that reads digits. */

export function mount(root: HTMLElement): void {
  const heading = document.createElement("h1");
  heading.textContent = "Draw a digit";
  root.append(heading);
}
