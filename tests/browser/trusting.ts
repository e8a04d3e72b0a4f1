import { type Browser, type LaunchOptions, type Page, chromium } from "@playwright/test";

import { type Gateway } from "./gateway.js";

/** A browser that trusts this gateway's certificate, if it has one, and no other that nobody has signed. */
export function trusting(gateway: Gateway, options: LaunchOptions = {}): Promise<Browser> {
  const trust = gateway.secure ? [`--ignore-certificate-errors-spki-list=${gateway.certificateKey}`] : [];
  return chromium.launch({ ...options, args: [...(options.args ?? []), ...trust] });
}

/** Another person's browser, with a microphone, at the gateway's page. */
export async function visit(browser: Browser, gateway: Gateway): Promise<Page> {
  const context = await browser.newContext({ permissions: ["microphone"] });
  const page = await context.newPage();
  page.on("pageerror", (error) => {
    throw error;
  });
  const { http, https } = gateway.addresses;
  await page.goto(gateway.secure ? `https://${https}/` : `http://${http}/`);
  return page;
}
