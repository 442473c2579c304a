/** Lets the built page load its first room at once, not one file after the other. */
import { basename } from "node:path";
import type { HtmlTagDescriptor, Plugin } from "vite";

/** @param room the module of the room @param files of that room that it fetches itself, by how their names begin */
export function preload(room: string, files: readonly string[]): Plugin {
  return {
    name: "mote-preload",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler: (_, { bundle = {} }) => {
        const all = Object.values(bundle);
        const first = all.find((file) => file.type === "chunk" && file.facadeModuleId?.endsWith(room));
        if (first?.type !== "chunk") throw new Error(`${room} is no chunk of the page`);
        const isEntry = (path: string): boolean =>
          all.some((file) => file.type === "chunk" && file.isEntry && file.fileName === path);
        const link = (rel: string, path: string, attrs: Record<string, string | boolean> = {}): HtmlTagDescriptor => ({
          tag: "link",
          attrs: { rel, href: `./${path}`, ...attrs },
          injectTo: "head",
        });
        const fetched = all
          .map(({ fileName }) => fileName)
          .filter((path) => files.some((name) => basename(path).startsWith(name)));
        return [
          ...[first.fileName, ...first.imports]
            .filter((path) => !isEntry(path))
            .map((path) => link("modulepreload", path)),
          ...[...(first.viteMetadata?.importedCss ?? [])].map((path) =>
            link("preload", path, { as: "style", crossorigin: true }),
          ),
          ...fetched.map((path) => link("preload", path, { as: "fetch", crossorigin: true })),
        ];
      },
    },
  };
}
