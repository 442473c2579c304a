/** The browser of tests and figures: Debian's Chromium, driven by Playwright, which brings none of its own here. */
import { execFileSync } from "node:child_process";
import type { Browser } from "playwright-core";
import { missingTools } from "../../host/node/firmware/tools.js";

/** What has to be installed. */
export const BROWSER = "chromium-headless-shell";

export const missingBrowser: readonly string[] = missingTools([BROWSER]);

/** Closing it ends its processes. @param flags of the program, beside those that it takes here */
export async function openBrowser(flags: readonly string[] = []): Promise<Browser> {
  const { chromium } = await import("playwright-core");
  const executablePath = execFileSync("sh", ["-c", `command -v ${BROWSER}`], { encoding: "utf8" }).trim();
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", ...flags] });
}
