/**
 * The page on the scripted client, used as people use it: keyboard, focus, several calls, bad storage. What needs
 * a gateway is tested in `tests/browser`.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { openBrowser, serveStates } from "./browser.mjs";

let server, base, browser, context, page, errors;

before(async () => {
  ({ server, base } = await serveStates());
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await server?.close();
});
beforeEach(async () => {
  context = await browser.newContext({ reducedMotion: "reduce" });
  errors = [];
});
afterEach(async () => {
  await context.close();
  assert.deepEqual(errors, []);
});

async function open(scene, more = "") {
  page = await context.newPage();
  page.setDefaultTimeout(5000);
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`${base}?scene=${scene}${more}`);
  await page.waitForSelector("html[data-scene=ready]", { state: "attached" });
}
const by = (id) => page.getByTestId(id);
const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-testid") ?? document.activeElement?.localName);
const text = async (id) => (await by(id).textContent()).replace(/\s+/g, " ").trim();
const ring = (address, name) => page.evaluate(([a, n]) => void window.fake.agent().ring(a, n), [address, name]);
const logs = () => page.evaluate(() => window.fake.agent().calls.map((call) => call.log));
const state = (id, value) => page.waitForSelector(`[data-testid=${id}][data-state=${value}]`);

test("a demo account is one click away, and the dial field is ready", async () => {
  await open("sign-in");
  await by("account-alice").click();
  await state("registration", "registered");
  await page.waitForFunction(() => document.activeElement?.id === "dial-input");
});

test("without demo accounts there is the form; a user name may carry its domain", async () => {
  await open("sign-in-without-demo");
  assert.equal(await by("account-alice").count(), 0);
  await by("signin-user").fill("sip:carol@example.com");
  await by("signin-password").fill("secret");
  await page.keyboard.press("Enter");
  await state("registration", "registered");
  assert.equal(await page.evaluate(() => window.fake.agent().aor), "sip:carol@example.com");
  assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes("secret")), false);
  await by("sign-out").click();
  await by("signin-user").waitFor();
  assert.equal(await by("signin-user").inputValue(), "carol");
});

test("a wrong password is told, and another attempt succeeds", async () => {
  await open("sign-in-wrong-password");
  assert.equal(await text("signin-error"), "The user name or the password is wrong. SIP 401 Unauthorized");
  await by("signin-user").fill("alice");
  await by("signin-password").fill("wrong");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.id === "password");
  await page.evaluate(() => void (window.fake.script.signIn = "accept"));
  await by("account-bob").click();
  await state("registration", "registered");
});

test("Enter dials, Escape gives up, the list and the focus follow", async () => {
  await open("idle");
  await by("dial-input").fill("bob");
  await page.keyboard.press("Enter");
  await state("call", "ringing");
  assert.equal(await focused(), "call");
  await page.keyboard.press("Escape");
  await by("last-result").waitFor();
  assert.equal(await text("last-result"), "You cancelled the call to bob.");
  assert.equal(await by("recent-entry").first().getAttribute("data-outcome"), "cancelled");
  await page.waitForFunction(() => document.activeElement?.id === "dial-input");
  assert.deepEqual((await logs())[0].map(([name]) => name), ["call", "cancel"]);
});

test("a call given up before its INVITE is out says so at once", async () => {
  await open("preparing");
  await state("call", "connecting");
  await by("cancel").click();
  assert.equal(await text("last-result"), "You cancelled the call to bob.");
  await page.evaluate(() => void (window.fake.script.call = "ring"));
  await by("call-bob").click();
  await state("call", "ringing");
});

test("an incoming call takes the focus, but typing on answers nothing", async () => {
  await open("idle");
  await by("dial-input").pressSequentially("b");
  await ring("bob@localhost", "Bob Builder");
  await by("incoming").waitFor();
  assert.equal(await focused(), "dialog");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Space");
  assert.deepEqual(await logs(), [[]]);
  await page.keyboard.press("Escape");
  assert.deepEqual(await logs(), [[["reject", 603]]]);
  assert.equal(await text("last-result"), "You declined the call from Bob Builder. SIP 603");
});

test("answering with the keyboard, keypad with the keys, Escape never ends the conversation", async () => {
  await open("ringing-in");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "decline");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "accept");
  await page.keyboard.press("Enter");
  await state("call", "established");
  assert.match(await text("call-timer"), /^0:0/);
  await by("keypad-toggle").click();
  await page.keyboard.type("12#");
  await by("key-star").click();
  assert.equal(await text("digits"), "12#*");
  await page.keyboard.press("Escape");
  await by("keypad").waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await by("mute").click();
  assert.equal(await by("mute").getAttribute("aria-pressed"), "true");
  await by("hangup").click();
  assert.match(await text("last-result"), /^You ended the call with Bob Builder( after \d+ seconds?)?\.$/);
  const names = (await logs())[0].map((entry) => entry.slice(0, 2).join(" ").trim());
  assert.deepEqual(names.slice(1), ["sendDtmf 1", "sendDtmf 2", "sendDtmf #", "sendDtmf *", "hangup"]);
});

test("a second call is shown beside the first: declined as busy, or the first is ended for it", async () => {
  await open("in-call-waiting");
  await by("mute").click();
  await by("decline").click();
  assert.deepEqual((await logs())[1], [["reject", 486]]);
  assert.equal(await text("last-result"), "You told Carol Singer that you are busy. SIP 486");
  await state("call", "established");
  await ring("dave@localhost");
  await by("accept").click();
  await page.waitForFunction(() => document.querySelector("[data-testid=call-name]")?.textContent === "dave");
  const [first, , third] = await logs();
  assert.deepEqual([first.at(-1)[0], third[0][0]], ["hangup", "accept"]);
});

test("without a microphone the call goes on ringing and can be answered later", async () => {
  await open("ringing-in-no-microphone");
  assert.match(await text("incoming-problem"), /^No microphone can be used/);
  await page.evaluate(() => void (window.fake.script.accept = "answer"));
  await by("accept").click();
  await state("call", "established");
});

test("the chosen microphone is used, switched during a call, and remembered", async () => {
  await context.grantPermissions(["microphone"]);
  await open("in-call");
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=microphone] option").length > 1);
  const id = await by("microphone").locator("option").nth(1).getAttribute("value");
  await by("microphone").selectOption(id);
  assert.deepEqual((await logs())[0].at(-1), ["setMicrophone", id]);
  await open("idle", "&keep");
  await page.waitForFunction((id) => document.querySelector("[data-testid=microphone]")?.value === id, id);
  await by("call-bob").click();
  await state("call", "ringing");
  assert.deepEqual((await logs())[0][0], ["call", { audio: { deviceId: { ideal: id } } }]);
});

test("recent calls: 50 at most, one click calls again, rubbish in the storage is no matter", async () => {
  await open("idle");
  await page.evaluate(async () => {
    for (let n = 0; n < 60; n += 1) window.fake.agent().ring(`caller${n}@localhost`).finish({ cause: "canceled", by: "remote" });
  });
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=recent-entry]").length === 50);
  const stored = () => page.evaluate(() => JSON.parse(localStorage.getItem("trapezoid.recent.alice@localhost")).length);
  assert.equal(await stored(), 50);
  await by("recent-entry").first().click();
  await state("call", "ringing");
  assert.equal(await text("call-name"), "caller59");
  await by("cancel").click();
  await page.evaluate(() => localStorage.setItem("trapezoid.recent.alice@localhost", '[{"target":1},null,7'));
  await ring("bob@localhost");
  await by("decline").click();
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=recent-entry]").length === 1);
});

test("the countdown to the next attempt counts", async () => {
  await open("reconnecting");
  await state("registration", "reconnecting");
  const before = await text("registration");
  await page.waitForFunction((before) => {
    const now = document.querySelector("[data-testid=registration]")?.textContent?.replace(/\s+/g, " ").trim();
    return now !== before && /^Reconnecting in \d+ s$/.test(now);
  }, before);
});

test("a browser that forbids the ring says so, until the page is touched", async () => {
  await open("ringing-in");
  await by("sound-blocked").waitFor();
  await page.mouse.click(5, 5);
  await by("sound-blocked").waitFor({ state: "detached" });
});

test("screen readers are told what happens", async () => {
  await open("idle");
  const said = (words) => page.waitForFunction((words) => document.querySelector("[role=status]")?.textContent === words, words);
  await said("Signed in as alice.");
  await ring("bob@localhost", "Bob Builder");
  await said("Incoming call from Bob Builder.");
  await by("accept").click();
  await said("In a call with Bob Builder.");
  await page.evaluate(() => window.fake.agent().calls[0].finish({ cause: "hangup", by: "remote" }));
  await page.waitForFunction(() => /^Bob Builder hung up/.test(document.querySelector("[role=status]")?.textContent ?? ""));
});
