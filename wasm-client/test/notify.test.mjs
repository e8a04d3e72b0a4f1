import assert from "node:assert/strict";
import { test } from "node:test";
import { makeAgent, ofKind } from "./support/agent.mjs";
import { record } from "./support/events.mjs";
import { request, Server } from "./support/sip.mjs";

async function start(t, unsolicited) {
  const server = await Server.start();
  t.after(() => server.stop());
  const { agent } = await makeAgent(t, server, { unsolicited });
  const log = record(agent, ["notify"]);
  await agent.register();
  const notify = (callId, extra, body = "") => {
    const text = request("NOTIFY", server.registers[0].address("contact"), { callId, extra, body });
    server.flows[0].send(text.replace("application/sdp", "application/simple-message-summary"));
  };
  return { log, notify, flow: server.flows[0] };
}

const SUMMARY = "Messages-Waiting: yes\r\nMessage-Account: sip:*97@localhost\r\nVoice-Message: 2/8 (0/1)\r\nFax-Message: 1/0\r\n";
const from = { uri: "sip:bob@localhost", user: "bob", displayName: 'Bob "B" Jones' };

test("voicemail is told without a subscription", async (t) => {
  const { log, notify, flow } = await start(t, ["message-summary", "check-sync"]);
  notify("mwi", ["Event: message-summary"], SUMMARY);
  await flow.next(200);
  notify("sync", ["Event: check-sync"]);
  await flow.next(200);
  await log.until(({ package: name }) => name === "check-sync");
  assert.deepEqual(log.events, [
    {
      type: "notify",
      package: "message-summary",
      from,
      contentType: "application/simple-message-summary",
      body: SUMMARY,
      messageSummary: {
        waiting: true,
        account: "sip:*97@localhost",
        counts: [
          { class: "Voice-Message", new: 2, old: 8, urgent: { new: 0, old: 1 } },
          { class: "Fax-Message", new: 1, old: 0 },
        ],
      },
    },
    { type: "notify", package: "check-sync", from },
  ]);
});

test("a body that is no summary is told as it came", async (t) => {
  const { log, notify } = await start(t, ["message-summary"]);
  notify("bad", ["Event: message-summary"], "Hello\r\n");
  const { body, messageSummary } = await log.until(() => true);
  assert.deepEqual({ body, messageSummary }, { body: "Hello\r\n", messageSummary: undefined });
});

test("a NOTIFY that was not asked for is refused where the options do not name it", async (t) => {
  const { log, notify, flow } = await start(t, undefined);
  notify("mwi", ["Event: message-summary"], SUMMARY);
  await flow.next(481);
  assert.deepEqual(log.events, []);
});

test("`unsolicited` is a list of names", async (t) => {
  await assert.rejects(makeAgent(t, "ws://127.0.0.1:9", { unsolicited: 5 }), (error) => {
    assert.match(error.message, /`unsolicited`: /);
    return ofKind("invalid-argument")(error);
  });
});
