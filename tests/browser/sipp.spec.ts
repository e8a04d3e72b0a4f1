import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { createSocket } from "node:dgram";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, test } from "@playwright/test";

import { Gateway, PASSWORD } from "./gateway.js";
import { Phone } from "./phone.js";

// A page and SIPp signal calls to each other. SIPp sends no media: its canned session description has a DTLS
// fingerprint and no candidates.

const scenarios = join(dirname(fileURLToPath(import.meta.url)), "../sipp");
let gateway: Gateway;
let alice: Phone;
const children: ChildProcess[] = [];

test.beforeEach(async ({ browser }) => {
  gateway = await Gateway.start(["carol"]);
  alice = await Phone.registered(browser, gateway, "alice");
});

test.afterEach(async ({}, info) => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  if (info.status !== info.expectedStatus) await info.attach("gateway.log", { body: gateway.log });
  await alice.close();
  await gateway.dispose();
});

/** A UDP port that was free a moment ago: SIPp cannot bind port 0 and tell. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    socket.on("error", reject);
    socket.bind(0, "127.0.0.1", () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}

/** Runs a scenario as carol, over UDP unless `-t t1` is among `args`; the promise settles with its end. */
function sipp(scenario: string, port: number, args: readonly string[] = []): Promise<void> {
  const { udp, tcp } = gateway.addresses;
  const directory = mkdtempSync(join(tmpdir(), "sipp-"));
  const child = spawn(
    "sipp",
    [
      args.includes("t1") ? tcp : udp, "-sf", join(scenarios, `${scenario}.xml`), "-i", "127.0.0.1", "-p", `${port}`, "-m", "1",
      "-nostdin", "-trace_err", "-timeout", "40", "-timeout_error", "-d", "1000",
      "-auth_uri", scenario.startsWith("register") ? "localhost" : "alice@localhost",
      "-key", "user", "carol", "-au", "carol", "-ap", PASSWORD, "-key", "domain", "localhost", "-key", "callee", "alice", "-key", "weight", "",
      ...args,
    ],
    { cwd: directory, stdio: "ignore" },
  );
  children.push(child);
  return new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new Error(`install sip-tester: ${error.message}`)));
    child.on("exit", (code) => {
      if (code === 0) return resolve();
      const errors = readdirSync(directory).filter((name) => name.includes("errors"));
      reject(new Error(`sipp ${scenario}: ${code}\n${errors.map((name) => readFileSync(join(directory, name), "utf8")).join("\n")}`));
    });
  });
}

async function registered(): Promise<number> {
  const port = await freePort();
  await sipp("register", port);
  return port;
}

test("SIPp calls a page and hangs up", async () => {
  const calling = sipp("webrtc_uac", await freePort());
  await expect(alice.test("incoming")).toContainText("carol");
  await alice.test("accept").click();
  await alice.isInCall();
  await calling;
  await alice.hasEnded(/hung up|ended/i);
});

test("SIPp calls a page, and the page hangs up", async () => {
  const calling = sipp("webrtc_uac_bye_from_callee", await freePort());
  await alice.test("accept").click();
  await alice.isInCall();
  await alice.test("hangup").click();
  await calling;
});

test("SIPp calls a page that declines", async () => {
  const calling = sipp("webrtc_uac_declined", await freePort());
  await alice.test("decline").click();
  await calling;
});

test("a page calls SIPp and hangs up", async () => {
  const port = await registered();
  const serving = sipp("webrtc_uas", port);
  await alice.dial("carol");
  await alice.isInCall();
  await alice.test("hangup").click();
  await serving;
});

test("a page calls SIPp, which hangs up", async () => {
  const port = await registered();
  const serving = sipp("webrtc_uas_bye", port);
  await alice.dial("carol");
  await alice.isInCall();
  await serving;
  await alice.hasEnded(/hung up|ended/i);
});

test("a page cancels its call to SIPp", async () => {
  const port = await registered();
  const serving = sipp("uas_cancelled", port);
  await alice.dial("carol");
  await expect(alice.test("call")).toHaveAttribute("data-state", "ringing");
  await alice.test("cancel").click();
  await serving;
});

test("a page calls SIPp, which is busy", async () => {
  const port = await registered();
  const serving = sipp("uas_busy", port);
  await alice.dial("carol");
  await alice.hasEnded(/busy/i);
  await serving;
});

test("SIPp calls a page over TCP and hangs up", async () => {
  const calling = sipp("webrtc_uac", await freePort(), ["-t", "t1"]);
  await alice.test("accept").click();
  await alice.isInCall();
  await calling;
  await alice.hasEnded(/hung up|ended/i);
});

test("a page calls SIPp over the TCP connection it registered over", async () => {
  // The connection stays open, so the scenario does not end; its calls are handled by the second one.
  const serving = sipp("register_stay", await freePort(), ["-t", "t1", "-oocsf", join(scenarios, "webrtc_uas.xml")]);
  serving.catch(() => undefined);
  await expect(async () => {
    await alice.dial("carol");
    await alice.isInCall(3_000);
  }).toPass();
  await alice.test("hangup").click();
  await alice.hasEnded(/hung up|ended/i);
});
