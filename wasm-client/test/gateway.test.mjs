// The built package against the real gateway: what two pages do, without pages.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WebSocket } from "ws";
import { makeAgent, ofKind } from "./support/agent.mjs";
import { next, record, within } from "./support/events.mjs";
import { Gateway } from "./support/gateway.mjs";

async function phone(t, gateway, user, options = {}) {
  const password = gateway.passwords[user];
  const made = await makeAgent(t, gateway, { aor: `sip:${user}@localhost`, password, ...options });
  return { ...made, log: record(made.agent, ["connection", "registration"]) };
}

async function registered(t, gateway, user, options) {
  const made = await phone(t, gateway, user, options);
  await made.agent.register();
  return made;
}

/** Alice calls Bob, and it rings at both. */
async function ringing(t, gateway, options) {
  const alice = await registered(t, gateway, "alice", options);
  const bob = await registered(t, gateway, "bob", { displayName: "Bob B." });
  const incoming = next(bob.agent, "incoming");
  const outgoing = await alice.agent.call("bob");
  const log = record(outgoing, ["state", "ended"]);
  const { call } = await incoming;
  await log.until(({ state }) => state === "ringing");
  alice.call = Object.assign(outgoing, { log });
  bob.call = Object.assign(call, { log: record(call, ["state", "ended"]) });
  return { alice, bob };
}

async function talking(t, gateway, options) {
  const { alice, bob } = await ringing(t, gateway, options);
  await bob.call.accept();
  await alice.call.log.until(({ state }) => state === "established");
  // The ACK has no answer: give it time to arrive.
  await new Promise((resolve) => setTimeout(resolve, 100));
  return { alice, bob };
}

const ended = (side) => side.call.log.until(({ type }) => type === "ended", "ended", 15);

