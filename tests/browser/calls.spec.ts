import { expect, test } from "@playwright/test";

import { Gateway } from "./gateway.js";
import { Phone } from "./phone.js";

let gateway: Gateway;
let alice: Phone;
let bob: Phone;

test.beforeEach(async ({ browser }) => {
  gateway = await Gateway.start();
  alice = await Phone.registered(browser, gateway, "alice");
  bob = await Phone.registered(browser, gateway, "bob");
});

test.afterEach(async ({}, info) => {
  if (info.status !== info.expectedStatus) await info.attach("gateway.log", { body: gateway.log });
  await alice.close();
  await bob.close();
  await gateway.dispose();
});

async function connect(): Promise<void> {
  await alice.dial("bob");
  await expect(bob.test("incoming")).toContainText("alice");
  await bob.test("accept").click();
  await alice.isInCall();
  await bob.isInCall();
}

for (const side of ["caller", "callee"] as const) {
  test(`two pages hear each other, and the ${side} hangs up`, async () => {
    await connect();
    await alice.hears();
    await bob.hears();
    const [first, second] = side === "caller" ? [alice, bob] : [bob, alice];
    await first.test("hangup").click();
    await first.hasEnded(/call ended|you hung up|ended/i);
    await second.hasEnded(/hung up|ended/i);
  });
}

test("declining tells the caller", async () => {
  await alice.dial("bob");
  await bob.test("decline").click();
  await alice.hasEnded(/declined/i);
});

test("cancelling stops the ringing", async () => {
  await alice.dial("bob");
  await expect(bob.test("incoming")).toBeVisible();
  await alice.test("cancel").click();
  await expect(bob.test("incoming")).toHaveCount(0);
  await alice.hasEnded(/cancel/i);
});

test("muting silences and unmuting restores", async () => {
  await connect();
  await bob.hears();
  await alice.test("mute").click();
  await expect(alice.test("mute")).toHaveAttribute("aria-pressed", "true");
  await bob.page.waitForTimeout(1_500);
  const before = await bob.audio();
  await bob.page.waitForTimeout(1_500);
  const after = await bob.audio();
  expect(after.energy - before.energy).toBeLessThan(1e-4);
  await alice.test("mute").click();
  await bob.hears(after);
});

test("a killed gateway comes back: both pages register by themselves and can call", async () => {
  await gateway.kill();
  await expect(alice.test("registration")).not.toHaveAttribute("data-state", "registered");
  await gateway.launch();
  await alice.isRegistered(30_000);
  await bob.isRegistered(30_000);
  await connect();
  await alice.hears();
  await alice.test("hangup").click();
  await bob.hasEnded(/hung up|ended/i);
});

test("a call keeps its audio while the gateway is gone, and a hang-up pressed meanwhile arrives", async () => {
  await connect();
  await alice.hears();
  await gateway.kill();
  await bob.hears(await bob.audio());
  await alice.hears(await alice.audio());
  await alice.test("hangup").click();
  await gateway.launch();
  await bob.hasEnded(/hung up|ended/i, 40_000);
});

test("a hang-up after the gateway came back arrives", async () => {
  await connect();
  await alice.hears();
  await gateway.kill();
  await gateway.launch();
  await alice.isRegistered(30_000);
  await bob.isRegistered(30_000);
  await bob.hears(await bob.audio());
  await bob.test("hangup").click();
  await alice.hasEnded(/hung up|ended/i);
});
