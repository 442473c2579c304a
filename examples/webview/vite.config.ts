/** Makes dist, which becomes the assets of the app: files, since the page's policy allows no data in its addresses, and relative links. */
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: { outDir: "dist", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
