import { rmSync } from "node:fs";

import { type Browser, expect, test } from "@playwright/test";

import { Gateway } from "./gateway.js";
import { JsSip, site } from "./jssip-phone.js";
import { trusting } from "./trusting.js";

// Pages that use JsSIP and nothing of ours, through the gateway.

let www: string;

test.beforeAll(async () => {
  www = await site();
});

test.afterAll(() => rmSync(www, { recursive: true }));

for (const scheme of ["ws", "wss"] as const) {
  test.describe(`JsSIP over ${scheme}`, () => {
    let gateway: Gateway;
    let browser: Browser;
    let dora: JsSip;
    let emil: JsSip;

    test.beforeEach(async ({}, info) => {
      gateway = await Gateway.start(["dora", "emil", "fritz"], { secure: scheme === "wss", www });
      browser = await trusting(gateway, info.project.use.launchOptions);
      dora = await JsSip.registered(browser, gateway, "dora");
      emil = await JsSip.registered(browser, gateway, "emil");
    });

    test.afterEach(async ({}, info) => {
      if (info.status !== info.expectedStatus) await info.attach("gateway.log", { body: gateway.log });
      await browser.close();
      await gateway.dispose();
    });

    async function connect(): Promise<void> {
      await dora.call("emil");
      await emil.answer();
      await dora.has(1, "established");
      await emil.has(1, "established");
    }

    test("two pages register, hear each other, hold and resume, send digits, and hang up", async () => {
      await connect();
      await dora.hears();
      await emil.hears();
      await dora.hold(true);
      await emil.isHeld(true);
      await dora.hold(false);
      await emil.isHeld(false);
      await emil.hears();
      await dora.dial("42#");
      await expect.poll(() => emil.digits()).toEqual(["4", "2", "#"]);
      await emil.hangUp();
      await dora.has(0);
      await emil.has(0);
      expect(await dora.ends()).toEqual(["remote: Terminated"]);
    });

    test("messages go both ways", async () => {
      await dora.message("emil", "Grüße, Emil");
      await emil.message("dora", "and back");
      expect(await emil.messages()).toEqual(["Grüße, Emil"]);
      expect(await dora.messages()).toEqual(["and back"]);
    });

    test("a call that is given up, and one that is declined", async () => {
      await dora.call("emil");
      await emil.has(1, "waiting");
      await dora.hangUp();
      await emil.has(0);
      await dora.has(0);
      expect(await emil.ends()).toEqual(["remote: Canceled"]);
      await dora.call("emil");
      await emil.has(1, "waiting");
      await emil.hangUp();
      await dora.has(0);
      expect(await dora.ends()).toEqual(["local: Canceled", "remote: Unavailable"]);
    });

    test("a call is transferred to somebody who was not asked", async () => {
      const fritz = await JsSip.registered(browser, gateway, "fritz");
      await connect();
      await dora.transfer("fritz");
      await fritz.answer();
      await emil.has(2, "established");
      await fritz.hears();
      await emil.hears();
      await dora.hangUp();
      await emil.has(1, "established");
      await fritz.hangUp();
      await emil.has(0);
    });
  });
}
