/**
 * Takes a picture of every scene, light and dark, wide and narrow, and runs axe on each.
 *
 *   npm run screenshots -w @trapezoid/www [-- [--into DIRECTORY] [SCENE…]]
 *
 * The pictures go to `www/dev/pictures` unless told otherwise. CHROMIUM names the browser (default
 * /usr/bin/chromium). Exits with 1 when axe finds a violation or a page logs an error.
 */
import { AxeBuilder } from "@axe-core/playwright";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openBrowser, serveStates } from "./browser.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const { values, positionals } = parseArgs({ options: { into: { type: "string" } }, allowPositionals: true });
const into = values.into ?? join(here, "pictures");

const SIZES = {
  wide: { width: 1180, height: 800 },
  phone: { width: 390, height: 844 },
  small: { width: 320, height: 640 },
};

const { server, base } = await serveStates();
const browser = await openBrowser("--autoplay-policy=no-user-gesture-required");

let faults = 0;
const fault = (where, text) => {
  faults += 1;
  console.error(`${where}: ${text}`);
};

await mkdir(into, { recursive: true });
const list = await browser.newPage();
await list.goto(base);
await list.waitForSelector("li");
const all = await list.$$eval("a", (links) => links.map((link) => link.textContent));
await list.close();

for (const scene of positionals.length > 0 ? positionals : all) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      const where = `${scene}-${size}-${colorScheme}`;
      const context = await browser.newContext({ colorScheme, viewport, reducedMotion: "reduce", locale: "en-GB" });
      const page = await context.newPage();
      page.on("console", (message) => {
        if (message.type() === "error") fault(where, message.text());
      });
      page.on("pageerror", (error) => fault(where, error.message));
      await page.goto(`${base}?scene=${scene}`);
      await page.waitForSelector("html[data-scene=ready]", { state: "attached" });
      await page.waitForTimeout(150);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (overflow > 0 && scene !== "all-words") fault(where, `is ${overflow} px wider than the screen`);
      await page.screenshot({ path: join(into, `${where}.png`), fullPage: size !== "wide" });
      if (size === "phone") {
        // The same document as the others, at other sizes: axe takes longer than everything else together.
        await context.close();
        continue;
      }
      const { violations } = await new AxeBuilder({ page }).analyze();
      for (const violation of violations) {
        const targets = violation.nodes.map((node) => `${node.target.join(" ")} (${node.any[0]?.message ?? ""})`);
        fault(where, `axe ${violation.id}: ${violation.help}: ${targets.join("; ")}`);
      }
      await context.close();
    }
  }
}

await browser.close();
await server.close();
console.log(faults === 0 ? `Pictures in ${into}; nothing to complain about.` : `${faults} faults.`);
process.exitCode = faults === 0 ? 0 : 1;
