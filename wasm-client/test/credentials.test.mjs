import assert from "node:assert/strict";
import { test } from "node:test";
import { makeAgent, ofKind } from "./support/agent.mjs";
import { challenge, hash } from "./support/digest.mjs";
import { Server } from "./support/sip.mjs";

const md5 = hash("MD5", "alice:localhost:secret");
const sha256 = hash("SHA-256", "alice:localhost:secret");
const realm = "localhost";

async function start(t) {
  const server = await Server.start();
  t.after(() => server.stop());
  return server;
}

for (const [name, ha1, used] of [
  ["one HA1 is MD5's", md5, "MD5"],
  ["SHA-256 alone", { sha256 }, "SHA-256"],
  ["the stronger of two", { md5, sha256 }, "SHA-256"],
]) {
  test(`registers with an HA1: ${name}`, async (t) => {
    const server = await start(t);
    const seen = challenge(server, ["MD5", "SHA-256"]);
    const { agent } = await makeAgent(t, server, { password: undefined, ha1, realm });
    await agent.register();
    assert.deepEqual(seen, [{ algorithm: used, username: "alice", right: true }]);
  });
}

for (const [options, message] of [
  [{ ha1: md5, realm: "example.net" }, /another `realm`/],
  [{ ha1: { sha256 }, realm }, /another algorithm/],
]) {
  test(`an HA1 that does not fit is no wrong password: ${message.source}`, async (t) => {
    const server = await start(t);
    const seen = challenge(server, ["MD5"]);
    const { agent } = await makeAgent(t, server, { password: undefined, ...options });
    const error = await agent.register().then(() => assert.fail("registered"), (error) => error);
    assert.ok(ofKind("invalid-argument", { status: 401 })(error));
    assert.match(error.message, message);
    assert.deepEqual(seen, []);
  });
}

test("what is wrong with credentials is named", async (t) => {
  const wrong = [
    [{ password: "secret", ha1: md5, realm }, /`password` and `ha1`/],
    [{ ha1: md5 }, /`realm` is missing/],
    [{ password: "secret", realm }, /`realm` goes with `ha1`/],
    [{ ha1: {}, realm }, /neither `md5` nor `sha256`/],
    [{ ha1: sha256, realm }, /`ha1`: an HA1 for MD5 has 32 /],
    [{ ha1: { sha256: "secret" }, realm }, /`ha1`: an HA1 for SHA-256 has 64 /],
    [{ ha1: 5, realm }, /`ha1` must be an object/],
  ];
  for (const [options, message] of wrong) {
    await assert.rejects(makeAgent(t, "ws://127.0.0.1:9", { password: undefined, ...options }), (error) => {
      assert.match(error.message, message);
      return ofKind("invalid-argument")(error);
    });
  }
});

test("another password, and then an HA1, serve the next register", async (t) => {
  const server = await start(t);
  const seen = challenge(server, ["MD5"], "another");
  const { agent } = await makeAgent(t, server);
  await assert.rejects(agent.register(), ofKind("wrong-password"));
  agent.setCredentials({ password: "another" });
  await agent.register();
  agent.setCredentials({ ha1: hash("MD5", "alice:localhost:another"), realm });
  await agent.register();
  assert.deepEqual(seen.map(({ right }) => right), [false, true, true]);
  assert.throws(() => agent.setCredentials({ ha1: md5 }), /`credentials.realm` is missing/);
});

test("another display name is in what is sent next", async (t) => {
  const server = await start(t);
  const { agent } = await makeAgent(t, server, { displayName: "Alice" });
  agent.setDisplayName("Alice B.");
  await agent.register();
  agent.setDisplayName();
  await agent.register();
  assert.match(server.registers[0].header("from"), /^"Alice B\." </);
  assert.match(server.registers[1].header("from"), /^<sip:alice@localhost>/);
});

test("a call can be from another user of the domain", async (t) => {
  const server = await start(t);
  const { agent } = await makeAgent(t, server, { displayName: "Alice" });
  await agent.register();
  await agent.call("bob", { fromUser: "+15551000" });
  const invite = await server.flows[0].next("INVITE");
  assert.match(invite.header("from"), /^"Alice" <sip:\+15551000@localhost>;/);
  await assert.rejects(agent.call("bob", { fromUser: "" }), ofKind("invalid-argument"));
});
