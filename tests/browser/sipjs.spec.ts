import { rmSync } from "node:fs";

import { type Browser, expect, test } from "@playwright/test";

import { Gateway } from "./gateway.js";
import { SipJs, site } from "./sipjs-phone.js";
import { trusting } from "./trusting.js";

// Pages that use SIP.js and nothing of ours, through the gateway.

const www = site();

test.afterAll(() => rmSync(www, { recursive: true }));

for (const scheme of ["ws", "wss"] as const) {
  test.describe(`SIP.js over ${scheme}`, () => {
    let gateway: Gateway;
    let browser: Browser;
    let dora: SipJs;
    let emil: SipJs;
    let fritz: SipJs;

    test.beforeEach(async ({}, info) => {
      gateway = await Gateway.start(["dora", "emil", "fritz"], { secure: scheme === "wss", www });
      browser = await trusting(gateway, info.project.use.launchOptions);
      dora = await SipJs.registered(browser, gateway, "dora");
      emil = await SipJs.registered(browser, gateway, "emil");
    });

    test.afterEach(async ({}, info) => {
      if (info.status !== info.expectedStatus) await info.attach("gateway.log", { body: gateway.log });
      await browser.close();
      await gateway.dispose();
    });

    async function connect(): Promise<void> {
      await dora.call(emil);
      await emil.answer();
      await dora.has(1, "Established");
      await emil.has(1, "Established");
    }

    test("two pages register, hear each other, hold and resume, and hang up", async () => {
      await connect();
      await dora.hears();
      await emil.hears();
      await dora.hold(true);
      await emil.direction("recvonly");
      await dora.direction("sendonly");
      await dora.hold(false);
      await emil.direction("sendrecv");
      await emil.hears();
      await dora.hears();
      await emil.hold(true);
      await dora.direction("recvonly");
      await emil.hold(false);
      await dora.direction("sendrecv");
      await emil.hangUp();
      await dora.has(0);
      await emil.has(0);
    });

    test("messages go both ways", async () => {
      await dora.message(emil, "Grüße, Emil");
      await expect.poll(() => emil.messages()).toEqual(["Grüße, Emil"]);
      await emil.message(dora, "and back");
      await expect.poll(() => dora.messages()).toEqual(["and back"]);
    });

    test("a call is transferred to somebody who was not asked", async () => {
      fritz = await SipJs.registered(browser, gateway, "fritz");
      await connect();
      await dora.transfer(fritz);
      await fritz.answer();
      await emil.has(2, "Established");
      await fritz.isTalkingTo(emil);
      await fritz.hears();
      await emil.hears();
      // With SIP.js, who asked for the transfer ends the call that was transferred.
      await dora.hangUp();
      await dora.has(0);
      await emil.has(1, "Established");
      await fritz.hangUp();
      await emil.has(0);
    });

    test("a call is transferred to somebody who was asked", async () => {
      fritz = await SipJs.registered(browser, gateway, "fritz");
      await connect();
      await dora.hold(true);
      await dora.call(fritz);
      await fritz.answer();
      await dora.has(2, "Established");
      await dora.transfer();
      // Emil's call is to take the place of Dora's, which ends once it is accepted.
      await fritz.answer(2);
      await fritz.has(1, "Established");
      await emil.has(2, "Established");
      await emil.isTalkingTo(fritz);
      await fritz.isTalkingTo(emil);
      await fritz.hears();
      await emil.hears();
      await dora.has(1, "Established");
      await dora.hangUp();
      await emil.has(1, "Established");
      await fritz.hangUp();
      await emil.has(0);
    });
  });
}
