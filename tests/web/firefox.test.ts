/**
 * The page in Debian's Firefox, which Playwright cannot drive: a script that is served with it goes through the rooms, and tells the server
 * what it has seen by what it asks for.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { missingTools } from "../../host/node/firmware/tools.js";
import { serveFolder } from "../../tools/bench/static-server.js";
import { named } from "../firmware/support/native.js";
import { builtPage } from "./support.js";

const FIREFOX = "firefox-esr";
const lacking = missingTools([FIREFOX]);

/** No questions, nothing asked of anybody. */
const PREFERENCES = [
  ["browser.shell.checkDefaultBrowser", false],
  ["browser.aboutwelcome.enabled", false],
  ["datareporting.policy.dataSubmissionEnabled", false],
  ["app.update.auto", false],
  ["network.captive-portal-service.enabled", false],
] as const;

/** Runs in the page. */
async function visit(): Promise<void> {
  const seen: string[] = [];
  addEventListener("securitypolicyviolation", ({ violatedDirective }) => seen.push(`policy: ${violatedDirective}`));
  addEventListener("error", ({ message }) => seen.push(`error: ${message}`));
  const until = async (what: string, isThere: () => unknown): Promise<void> => {
    for (let i = 0; i < 300; i++) {
      if (isThere()) return void seen.push(what);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    seen.push(`no ${what}`);
  };
  const digit = (): string | undefined => document.querySelector("main")!.dataset.digit;
  const click = (text: string): void =>
    [...document.querySelectorAll<HTMLElement>("button, a")]
      .find((one) => [one.textContent?.trim(), one.getAttribute("aria-label")].includes(text))!
      .click();
  await until("first digit", () => digit() === "7");
  click("Write a 4");
  await until("written digit", () => digit() === "4");
  await until("comparison", () => document.querySelector(".comparison"));
  click("Look");
  await until("look", () => document.querySelector("main.look h1"));
  click("Try the net that reads digits");
  await until("look's digit", () => document.querySelector(".answer")?.textContent === "7");
  click("Shrink");
  await until("shrink", () => document.querySelector("main.shrink h1"));
  click("A net of PyTorch, .onnx");
  await until("model", () => document.querySelector(".headline h2"));
  await until("offline", () => document.querySelector("#offline")!.textContent !== "");
  await fetch(`told/${encodeURIComponent(seen.join())}`);
}

describe.skipIf(lacking.length > 0)(named("Firefox", lacking), () => {
  it("goes through the rooms", async () => {
    const folder = builtPage();
    const index = readFileSync(join(folder, "index.html"), "utf8");
    const server = await serveFolder(folder, {
      files: {
        "index.html": Buffer.from(index.replace("</body>", '<script type="module" src="./visit.js"></script></body>')),
        "visit.js": Buffer.from(`(${visit.toString()})();`),
      },
    });
    const profile = mkdtempSync(join(tmpdir(), "mote-firefox-"));
    writeFileSync(
      join(profile, "user.js"),
      PREFERENCES.map(([name, value]) => `user_pref("${name}", ${value});\n`).join(""),
    );
    // The group that it leads is ended, not it alone.
    const flags = ["--headless", "--no-remote", "--profile", profile, `${server.url}#draw`];
    const child = spawn(FIREFOX, flags, { stdio: "ignore", detached: true });
    try {
      const told = (): string | undefined => server.asked.find((path) => path.startsWith("/told/"));
      await expect.poll(told, { timeout: 90_000, interval: 200 }).toBeDefined();
      expect(decodeURIComponent(told()!.slice("/told/".length)).split(",")).toEqual([
        "first digit",
        "written digit",
        "comparison",
        "look",
        "look's digit",
        "shrink",
        "model",
        "offline",
      ]);
    } finally {
      if (child.pid !== undefined) process.kill(-child.pid);
      await new Promise((resolve) => (child.exitCode === null ? child.on("exit", resolve) : resolve(0)));
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
      await server.close();
    }
  });
});
