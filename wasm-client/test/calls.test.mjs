import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { makeAgent, ofKind } from "./support/agent.mjs";
import { next, record, within } from "./support/events.mjs";
import { exception } from "./support/media.mjs";
import { request, Server } from "./support/sip.mjs";

const CALL_EVENTS = ["state", "ended", "muted", "stream", "warning"];
const contact = ["Contact: <sip:bob@peer.invalid;transport=ws>"];
const SDP = "v=0\r\no=- 7 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
const WITH_FINGERPRINT = `${SDP}a=fingerprint:sha-256 AB:CD\r\n`;

async function start(t, options) {
  const server = await Server.start();
  t.after(() => server.stop());
  const { agent, media } = await makeAgent(t, server, options);
  const arrived = server.flow();
  await agent.register();
  return { server, agent, media, flow: await arrived };
}

/** An outgoing call that was answered. */
async function talk(t, options) {
  const all = await start(t, options);
  const call = await all.agent.call("bob");
  const log = record(call, CALL_EVENTS);
  const invite = await all.flow.next("INVITE");
  all.flow.reply(invite, 200, "OK", { extra: contact, body: WITH_FINGERPRINT });
  await all.flow.next("ACK");
  await log.until(({ state }) => state === "established");
  return { ...all, call, log, invite };
}

/** An incoming call that rings. */
async function ring(t, options, body = WITH_FINGERPRINT) {
  const all = await start(t, options);
  const contactUri = all.server.registers[0].address("contact");
  const incoming = next(all.agent, "incoming");
  const callId = "incoming-1";
  all.flow.send(request("INVITE", contactUri, { callId, body }));
  const { call } = await incoming;
  const ringing = await all.flow.next(180);
  const toTag = /;tag=(.*)$/.exec(ringing.header("to"))[1];
  return { ...all, call, callId, contactUri, toTag, log: record(call, CALL_EVENTS) };
}

