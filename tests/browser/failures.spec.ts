import { expect, test } from "@playwright/test";

import { Gateway, PASSWORD } from "./gateway.js";
import { Phone } from "./phone.js";

let gateway: Gateway;

test.beforeEach(async () => {
  gateway = await Gateway.start(["carol"]);
});

test.afterEach(async ({}, info) => {
  if (info.status !== info.expectedStatus) await info.attach("gateway.log", { body: gateway.log });
  await gateway.dispose();
});

test("a wrong password is named", async ({ browser }) => {
  const phone = await Phone.open(browser, gateway);
  await phone.test("signin-user").fill("carol");
  await phone.test("signin-password").fill("not it");
  await phone.test("signin-submit").click();
  await expect(phone.test("signin-error")).toContainText(/password/i);
  await phone.close();
});

test("nobody has that name: 404", async ({ browser }) => {
  const phone = await Phone.registered(browser, gateway, "alice");
  await phone.dial("nobody");
  await phone.hasEnded(/404/);
  await phone.close();
});

test("the callee is offline: 480", async ({ browser }) => {
  const phone = await Phone.registered(browser, gateway, "alice");
  await phone.dial("carol");
  await phone.hasEnded(/480/);
  await phone.close();
});

test("nobody answers", async ({ browser }) => {
  const alice = await Phone.registered(browser, gateway, "alice", { clock: true });
  const bob = await Phone.registered(browser, gateway, "bob");
  await alice.dial("bob");
  await expect(bob.test("incoming")).toBeVisible();
  await expect(alice.test("call")).toHaveAttribute("data-state", "ringing");
  await alice.page.clock.fastForward(60_000);
  await alice.hasEnded(/answer/i);
  await expect(bob.test("incoming")).toHaveCount(0);
  await alice.close();
  await bob.close();
});

test("no microphone: the call is not made, in words", async ({ browser }) => {
  const alice = await Phone.registered(browser, gateway, "alice");
  await alice.page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("Permission denied", "NotAllowedError"));
  });
  await alice.dial("bob");
  await expect(alice.test("last-result")).toContainText(/microphone/i);
  await alice.close();
});

test("the gateway is down when signing in", async ({ browser }) => {
  const phone = await Phone.open(browser, gateway);
  await phone.test("signin-user").fill("carol");
  await phone.test("signin-password").fill(PASSWORD);
  await phone.page.waitForLoadState("networkidle");
  await gateway.kill();
  await phone.test("signin-submit").click();
  await expect(phone.test("signin-error")).toContainText(/gateway|server|reach/i);
  await phone.close();
});
