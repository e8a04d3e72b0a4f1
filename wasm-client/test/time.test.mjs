import { pass } from "./support/fast.mjs";
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import { describe, test } from "node:test";
import { makeAgent, ofKind } from "./support/agent.mjs";
import { record } from "./support/events.mjs";
import { Server } from "./support/sip.mjs";

const contact = ["Contact: <sip:bob@peer.invalid;transport=ws>"];
const ANSWER = "v=0\r\n";
const defaults = { reconnect: {} };

async function talk(t) {
  const server = await Server.start();
  t.after(() => server.stop());
  const { agent, media } = await makeAgent(t, server, defaults);
  const arrived = server.flow();
  await agent.connect();
  const flow = await arrived;
  const call = await agent.call("bob");
  const log = record(call, ["state", "ended", "warning"]);
  flow.reply(await flow.next("INVITE"), 200, "OK", { extra: contact, body: ANSWER });
  await log.until(({ state }) => state === "established");
  return { agent, call, media, log, flow, server };
}

describe("time", { concurrency: true }, () => {
  test("a keep-alive goes out every 25 s, and a pong keeps the connection", async (t) => {
    const server = await Server.start();
    t.after(() => server.stop());
    const { agent } = await makeAgent(t, server, defaults);
    const arrived = server.flow();
    await agent.connect();
    const flow = await arrived;
    await pass(20);
    assert.equal(flow.pings, 0);
    await pass(8);
    assert.equal(flow.pings, 1);
    await pass(25);
    assert.equal(flow.pings, 2);
    assert.equal(agent.connectionState, "connected");
  });

  test("without a pong the connection is dead 10 s later, and is made anew", async (t) => {
    const server = await Server.start();
    t.after(() => server.stop());
    server.pongs = false;
    const { agent } = await makeAgent(t, server, defaults);
    const log = record(agent, ["connection"]);
    await agent.connect();
    await pass(32);
    assert.equal(agent.connectionState, "connected");
    const lost = await log.until(({ state }) => state === "reconnecting");
    assert.equal(lost.error.kind, "gateway-down");
    await log.until(() => log.states().filter((state) => state === "connected").length === 2, "connected again");
  });

  test("what hints at a broken connection probes it at once", async (t) => {
    const server = await Server.start();
    t.after(() => server.stop());
    server.pongs = false;
    const { agent } = await makeAgent(t, server, defaults);
    const log = record(agent, ["connection"]);
    const arrived = server.flow();
    await agent.connect();
    const flow = await arrived;
    agent.wake();
    await pass(1);
    assert.equal(flow.pings, 1);
    await pass(3);
    assert.ok(log.states().includes("reconnecting"));
  });

  test("a socket that never opens is given up after 10 s, and attempts slow down to 15 s", async (t) => {
    // It takes connections and says nothing.
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const sockets = [];
    silent.on("connection", (socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
    });
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const { agent } = await makeAgent(t, `ws://127.0.0.1:${silent.address().port}/sip`, defaults);
    const log = record(agent, ["connection"]);
    const began = performance.now();
    await assert.rejects(agent.connect(), ofKind("gateway-down"));
    const took = (performance.now() - began) / 1000;
    assert.ok(took >= 10 && took < 15, `${took} s`);

    const retries = () => log.events.flatMap(({ retryIn }) => retryIn ?? []);
    await log.until(() => retries().length === 3, "three attempts", 10);
    const [first, second, third] = retries();
    assert.ok(first >= 250 && first <= 500, `${first}`);
    assert.ok(second >= 500 && second <= 1000, `${second}`);
    assert.ok(third >= 1000 && third <= 2000, `${third}`);
  });

  test("nobody answers: after 60 s of ringing the call is given up", async (t) => {
    const server = await Server.start();
    t.after(() => server.stop());
    const { agent } = await makeAgent(t, server, defaults);
    const arrived = server.flow();
    await agent.connect();
    const flow = await arrived;
    const call = await agent.call("bob");
    const log = record(call, ["state", "ended"]);
    const invite = await flow.next("INVITE");
    flow.reply(invite, 180, "Ringing", { extra: contact });
    await pass(50);
    assert.equal(call.state, "ringing");
    const { cause, error } = await log.until(({ type }) => type === "ended");
    assert.equal(cause, "failed");
    ofKind("no-answer")(error);
    flow.reply(await flow.next("CANCEL"), 200, "OK");
  });

  test("nobody answers: noAnswerTimeout", async (t) => {
    const server = await Server.start();
    t.after(() => server.stop());
    const { agent } = await makeAgent(t, server, { ...defaults, noAnswerTimeout: 5.5 });
    const arrived = server.flow();
    await agent.connect();
    const flow = await arrived;
    const call = await agent.call("bob");
    const invite = await flow.next("INVITE");
    flow.reply(invite, 180, "Ringing", { extra: contact });
    await pass(3);
    assert.equal(call.state, "ringing");
    await pass(5);
    assert.equal(call.end.error.kind, "no-answer");
  });

  test("a gateway that says nothing to an INVITE", async (t) => {
    const server = await Server.start();
    t.after(() => server.stop());
    const { agent } = await makeAgent(t, server, defaults);
    await agent.connect();
    const call = await agent.call("bob");
    const log = record(call, ["ended"]);
    const { error } = await log.until(({ type }) => type === "ended");
    ofKind("timeout")(error);
  });

  test("media that fails early ends the call only after 20 s", async (t) => {
    const { call, media, log } = await talk(t);
    await pass(5);
    media.last.context.onState("failed");
    assert.equal(log.events.at(-1).error.kind, "media-failed");
    await pass(10);
    assert.equal(call.state, "established");
    await pass(8);
    assert.equal(call.end.cause, "failed");
    ofKind("media-failed")(call.end.error);
  });

  test("media that comes back ends nothing", async (t) => {
    const { call, media } = await talk(t);
    media.last.context.onState("failed");
    await pass(10);
    media.last.context.onState("connected");
    await pass(20);
    assert.equal(call.state, "established");
    media.last.context.onState("failed");
    await pass(1);
    assert.equal(call.end.cause, "failed");
  });

  test("a hang-up is done half a minute later though the gateway never comes back", async (t) => {
    const { agent, call, server } = await talk(t);
    await server.stop();
    const log = record(agent, ["connection"]);
    await log.until(({ state }) => state === "reconnecting");
    const began = performance.now();
    await call.hangup();
    const took = (performance.now() - began) / 1000;
    assert.ok(took >= 31 && took < 40, `${took} s`);
  });

  test("a registration is refreshed in good time", async (t) => {
    const server = await Server.start();
    t.after(() => server.stop());
    const { agent } = await makeAgent(t, server, { ...defaults, expires: 100 });
    const log = record(agent, ["registration"]);
    await agent.register();
    // It ends 32 s before the registration does, and begins up to 8 s before that.
    await pass(58);
    assert.equal(server.registers.length, 1);
    await pass(12);
    assert.equal(server.registers.length, 2);
    assert.deepEqual(log.states(), ["registering", "registered"]);
  });

  test("disconnect does not wait for ever", async (t) => {
    const { call, flow } = await talk(t);
    void flow;
    const server = await Server.start();
    t.after(() => server.stop());
    server.answers.REGISTER = (to, request) => {
      // A registrar that never lets go.
      if (!/expires[=:] ?0/i.test(request.text)) to.reply(request, 200, "OK");
      return true;
    };
    const { agent } = await makeAgent(t, server, defaults);
    await agent.register();
    const began = performance.now();
    await agent.disconnect();
    const took = (performance.now() - began) / 1000;
    assert.ok(took >= 4 && took < 8, `${took} s`);
    assert.equal(call.state, "established");
  });
});