test("an outgoing call rings, is answered, and is hung up here", async (t) => {
  const { agent, media, flow } = await start(t);
  const call = await agent.call("bob");
  assert.equal(call.direction, "outgoing");
  assert.equal(call.state, "connecting");
  assert.deepEqual(call.remote, { uri: "sip:bob@localhost", user: "bob" });
  assert.deepEqual(agent.calls, [call]);
  assert.equal(agent.calls[0], call);
  const log = record(call, CALL_EVENTS);
  const session = media.last;
  assert.deepEqual(
    [session.context.audio, session.context.iceServers, session.context.iceGathering],
    [true, [], { afterFirst: 500, total: 2000 }],
  );

  const invite = await flow.next("INVITE");
  assert.equal(invite.uri, "sip:bob@localhost");
  assert.equal(invite.body, session.local);
  flow.reply(invite, 180, "Ringing", { extra: contact });
  await log.until(({ state, status }) => state === "ringing" && status === 180);
  flow.reply(invite, 200, "OK", { extra: contact, body: WITH_FINGERPRINT });
  const ack = await flow.next("ACK");
  assert.equal(ack.uri, "sip:bob@peer.invalid;transport=ws");
  await log.until(({ state }) => state === "established");
  assert.ok(Math.abs(call.establishedAt - Date.now()) < 2000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(session.answer, WITH_FINGERPRINT);

  const hangup = call.hangup();
  assert.equal(call.state, "ended");
  assert.deepEqual(call.end, { cause: "hangup", by: "local" });
  assert.equal(session.closed, 1);
  const bye = await flow.next("BYE");
  flow.reply(bye, 200, "OK");
  await within(hangup, "hangup");
  assert.deepEqual(agent.calls, []);
  assert.deepEqual(
    log.events.map(({ type, state, cause }) => `${type} ${state ?? cause}`),
    ["state ringing", "state established", "state ended", "ended hangup"],
  );
  await call.hangup();
});

test("the other side hangs up", async (t) => {
  const { flow, call, log, media, invite, server } = await talk(t);
  const tag = /;tag=(.*)$/.exec(invite.header("from"))[1];
  const bye = request("BYE", server.registers[0].address("contact"), {
    callId: invite.header("call-id"),
    fromTag: "srv",
    toTag: tag,
    extra: ['Reason: Q.850;cause=16, SIP;cause=200;text="Dinner"'],
  });
  flow.send(bye);
  const end = await log.until(({ type }) => type === "ended");
  assert.deepEqual(end, { type: "ended", cause: "hangup", by: "remote", reason: "Dinner" });
  assert.equal((await flow.next(200)).header("call-id"), invite.header("call-id"));
  assert.equal(media.last.closed, 1);
  assert.deepEqual(call.end, { cause: "hangup", by: "remote", reason: "Dinner" });
});

test("an unanswered call is canceled", async (t) => {
  for (const how of ["cancel", "hangup"]) {
    await t.test(how, async (t) => {
      const { agent, flow } = await start(t);
      const call = await agent.call("bob");
      const log = record(call, CALL_EVENTS);
      const invite = await flow.next("INVITE");
      flow.reply(invite, 180, "Ringing", { extra: contact });
      await log.until(({ state }) => state === "ringing");
      const done = call[how]();
      assert.deepEqual(call.end, { cause: "canceled", by: "local" });
      const cancel = await flow.next("CANCEL");
      flow.reply(cancel, 200, "OK");
      flow.reply(invite, 487, "Request Terminated");
      await flow.next("ACK");
      await within(done, how);
      assert.throws(() => call.cancel(), ofKind("invalid-state"));
    });
  }
});

for (const [status, reason, kind] of [
  [404, "Not Found", "not-found"],
  [480, "Temporarily Unavailable", "offline"],
  [486, "Busy Here", "busy"],
  [600, "Busy Everywhere", "busy"],
  [603, "Decline", "declined"],
  [403, "Forbidden", "forbidden"],
  [408, "Request Timeout", "timeout"],
  [488, "Not Acceptable Here", "not-acceptable"],
  [606, "Not Acceptable", "not-acceptable"],
  [500, "Server Internal Error", "server-error"],
  [302, "Moved Temporarily", "rejected"],
  [499, "Strange", "rejected"],
]) {
  test(`${status} ends a call as ${kind}`, async (t) => {
    const { agent, flow, media } = await start(t);
    const call = await agent.call("bob");
    const ended = next(call, "ended");
    flow.reply(await flow.next("INVITE"), status, reason);
    await flow.next("ACK");
    const end = await ended;
    assert.equal(end.cause, "failed");
    ofKind(kind, { status, reason })(end.error);
    assert.equal(media.last.closed, 1);
    assert.equal(call.end, end);
  });
}

test("a call that cannot begin says why, before a microphone is asked for where that is possible", async (t) => {
  const { agent, media, server } = await start(t);
  await assert.rejects(agent.call("tel:bob"), ofKind("invalid-argument"));
  await assert.rejects(agent.call(""), ofKind("invalid-argument"));
  assert.equal(media.sessions.length, 0);
  media.failure = exception("NotAllowedError", "Permission denied");
  await assert.rejects(agent.call("bob"), ofKind("no-microphone"));
  await assert.rejects(agent.call("bob"), /Permission denied/);
  media.failure = exception("NotFoundError");
  await assert.rejects(agent.call("bob"), ofKind("no-microphone"));
  media.failure = exception("TypeError");
  await assert.rejects(agent.call("bob"), ofKind("media-failed"));
  media.failure = undefined;
  const lost = record(agent, ["connection"]);
  await server.stop();
  await lost.until(({ state }) => state === "reconnecting");
  await assert.rejects(agent.call("bob"), ofKind("gateway-down"));
  assert.deepEqual(agent.calls, []);
});

test("there is a most of calls", async (t) => {
  const { agent, media } = await start(t);
  for (let n = 0; n < 32; n += 1) await agent.call(`bob${n}`);
  await assert.rejects(agent.call("one-more"), ofKind("too-many-calls"));
  assert.equal(media.sessions.length, 32);
});

test("an incoming call rings, is accepted and ended", async (t) => {
  const { agent, media, flow, call, callId, contactUri, toTag, log } = await ring(t);
  assert.equal(call.direction, "incoming");
  assert.equal(call.state, "ringing");
  assert.deepEqual(call.remote, { uri: "sip:bob@localhost", user: "bob", displayName: 'Bob "B" Jones' });
  assert.deepEqual(agent.calls, [call]);
  const accepted = call.accept({ audio: { deviceId: "mic" } });
  await assert.rejects(call.accept(), ofKind("invalid-state"));
  await accepted;
  assert.equal(call.state, "established");
  assert.deepEqual(media.last.context.audio, { deviceId: "mic" });
  assert.equal(media.last.offer, WITH_FINGERPRINT);
  const ok = await flow.next(200);
  assert.match(ok.body, /a=setup:active/);
  flow.send(request("ACK", contactUri, { callId, toTag }));
  await assert.rejects(call.accept(), ofKind("invalid-state"));
  assert.throws(() => call.reject(), ofKind("invalid-state"));
  const hangup = call.hangup();
  const bye = await flow.next("BYE");
  assert.equal(bye.uri, "sip:bob@peer.invalid;transport=ws");
  flow.reply(bye, 200, "OK");
  await hangup;
  assert.deepEqual(log.states(), ["established", "ended"]);
});

test("an incoming call is declined, with the status that was asked for", async (t) => {
  for (const [status, expected] of [
    [undefined, 603],
    [486, 486],
  ]) {
    await t.test(String(expected), async (t) => {
      const { call, flow } = await ring(t);
      assert.throws(() => call.reject(200), ofKind("invalid-argument"));
      call.reject(status);
      await flow.next(expected);
      assert.deepEqual(call.end, { cause: "rejected", status: expected });
      await call.hangup();
    });
  }
});

test("hangup declines what rings", async (t) => {
  const { call, flow } = await ring(t);
  await call.hangup();
  await flow.next(603);
  assert.deepEqual(call.end, { cause: "rejected", status: 603 });
});

test("the caller gives up", async (t) => {
  for (const [reason, expected] of [
    [[], { cause: "canceled", by: "remote" }],
    [['Reason: SIP;cause=200;text="Call completed elsewhere"'], { cause: "answered-elsewhere", reason: "Call completed elsewhere" }],
    [["Reason: SIP;cause=200"], { cause: "answered-elsewhere" }],
  ]) {
    await t.test(expected.cause, async (t) => {
      const { call, flow, callId, contactUri, log } = await ring(t);
      const branch = `INVITE1${callId}`;
      flow.send(request("CANCEL", contactUri, { callId, branch, extra: reason }));
      await log.until(({ type }) => type === "ended");
      assert.deepEqual(call.end, expected);
      await flow.next(200);
      await flow.next(487);
      await assert.rejects(call.accept(), ofKind("invalid-state"));
    });
  }
});

test("the caller gives up while the microphone is being opened", async (t) => {
  const { call, media, flow, callId, contactUri, log } = await ring(t);
  let open;
  media.delay = new Promise((resolve) => (open = resolve));
  const accepting = call.accept();
  flow.send(request("CANCEL", contactUri, { callId, branch: `INVITE1${callId}` }));
  await log.until(({ type }) => type === "ended");
  // The browser's question may stay open for ever.
  await assert.rejects(within(accepting, "accept"), ofKind("invalid-state"));
  open();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(media.last.closed, 1);
});

test("a call that is given up, or freed, while the microphone is being opened never rings", async (t) => {
  const { agent, media, flow } = await start(t);
  const pending = (options) => {
    let open;
    media.delay = new Promise((resolve) => (open = resolve));
    return { placing: agent.call("bob", options), open };
  };
  const abort = new AbortController();
  const first = pending({ signal: abort.signal });
  await new Promise((resolve) => setImmediate(resolve));
  abort.abort();
  first.open();
  await assert.rejects(first.placing, ofKind("invalid-state"));
  assert.equal(media.last.closed, 1);
  await assert.rejects(agent.call("bob", { signal: abort.signal }), ofKind("invalid-state"));
  assert.equal(media.sessions.length, 1);

  const second = pending();
  await new Promise((resolve) => setImmediate(resolve));
  agent.free();
  second.open();
  await assert.rejects(second.placing, ofKind("invalid-state"));
  assert.equal(media.last.closed, 1);
  await assert.rejects(flow.next("INVITE", 0.1));
});

test("disconnect leaves what rings to the person's other devices", async (t) => {
  const { agent, call, flow } = await ring(t);
  await agent.disconnect();
  await flow.next(480);
  assert.deepEqual(call.end, { cause: "rejected", status: 480 });
});

test("what a call's listeners hold is free when the call is over", async (t) => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  const { agent, flow } = await start(t);
  const held = await (async () => {
    const call = await agent.call("bob");
    const page = { call };
    call.on("state", () => page);
    const ended = next(call, "ended");
    flow.reply(await flow.next("INVITE"), 486, "Busy Here");
    await ended;
    call.on("muted", () => page);
    return new WeakRef(page);
  })();
  for (let round = 0; round < 50 && held.deref() !== undefined; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
  }
  assert.equal(held.deref(), undefined);
});

