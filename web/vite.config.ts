/** How the page is built: relative links, so that any folder of any host will do. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { icons } from "./icons.js";
import { offlineFiles } from "./offline-files.js";
import { policy } from "./policy.js";
import { preload } from "./preload.js";
import { rival } from "./rival.js";
import { weigh } from "./weigh.js";

const root = fileURLToPath(new URL(".", import.meta.url));
/** The first room, and the net that it fetches. */
const DRAW = ["web/draw/room.ts", "models/lenet5.mote"] as const;

export default defineConfig(({ command }) => {
  // What is built is the page that users get, also where tests build it.
  if (command === "build") process.env.NODE_ENV = "production";
  return {
    root,
    base: "./",
    logLevel: command === "build" ? "warn" : "info",
    define: { RIVAL: JSON.stringify(rival()) },
    plugins: [policy(), icons(), weigh(...DRAW), preload(...DRAW), offlineFiles(join(root, "service-worker.ts"))],
    server: { fs: { allow: [".."] } },
    worker: { format: "es" },
    build: {
      outDir: "../build/web",
      emptyOutDir: true,
      target: "es2022",
      modulePreload: { polyfill: false },
      // A file is a file: what is small is not put into scripts, so that the page can say what it has loaded.
      assetsInlineLimit: 0,
      rolldownOptions: {
        // How long plugins take is no matter of the page's.
        checks: { bundlerTimings: false },
        output: {
          // What runs models is one file, which the rooms share.
          codeSplitting: { groups: [{ name: "mote", test: /[\\/](runtime[\\/]|build[\\/]core-text)/ }] },
        },
      },
    },
  };
});
