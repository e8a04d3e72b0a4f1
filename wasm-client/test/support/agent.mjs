// User agents for tests, freed when their test ends.
import { WebSocket } from "ws";
import { init, UserAgent } from "@trapezoid/client";
import { FakeMedia } from "./media.mjs";

export async function makeAgent(t, server, options = {}) {
  await init();
  const media = new FakeMedia();
  const agent = new UserAgent({
    server: typeof server === "string" ? server : server.url,
    aor: "sip:alice@localhost",
    password: "secret",
    webSocket: WebSocket,
    media: media.factory,
    reconnect: { initialDelay: 50, maxDelay: 200 },
    ...options,
  });
  t.after(() => agent.free());
  return { agent, media };
}

/** Whether `error` is a `TrapezoidError` of this kind, for `assert.rejects` and `assert.throws`. */
export function ofKind(kind, fields = {}) {
  return (error) => {
    const expected = { name: "TrapezoidError", kind, ...fields };
    const found = Object.fromEntries(Object.keys(expected).map((key) => [key, error[key]]));
    if (!(error instanceof Error) || JSON.stringify(found) !== JSON.stringify(expected)) {
      throw new Error(`expected ${JSON.stringify(expected)}, not ${error} ${JSON.stringify(error)}`);
    }
    return true;
  };
}
