import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { init, isTrapezoidError, UserAgent } from "@trapezoid/client";
import { ofKind } from "./support/agent.mjs";

const options = { server: "ws://127.0.0.1:1/sip", aor: "sip:alice@localhost", webSocket: class {} };

test("before init there is a sentence, not a trap", () => {
  assert.throws(() => new UserAgent(options), ofKind("invalid-state"));
  assert.throws(() => new UserAgent(options), /await init\(\)/);
});

test("a module that is none fails with a sentence, and init can be called again", async () => {
  const broken = init(new Uint8Array([1, 2, 3]));
  await assert.rejects(broken, (error) => {
    assert.match(error.message, /^Trapezoid could not load its WebAssembly module: /);
    assert.ok(error.cause instanceof Error);
    return true;
  });
  await assert.rejects(init("/nowhere/trapezoid.wasm"), /could not load .*no such file/);
  await assert.rejects(init(new URL("file:///nowhere/trapezoid.wasm")), /could not load .*no such file/);
});

test("init loads once, whoever calls it", async () => {
  const path = fileURLToPath(new URL("../pkg/trapezoid_wasm_bg.wasm", import.meta.url));
  const first = init(WebAssembly.compile(await readFile(path)));
  assert.equal(init(), first);
  await first;
  await init(path);
  assert.equal(init(), first);
});

test("options that are not valid are refused with the reason", async () => {
  await init();
  const refused = (change, reason) => {
    assert.throws(() => new UserAgent({ ...options, ...change }), ofKind("invalid-argument"));
    assert.throws(() => new UserAgent({ ...options, ...change }), reason);
  };
  refused({ server: "http://127.0.0.1/" }, /ws:\/\/ or wss:\/\//);
  refused({ server: undefined }, /`server` is missing/);
  refused({ keepAlive: { interval: "often" } }, /`keepAlive.interval`: .*often/);
  refused({ reconnect: 7 }, /`reconnect` must be an object/);
  refused({ aor: "alice" }, /sip:alice@example.com/);
  refused({ aor: "sip:localhost" }, /sip:alice@example.com/);
  refused({ expires: "soon" }, /`expires`: .*soon/);
  refused({ expires: -1 }, /`expires`/);
  refused({ expires: 0 }, /`expires`/);
  refused({ media: 7 }, /`media`/);
  refused({ webSocket: {} }, /`webSocket`/);
  assert.throws(() => new UserAgent(), ofKind("invalid-argument"));
  assert.equal(isTrapezoidError(new Error("no")), false);
});

test("a user agent knows who it is", async () => {
  const agent = new UserAgent({ ...options, aor: "sip:alice@LOCALHOST:5060;transport=ws" });
  assert.equal(agent.aor, "sip:alice@localhost");
  assert.match(agent.instanceId, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(agent.connectionState, "disconnected");
  assert.equal(agent.registrationState, "unregistered");
  assert.deepEqual(agent.calls, []);
  const other = new UserAgent(options);
  assert.notEqual(agent.instanceId, other.instanceId);
  const named = new UserAgent({ ...options, instanceId: "urn:uuid:00000000-0000-4000-8000-000000000001" });
  assert.equal(named.instanceId, "urn:uuid:00000000-0000-4000-8000-000000000001");
  assert.throws(() => agent.on("nothing", () => {}), ofKind("invalid-argument"));
  for (const each of [agent, other, named]) each.free();
});
