// SIP.js registers at the real gateway, calls our client, and is called by it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeAgent, ofKind } from "./support/agent.mjs";
import { next, record, within } from "./support/events.mjs";
import { Gateway } from "./support/gateway.mjs";
import { Peer, reached, SessionState } from "./support/sipjs.mjs";

async function both(t) {
  const gateway = await Gateway.start(t);
  const { agent, media } = await makeAgent(t, gateway, { password: gateway.passwords.alice });
  await agent.register();
  const peer = await within(Peer.register(t, gateway.url, "bob", gateway.passwords.bob), "SIP.js registers");
  return { agent, media, peer };
}

/** Our client calls SIP.js, which accepts. */
async function calling(t) {
  const { agent, media, peer } = await both(t);
  const call = await agent.call("bob");
  const log = record(call, ["state", "ended"]);
  const invitation = await within(peer.invitation(), "the INVITE");
  await log.until(({ state }) => state === "ringing");
  await invitation.accept();
  await log.until(({ state }) => state === "established");
  await within(reached(invitation, SessionState.Established), "established at SIP.js");
  return { call, log, media, invitation };
}

/** SIP.js calls our client, which accepts. */
async function called(t) {
  const { agent, media, peer } = await both(t);
  const incoming = next(agent, "incoming");
  const inviter = await peer.invite("alice");
  const { call } = await incoming;
  assert.deepEqual(call.remote, { uri: "sip:bob@localhost", user: "bob" });
  const log = record(call, ["ended"]);
  await call.accept();
  await within(reached(inviter, SessionState.Established), "established at SIP.js");
  return { call, log, media, inviter };
}

describe("SIP.js", { concurrency: true }, () => {
  test("is called and hung up", async (t) => {
    const { call, media, invitation } = await calling(t);
    assert.match(media.last.answer, /s=SIP\.js/);
    assert.equal(invitation.sessionDescriptionHandler.remote, media.last.local);
    const terminated = reached(invitation, SessionState.Terminated);
    await within(call.hangup(), "hangup");
    await within(terminated, "terminated at SIP.js");
  });

  test("is called and hangs up", async (t) => {
    const { call, log, invitation } = await calling(t);
    await invitation.bye();
    await log.until(({ type }) => type === "ended");
    assert.deepEqual(call.end, { cause: "hangup", by: "remote" });
  });

  test("calls and is hung up", async (t) => {
    const { call, media, inviter } = await called(t);
    assert.match(media.last.offer, /s=SIP\.js/);
    const terminated = reached(inviter, SessionState.Terminated);
    await within(call.hangup(), "hangup");
    await within(terminated, "terminated at SIP.js");
  });

  test("calls and hangs up", async (t) => {
    const { call, log, inviter } = await called(t);
    await inviter.bye();
    await log.until(({ type }) => type === "ended");
    assert.deepEqual(call.end, { cause: "hangup", by: "remote" });
  });

  test("declines", async (t) => {
    const { agent, peer } = await both(t);
    const call = await agent.call("bob");
    const ended = next(call, "ended");
    const invitation = await within(peer.invitation(), "the INVITE");
    await invitation.reject({ statusCode: 486 });
    ofKind("busy", { status: 486 })((await ended).error);
  });

  test("is declined", async (t) => {
    const { agent, peer } = await both(t);
    agent.on("incoming", ({ call }) => call.reject());
    const inviter = await peer.invite("alice");
    const { message } = await within(inviter.answered, "an answer");
    assert.equal(message.statusCode, 603);
  });

  test("cancels, and is canceled", async (t) => {
    const { agent, peer } = await both(t);
    const incoming = next(agent, "incoming");
    const inviter = await peer.invite("alice");
    const { call } = await incoming;
    const log = record(call, ["ended"]);
    await reached(inviter, SessionState.Establishing);
    await inviter.cancel();
    await log.until(({ cause }) => cause === "canceled");

    const outgoing = await agent.call("bob");
    const invitation = await within(peer.invitation(), "the INVITE");
    const terminated = reached(invitation, SessionState.Terminated);
    await within(outgoing.hangup(), "hangup");
    await within(terminated, "terminated at SIP.js");
  });
});
