import assert from "node:assert/strict";
import { test } from "node:test";
import { makeAgent, ofKind } from "./support/agent.mjs";
import { record, within } from "./support/events.mjs";
import { Server } from "./support/sip.mjs";

test("connect opens a WebSocket that speaks sip, disconnect closes it", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const { agent } = await makeAgent(t, server);
  const log = record(agent, ["connection"]);
  const flow = server.flow();
  await agent.connect();
  assert.equal((await flow).socket.protocol, "sip");
  assert.equal(agent.connectionState, "connected");
  await agent.connect();
  await agent.disconnect();
  assert.equal(agent.connectionState, "disconnected");
  assert.deepEqual(log.states(), ["connecting", "connected", "disconnected"]);
  await agent.disconnect();
  await agent.connect();
  assert.equal(server.flows.length, 2);
});

test("a gateway that is down is told at once, and found when it comes up", async (t) => {
  const probe = await Server.start();
  await probe.stop();
  const { agent } = await makeAgent(t, probe);
  const log = record(agent, ["connection"]);
  await assert.rejects(agent.connect(), ofKind("gateway-down"));
  assert.equal(agent.connectionState, "reconnecting");
  const told = log.events.find(({ error }) => error !== undefined);
  assert.equal(told.state, "reconnecting");
  assert.ok(told.retryIn >= 25 && told.retryIn <= 50, `${told.retryIn}`);

  const server = await Server.start(probe.port);
  t.after(() => server.stop());
  await log.until(({ state }) => state === "connected");
});

test("an answer that is no WebSocket of ours is a gateway that is down", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  server.sockets.options.handleProtocols = () => false;
  const { agent } = await makeAgent(t, server);
  await assert.rejects(agent.connect(), ofKind("gateway-down"));
});

test("a lost connection comes back, and with it the registration of the same contact", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const { agent } = await makeAgent(t, server);
  const log = record(agent, ["connection", "registration"]);
  const arrived = server.flow();
  await agent.register();
  (await arrived).socket.terminate();
  await log.until(({ type, state }) => type === "connection" && state === "reconnecting");
  await log.until(({ type }) => server.registers.length === 2 && type === "registration");
  await log.until(() => agent.registrationState === "registered", "registered again");
  const [first, second] = server.registers;
  assert.equal(first.header("call-id"), second.header("call-id"));
  assert.equal(first.header("contact"), second.header("contact"));
  assert.deepEqual(
    log.events.filter(({ type }) => type === "registration").map(({ state }) => state),
    ["registering", "registered", "registering", "registered"],
  );
});

test("disconnect ends the attempts to reconnect, free ends everything", async (t) => {
  const server = await Server.start();
  const { agent } = await makeAgent(t, server);
  await agent.connect();
  await server.stop();
  const log = record(agent, ["connection"]);
  await log.until(({ state }) => state === "reconnecting");
  await within(agent.disconnect(), "disconnect");
  assert.equal(agent.connectionState, "disconnected");

  const again = await Server.start(server.port);
  t.after(() => again.stop());
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(again.flows.length, 0);

  const { agent: other } = await makeAgent(t, again);
  const arrived = again.flow();
  const registering = other.register();
  const flow = await arrived;
  await registering;
  const waiting = other.unregister();
  other.free();
  other.free();
  await assert.rejects(waiting, ofKind("invalid-state"));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(flow.closed, true);
});

test("a user agent can be freed from within a listener that its own method called", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const { agent } = await makeAgent(t, server);
  agent.on("connection", () => agent.free());
  await assert.rejects(agent.connect(), ofKind("invalid-state"));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(server.flows.every((flow) => flow.closed));
});

