/** Lets the built page load its first room at once, not one file after the other. */
import type { HtmlTagDescriptor, Plugin } from "vite";
import { assetOf } from "./asset.js";

/** @param room the module of the room @param model the file of its net, which it fetches itself */
export function preload(room: string, model: string): Plugin {
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
        return [
          ...[first.fileName, ...first.imports]
            .filter((path) => !isEntry(path))
            .map((path) => link("modulepreload", path)),
          ...[...(first.viteMetadata?.importedCss ?? [])].map((path) =>
            link("preload", path, { as: "style", crossorigin: true }),
          ),
          link("preload", assetOf(all, model), { as: "fetch", crossorigin: true }),
        ];
      },
    },
  };
}