describe("through the gateway", { concurrency: true }, () => {
  test("register, refresh, unregister, register again", async (t) => {
    const gateway = await Gateway.start(t);
    const { agent, log } = await phone(t, gateway, "alice", { expires: 300 });
    await agent.register();
    assert.equal(log.events.find(({ state }) => state === "registered").expires, 300);
    await agent.register();
    await agent.unregister();
    assert.equal(agent.registrationState, "unregistered");
    await agent.register();
    await agent.disconnect();
  });

  test("a wrong password, and a user nobody knows", async (t) => {
    const gateway = await Gateway.start(t);
    const wrong = await phone(t, gateway, "alice", { password: "no" });
    await assert.rejects(wrong.agent.register(), ofKind("wrong-password"));
    const nobody = await phone(t, gateway, "nobody", { password: "no" });
    await assert.rejects(nobody.agent.register(), ofKind("wrong-password"));
  });

  test("nobody registers another's address", async (t) => {
    const gateway = await Gateway.start(t);
    const { agent } = await phone(t, gateway, "bob", { username: "alice", password: gateway.passwords.alice });
    await assert.rejects(agent.register(), ofKind("forbidden", { status: 403 }));
  });

  test("a call, hung up by the caller", async (t) => {
    const gateway = await Gateway.start(t);
    const { alice, bob } = await talking(t, gateway, { displayName: "Alice A." });
    assert.deepEqual(bob.call.remote, { uri: "sip:alice@localhost", user: "alice", displayName: "Alice A." });
    assert.equal(bob.media.last.offer, alice.media.last.local);
    assert.match(alice.media.last.answer, /a=setup:active/);
    await within(alice.call.hangup(), "hangup");
    await ended(bob);
    assert.deepEqual(alice.call.end, { cause: "hangup", by: "local" });
    assert.deepEqual(bob.call.end, { cause: "hangup", by: "remote" });
    assert.equal(alice.media.last.closed, 1);
    assert.equal(bob.media.last.closed, 1);
  });

  test("a call, hung up by the callee", async (t) => {
    const gateway = await Gateway.start(t);
    const { alice, bob } = await talking(t, gateway);
    await within(bob.call.hangup(), "hangup");
    await ended(alice);
    assert.deepEqual(alice.call.end, { cause: "hangup", by: "remote" });
  });

  test("canceled while it rings", async (t) => {
    const gateway = await Gateway.start(t);
    const { alice, bob } = await ringing(t, gateway);
    await within(alice.call.hangup(), "hangup");
    await ended(bob);
    assert.deepEqual(alice.call.end, { cause: "canceled", by: "local" });
    assert.deepEqual(bob.call.end, { cause: "canceled", by: "remote" });
  });

  test("declined, and busy", async (t) => {
    const gateway = await Gateway.start(t);
    const { alice, bob } = await ringing(t, gateway);
    bob.call.reject();
    const declined = await ended(alice);
    ofKind("declined", { status: 603 })(declined.error);

    const incoming = next(bob.agent, "incoming");
    const again = await alice.agent.call("bob");
    const busy = next(again, "ended");
    (await incoming).call.reject(486);
    ofKind("busy", { status: 486 })((await busy).error);
  });

  test("nobody answers", async (t) => {
    const gateway = await Gateway.start(t);
    const { alice, bob } = await ringing(t, gateway, { noAnswerTimeout: 1 });
    const end = await ended(alice);
    ofKind("no-answer")(end.error);
    await ended(bob);
    // The CANCEL says why (RFC 3326), and so does the gateway's.
    assert.deepEqual(bob.call.end, { cause: "canceled", by: "remote", reason: "No answer" });
  });

  test("an address nobody has, one that is offline, and one elsewhere", async (t) => {
    const gateway = await Gateway.start(t);
    const { agent } = await registered(t, gateway, "alice");
    for (const [target, kind, status] of [
      ["nobody", "not-found", 404],
      ["bob", "offline", 480],
      ["sip:bob@127.0.0.1", "offline", 480],
    ]) {
      const call = await agent.call(target);
      const { cause, error } = await next(call, "ended");
      assert.equal(cause, "failed");
      ofKind(kind, { status })(error);
    }
    const call = await agent.call("sip:someone@elsewhere.invalid");
    const { error } = await next(call, "ended");
    assert.ok(error.status >= 400, `${error.status}`);
  });

  test("all of a person's tabs ring, and one takes the call", async (t) => {
    const gateway = await Gateway.start(t);
    const first = await registered(t, gateway, "bob");
    const second = await registered(t, gateway, "bob");
    const alice = await registered(t, gateway, "alice");
    const rings = [next(first.agent, "incoming"), next(second.agent, "incoming")];
    const call = await alice.agent.call("bob");
    const established = record(call, ["state"]);
    const [{ call: taken }, { call: left }] = await Promise.all(rings);
    const other = record(left, ["ended"]);
    await taken.accept();
    await established.until(({ state }) => state === "established");
    await other.until(({ cause }) => cause === "answered-elsewhere");
    await within(call.hangup(), "hangup");
  });

  test("a gateway that is killed and comes back: registered again, calls go on, and can be ended", async (t) => {
    const gateway = await Gateway.start(t);
    const { alice, bob } = await talking(t, gateway);
    await gateway.kill();
    await alice.log.until(({ state }) => state === "reconnecting");
    await bob.log.until(({ state }) => state === "reconnecting");
    assert.equal(alice.call.state, "established");
    assert.equal(bob.call.state, "established");

    await gateway.run();
    for (const { log, agent } of [alice, bob]) {
      await log.until(() => agent.registrationState === "registered", "registered again", 10);
    }
    await within(bob.call.hangup(), "hangup after the restart", 10);
    await ended(alice);
    assert.deepEqual(alice.call.end, { cause: "hangup", by: "remote" });

    const incoming = next(bob.agent, "incoming");
    const again = await alice.agent.call("bob");
    const log = record(again, ["state"]);
    await (await incoming).call.accept();
    await log.until(({ state }) => state === "established");
    await within(again.hangup(), "hangup of the second call");
  });

  test("hung up while the gateway is down: it reaches the other side when both are back", async (t) => {
    const gateway = await Gateway.start(t);
    const { alice, bob } = await talking(t, gateway);
    await gateway.kill();
    await alice.log.until(({ state }) => state === "reconnecting");
    const hangup = alice.call.hangup();
    assert.deepEqual(alice.call.end, { cause: "hangup", by: "local" });
    assert.equal(bob.call.state, "established");
    await gateway.run();
    await ended(bob);
    assert.deepEqual(bob.call.end, { cause: "hangup", by: "remote" });
    await within(hangup, "hangup", 10);
  });

  test("one side loses its connection, and is hung up when it is back", async (t) => {
    const gateway = await Gateway.start(t);
    const sockets = [];
    class Socket extends WebSocket {
      constructor(...parameters) {
        super(...parameters);
        sockets.push(this);
      }
    }
    const options = { webSocket: Socket, reconnect: { initialDelay: 2000 } };
    const { alice, bob } = await talking(t, gateway, options);
    sockets[0].terminate();
    await alice.log.until(({ state }) => state === "reconnecting");
    // What goes out over a connection in the moment in which it breaks is not held.
    await gateway.webSockets(1);
    await within(bob.call.hangup(), "hangup", 15);
    await ended(alice);
    assert.deepEqual(alice.call.end, { cause: "hangup", by: "remote" });
    assert.equal(sockets.length, 2);
  });
});
