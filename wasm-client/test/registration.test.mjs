import assert from "node:assert/strict";
import { test } from "node:test";
import { makeAgent, ofKind } from "./support/agent.mjs";
import { challenge } from "./support/digest.mjs";
import { record } from "./support/events.mjs";
import { Server } from "./support/sip.mjs";

test("a registration names the instance, and unregister removes it", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const { agent } = await makeAgent(t, server, { expires: 120, displayName: "Alice A." });
  const log = record(agent, ["registration"]);
  await agent.register();
  assert.equal(agent.registrationState, "registered");
  const [request] = server.registers;
  assert.equal(request.uri, "sip:localhost");
  assert.match(request.header("contact"), new RegExp(`\\+sip\\.instance="<${agent.instanceId}>"`));
  assert.match(request.header("contact"), /;reg-id=1\b/);
  assert.match(request.header("contact"), /@[a-z0-9]+\.invalid;transport=ws>/);
  assert.match(request.header("via"), /^SIP\/2\.0\/WS [a-z0-9]+\.invalid;/);
  assert.match(request.header("from"), /^"Alice A\." <sip:alice@localhost>;tag=/);
  assert.deepEqual(log.events, [
    { type: "registration", state: "registering" },
    { type: "registration", state: "registered", expires: 120 },
  ]);

  await agent.unregister();
  assert.equal(agent.registrationState, "unregistered");
  assert.equal(server.registers[1].header("expires") ?? "0", "0");
  assert.deepEqual(log.states(), ["registering", "registered", "unregistering", "unregistered"]);
  await agent.unregister();
});

for (const [algorithms, used] of [
  [["MD5"], "MD5"],
  [["SHA-256", "MD5"], "SHA-256"],
  [["MD5", "SHA-256"], "SHA-256"],
]) {
  test(`a challenge with ${algorithms} is answered with ${used}`, async (t) => {
    const server = await Server.start();
    t.after(() => server.stop());
    const seen = challenge(server, algorithms);
    const { agent } = await makeAgent(t, server, { username: "alice2" });
    await agent.register();
    assert.deepEqual(seen, [{ algorithm: used, username: "alice2", right: true }]);
  });
}

test("a wrong password is told as such, and not tried again", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const seen = challenge(server, ["SHA-256", "MD5"], "another");
  const { agent } = await makeAgent(t, server);
  const log = record(agent, ["registration"]);
  await assert.rejects(agent.register(), ofKind("wrong-password", { status: 401, reason: "Unauthorized" }));
  assert.equal(agent.registrationState, "unregistered");
  const last = log.events.at(-1);
  assert.equal(last.state, "unregistered");
  assert.equal(last.error.kind, "wrong-password");
  assert.equal(seen.length, 1);
  assert.equal(agent.connectionState, "connected");
});

test("without a password a challenge is a wrong password", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  challenge(server, ["MD5"]);
  const { agent } = await makeAgent(t, server, { password: undefined });
  await assert.rejects(agent.register(), ofKind("wrong-password", { status: 401 }));
});

for (const [status, reason, kind] of [
  [403, "Forbidden", "forbidden"],
  [404, "Not Found", "not-found"],
  [503, "Service Unavailable", "server-error"],
  [600, "Busy Everywhere", "busy"],
]) {
  test(`${status} ${reason} to a registration is ${kind}`, async (t) => {
    const server = await Server.start();
    t.after(() => server.stop());
    server.answers.REGISTER = (flow, request) => (flow.reply(request, status, reason), true);
    const { agent } = await makeAgent(t, server);
    await assert.rejects(agent.register(), ofKind(kind, { status, reason }));
  });
}

test("registering where nobody listens fails, and succeeds later by itself", async (t) => {
  const probe = await Server.start();
  await probe.stop();
  const { agent } = await makeAgent(t, probe);
  await assert.rejects(agent.register(), ofKind("gateway-down"));
  assert.equal(agent.registrationState, "registering");
  const log = record(agent, ["registration"]);
  const server = await Server.start(probe.port);
  t.after(() => server.stop());
  await log.until(({ state }) => state === "registered");
});

test("disconnect removes the registration", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const { agent } = await makeAgent(t, server);
  await agent.register();
  await agent.disconnect();
  assert.equal(server.registers.length, 2);
  assert.match(server.registers[1].text, /expires[=:] ?0/i);
});
