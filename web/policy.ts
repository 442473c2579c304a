/** What the built page may load and do: nothing from elsewhere, nothing inline. */
import type { Plugin } from "vite";

/** Its Content Security Policy. Hosts may send it as a header as well, which holds in workers too. */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** Puts it into the built page. The development server's page needs more, and has none. */
export function policy(): Plugin {
  return {
    name: "mote-policy",
    apply: "build",
    transformIndexHtml: () => [
      {
        tag: "meta",
        attrs: { "http-equiv": "Content-Security-Policy", content: POLICY },
        injectTo: "head-prepend",
      },
    ],
  };
}