test("a WebSocket that cannot even be made is an invalid argument, told once", async (t) => {
  const refuse = class {
    constructor() {
      throw Object.assign(new Error("insecure from a secure page"), { name: "SecurityError" });
    }
  };
  const { agent } = await makeAgent(t, "ws://127.0.0.1:9/sip", { webSocket: refuse });
  const log = record(agent, ["connection"]);
  await assert.rejects(agent.connect(), ofKind("invalid-argument"));
  await assert.rejects(agent.register(), /insecure from a secure page/);
  assert.equal(agent.connectionState, "disconnected");
  assert.deepEqual(log.states(), ["connecting", "disconnected", "connecting", "disconnected"]);
  assert.equal(log.events[1].error.kind, "invalid-argument");
});

test("a WebSocket that answers before it returns", async (t) => {
  class Instant {
    readyState = 1;
    protocol = "sip";
    binaryType = "";
    constructor() {
      queueMicrotask(() => this.onopen({ type: "open" }));
    }
    send(text) {
      if (!text.startsWith("INVITE")) return;
      const lines = text.split("\r\n").filter((line) => /^(via|from|to|call-id|cseq):/i.test(line));
      const head = lines.map((line) => (/^to:/i.test(line) ? `${line};tag=x` : line));
      const data = ["SIP/2.0 486 Busy Here", ...head, "Content-Length: 0", "", ""].join("\r\n");
      this.onmessage({ data });
    }
    close() {}
  }
  const { agent } = await makeAgent(t, "ws://127.0.0.1:9/sip", { webSocket: Instant });
  await agent.connect();
  const call = await agent.call("bob");
  assert.equal(call.state, "ended");
  ofKind("busy", { status: 486 })(call.end.error);
});

test("a listener that throws harms nobody but its own page", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const { agent } = await makeAgent(t, server);
  // What a listener throws becomes an unhandled rejection, which the test runner would take for its own.
  const rejected = t.mock.method(Promise, "reject", () => new Promise(() => undefined));
  agent.on("connection", () => {
    throw new Error("mine");
  });
  const log = record(agent, ["connection"]);
  await agent.connect();
  assert.deepEqual(log.states(), ["connecting", "connected"]);
  assert.equal(rejected.mock.calls[0].arguments[0].message, "mine");
});

test("listeners can be removed, twice, and from within", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const { agent } = await makeAgent(t, server);
  const seen = [];
  const off = agent.on("connection", ({ state }) => {
    seen.push(state);
    off();
    off();
  });
  await agent.connect();
  assert.deepEqual(seen, ["connecting"]);
});

test("connecting calls off a disconnect on its way", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const { agent } = await makeAgent(t, server);
  await agent.register();
  const log = record(agent, ["connection"]);
  for (const again of [() => agent.register(), () => agent.connect()]) {
    assert.equal(agent.registrationState, "registered");
    const leaving = agent.disconnect();
    const staying = again();
    await within(leaving, "disconnect");
    await within(staying, "again");
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(agent.connectionState, "connected");
  }
  assert.deepEqual(log.states(), []);
  assert.equal(server.flows.length, 1);
});

test("whoever connects on hearing of a loss waits for the next attempt", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const { agent } = await makeAgent(t, server, { reconnect: { initialDelay: 60_000 } });
  const arrived = server.flow();
  await agent.connect();
  const again = new Promise((resolve, reject) => {
    agent.on("connection", ({ state, retryIn }) => {
      if (state === "reconnecting" && retryIn !== undefined) agent.connect().then(resolve, reject);
    });
  });
  (await arrived).socket.terminate();
  await within(again, "connect");
  assert.equal(agent.connectionState, "connected");
});

test("a listener that disconnects while connecting is obeyed", async (t) => {
  const server = await Server.start();
  t.after(() => server.stop());
  const { agent } = await makeAgent(t, server);
  let left;
  agent.on("connection", ({ state }) => {
    if (state === "connecting") left ??= agent.disconnect();
  });
  await assert.rejects(agent.connect(), ofKind("invalid-state"));
  await left;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(server.flows.length, 0);
  assert.equal(agent.connectionState, "disconnected");
});