test("a microphone that is refused leaves an incoming call ringing", async (t) => {
  const { call, media } = await ring(t);
  media.failure = exception("NotAllowedError");
  await assert.rejects(call.accept(), ofKind("no-microphone"));
  assert.equal(call.state, "ringing");
  media.failure = undefined;
  await call.accept();
  assert.equal(call.state, "established");
});

test("an offer that media cannot take is answered 488", async (t) => {
  const { call, media, flow } = await ring(t);
  media.refuses = exception("OperationError", "no such codec");
  await assert.rejects(call.accept(), ofKind("media-failed"));
  await flow.next(488);
  assert.deepEqual(call.end, { cause: "rejected", status: 488 });
  assert.equal(media.last.closed, 1);
});

test("an offer without a fingerprint gets 488 and a warning, and nobody is disturbed", async (t) => {
  const { agent, flow, server } = await start(t);
  agent.on("incoming", () => assert.fail("it rang"));
  flow.send(request("INVITE", server.registers[0].address("contact"), { callId: "plain", body: SDP }));
  const refusal = await flow.next(488);
  assert.match(refusal.header("warning"), /^399 .*fingerprint/);
  assert.deepEqual(agent.calls, []);
});

test("an INVITE without an offer is answered with one", async (t) => {
  const { call, media, flow, callId, contactUri, toTag } = await ring(t, {}, "");
  await call.accept();
  const ok = await flow.next(200);
  assert.equal(ok.body, media.last.local);
  flow.send(request("ACK", contactUri, { callId, toTag, body: WITH_FINGERPRINT }));
  await within(
    (async () => {
      while (media.last.answer === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    })(),
    "the answer in the ACK",
  );
  assert.equal(media.last.answer, WITH_FINGERPRINT);
  assert.equal(call.state, "established");
});

test("mute, tones and the choice of microphone reach media", async (t) => {
  const { call, media, log } = await talk(t);
  call.mute();
  assert.equal(call.muted, true);
  assert.equal(media.last.muted, true);
  call.mute(true);
  call.mute(false);
  assert.deepEqual(
    log.events.filter(({ type }) => type === "muted"),
    [
      { type: "muted", muted: true },
      { type: "muted", muted: false },
    ],
  );
  call.sendDtmf("12*#ab");
  assert.equal(media.last.tones, "12*#AB");
  assert.throws(() => call.sendDtmf("1x"), ofKind("invalid-argument"));
  await call.setMicrophone("other");
  assert.equal(media.last.microphone, "other");
  call.hangup();
  assert.throws(() => call.sendDtmf("1"), ofKind("invalid-state"));
  await assert.rejects(call.setMicrophone("x"), ofKind("invalid-state"));
});

test("the remote stream and trouble with media are told", async (t) => {
  const { call, media, log } = await talk(t);
  const stream = { id: "stream" };
  media.last.context.onStream(stream);
  assert.equal(call.remoteStream, stream);
  assert.equal(log.events.find(({ type }) => type === "stream").stream, stream);
  media.last.context.onMicrophoneLost();
  media.last.context.onState("failed");
  const warnings = log.events.filter(({ type }) => type === "warning");
  assert.deepEqual(warnings.map(({ error }) => error.kind), ["no-microphone", "media-failed"]);
  assert.equal(call.state, "established");
});

test("an answer that media cannot take hangs up", async (t) => {
  const { agent, flow, media } = await start(t);
  const call = await agent.call("bob");
  const ended = next(call, "ended");
  media.last.failure = exception("InvalidAccessError", "bad answer");
  flow.reply(await flow.next("INVITE"), 200, "OK", { extra: contact, body: WITH_FINGERPRINT });
  await flow.next("ACK");
  await flow.next("BYE");
  const end = await ended;
  assert.equal(end.cause, "failed");
  ofKind("media-failed")(end.error);
  assert.match(end.error.message, /bad answer/);
});

test("a call outlives its connection, and a hang-up meanwhile is delivered over the next", async (t) => {
  const { agent, call, flow, server } = await talk(t);
  const log = record(agent, ["registration", "connection"]);
  flow.socket.terminate();
  await log.until(({ state }) => state === "reconnecting");
  assert.equal(call.state, "established");
  const arrived = server.flow();
  const hangup = call.hangup();
  assert.equal(call.state, "ended");
  const second = await arrived;
  const bye = await second.next("BYE");
  assert.equal(server.registers.length, 2, "registered before the BYE");
  second.reply(bye, 200, "OK");
  await within(hangup, "hangup");
});

test("disconnect ends calls", async (t) => {
  const { agent, call, flow, server } = await talk(t);
  const done = agent.disconnect();
  flow.reply(await flow.next("BYE"), 200, "OK");
  await within(done, "disconnect");
  assert.deepEqual(call.end, { cause: "hangup", by: "local" });
  assert.equal(server.registers.length, 2);
  assert.equal(agent.connectionState, "disconnected");
});

test("commands from within listeners take effect in order", async (t) => {
  const { agent, flow, server } = await start(t);
  agent.on("incoming", ({ call }) => call.reject(486));
  flow.send(
    request("INVITE", server.registers[0].address("contact"), { callId: "nested", body: WITH_FINGERPRINT }),
  );
  await flow.next(180);
  await flow.next(486);
  assert.deepEqual(agent.calls, []);
});

test("a call of a freed user agent only says that it is over", async (t) => {
  const { agent, call, media } = await talk(t);
  agent.free();
  assert.equal(media.last.closed, 1);
  assert.throws(() => call.reject(), ofKind("invalid-state"));
  await call.hangup();
});
