/** What all rooms have in common: links, titles, colours, keys, the policy, and being there without a network. */
import { afterEach, describe, expect, it } from "vitest";
import { named } from "../firmware/support/native.js";
import { missingBrowser, webPage } from "./support.js";

describe.skipIf(missingBrowser.length > 0)(named("the frame", missingBrowser), () => {
  const { open, closeRooms } = webPage();
  afterEach(closeRooms);

  it("goes from room to room by links, with a title and a mark for each", async () => {
    const { page } = await open("nowhere", "phone");
    expect(await page.title()).toBe("Draw a digit · Mote");
    for (const [name, title] of [
      ["Shrink", "Shrink a net"],
      ["Look", "Look at a picture"],
      ["Draw", "Draw a digit"],
    ]) {
      await page.getByRole("link", { name, exact: true }).click();
      await page.waitForFunction((text) => document.title === text, `${title} · Mote`);
      expect(await page.locator("[aria-current=page]").allTextContents()).toEqual([name]);
      await page.waitForFunction(() => document.activeElement === document.querySelector("main"));
      expect(await page.locator("h1").count()).toBe(1);
    }
    await page.goBack();
    await page.waitForFunction(() => document.title === "Look at a picture · Mote");
  });

  it("is light or dark as the system is, until the switch says otherwise, and stays so", async () => {
    const { page } = await open("draw", "desktop", { colorScheme: "dark" });
    const paper = (): Promise<string> =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    expect(await paper()).toBe("rgb(20, 22, 28)");
    await page.getByRole("button", { name: "Change to light colours" }).click();
    expect(await paper()).toBe("rgb(250, 247, 241)");
    await page.reload();
    expect(await paper()).toBe("rgb(250, 247, 241)");
    expect(await page.getByRole("button", { name: "Change to dark colours" }).count()).toBe(1);
  });

  it("lets the keyboard pass over the header", async () => {
    const { page } = await open("draw", "desktop");
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the room");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("MAIN");
    expect(new URL(page.url()).hash).toBe("#draw");
  });

  it("needs no scrolling sideways, however narrow it is", async () => {
    const { page } = await open("draw", "phone");
    for (const room of ["draw", "shrink", "look"]) {
      await page.evaluate((name) => (location.hash = name), room);
      await page.waitForSelector(`main.${room} h1`);
      if (room === "draw") await page.waitForSelector(".comparison");
      for (const width of [320, 390, 700, 1000]) {
        await page.setViewportSize({ width, height: 640 });
        expect(await page.evaluate(() => document.documentElement.scrollWidth), `${room}, ${width}`).toBe(width);
      }
    }
  });

  it("stays where a file is dropped beside what takes it", async () => {
    const { page } = await open("draw", "desktop");
    for (const room of ["draw", "shrink", "look"]) {
      await page.evaluate((name) => (location.hash = name), room);
      await page.waitForSelector(`main.${room} h1`);
      const isKept = await page.evaluate(() =>
        ["dragover", "drop"].map((name) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(["x"], "x.txt"));
          const event = new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true });
          return !document.querySelector(".brand")!.dispatchEvent(event);
        }),
      );
      expect(isKept, room).toEqual([true, true]);
    }
  });

  it("allows neither inline scripts and styles nor anything from elsewhere", async () => {
    const { page, troubles } = await open("draw", "desktop");
    await page.evaluate(() => {
      document.body.insertAdjacentHTML("beforeend", `<p style="color: red" onclick="0">`);
      document.querySelector("p:last-of-type")?.dispatchEvent(new Event("click"));
      return fetch("http://localhost:1/").catch(() => 0);
    });
    // The browser says it on the console as well.
    const violated = (): string[] =>
      troubles.flatMap((text) => /^policy: (\S+) (?:inline|http:\S+)$/.exec(text)?.[1] ?? []).sort();
    await expect.poll(violated).toEqual(["connect-src", "script-src-attr", "style-src-attr"]);
    troubles.length = 0;
  });
});
