/** Names of files as the host sees them, with or without folders in front. */

/** ".onnx"; of a name without one "". */
export function extensionOf(path: string): string {
  return /[^/\\](\.[^./\\]*)$/.exec(path)?.[1] ?? "";
}

/** "net" of "folder/net.onnx". */
export function stemOf(path: string): string {
  const name = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  return name.slice(0, name.length - extensionOf(name).length);
}
