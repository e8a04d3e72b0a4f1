/**
 * The package's types, checked by the compiler alone (`npm run check -w @trapezoid/client`): unions that narrow, no
 * `any` anywhere, and what must not compile.
 */
import { WebSocket as NodeWebSocket } from "ws";
import {
  init,
  isTrapezoidError,
  UserAgent,
  type Call,
  type CallEnd,
  type CallEvents,
  type CallOptions,
  type Credentials,
  type PlaceOptions,
  type FailureKind,
  type InitSource,
  type MediaContext,
  type MediaFactory,
  type MediaSession,
  type MessageSummary,
  type ReconnectOptions,
  type RemoteIdentity,
  type TrapezoidError,
  type Unsubscribe,
  type UserAgentEvents,
  type UserAgentOptions,
  type WebSocketConstructor,
  type WebSocketLike,
} from "@trapezoid/client";

type IsAny<T> = 0 extends 1 & T ? true : false;
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function assert<_T extends true>(): void {}

/** The members of `T` that are `any`, or are functions or promises that take or give `any`. */
type AnyIn<T> = IsAny<T> extends true
  ? true
  : T extends (...parameters: infer P) => infer R
    ? AnyMember<P> | IsAny<R> | (R extends Promise<infer V> ? IsAny<V> : never)
    : false;
type AnyMember<T> = { [K in keyof T]-?: AnyIn<T[K]> }[keyof T];

assert<Equal<Extract<AnyMember<UserAgent>, true>, never>>();
assert<Equal<Extract<AnyMember<Call>, true>, never>>();
assert<Equal<Extract<AnyMember<UserAgentOptions>, true>, never>>();
assert<Equal<Extract<AnyMember<CallOptions>, true>, never>>();
assert<Equal<IsAny<Credentials>, false>>();
assert<Equal<ReturnType<UserAgent["setCredentials"]>, void>>();
assert<Equal<Extract<AnyMember<PlaceOptions>, true>, never>>();
assert<Equal<Extract<AnyMember<ReconnectOptions>, true>, never>>();
assert<Equal<Extract<AnyMember<RemoteIdentity>, true>, never>>();
assert<Equal<Extract<AnyMember<TrapezoidError>, true>, never>>();
assert<Equal<Extract<AnyMember<MediaSession>, true>, never>>();
assert<Equal<Extract<AnyMember<MediaContext>, true>, never>>();
assert<Equal<Extract<AnyMember<WebSocketLike>, true>, never>>();
assert<Equal<Extract<{ [K in keyof UserAgentEvents]: AnyMember<UserAgentEvents[K]> }[keyof UserAgentEvents], true>, never>>();
assert<Equal<Extract<{ [K in keyof CallEvents]: AnyMember<CallEvents[K]> }[keyof CallEvents], true>, never>>();
assert<Equal<IsAny<InitSource>, false>>();
assert<Equal<IsAny<MediaFactory>, false>>();
// The test itself can tell.
assert<Equal<Extract<AnyMember<{ readonly a: number; readonly b: (x: any) => void }>, true>, true>>();

assert<Equal<ReturnType<typeof init>, Promise<void>>>();
assert<Equal<Awaited<ReturnType<UserAgent["call"]>>, Call>>();
assert<Equal<ReturnType<Call["on"]>, Unsubscribe>>();

/** A union over `cause` narrows to what each way of ending knows, and is complete. */
export function describe(end: CallEnd): string {
  switch (end.cause) {
    case "hangup":
    case "canceled": {
      assert<Equal<typeof end.by, "local" | "remote">>();
      return end.by;
    }
    case "answered-elsewhere":
      assert<Equal<typeof end.reason, string | undefined>>();
      // @ts-expect-error: nobody of interest ended it
      return end.by;
    case "replaced":
      // @ts-expect-error: nobody of interest ended it
      return end.by;
    case "rejected":
      assert<Equal<typeof end.status, number>>();
      return String(end.status);
    case "failed": {
      assert<Equal<typeof end.error.kind, FailureKind>>();
      return end.error.message;
    }
    default: {
      const none: never = end;
      return none;
    }
  }
}

export async function page(media: MediaFactory): Promise<void> {
  await init();
  await init(new URL("https://example.com/trapezoid.wasm"));
  await init(fetch("trapezoid.wasm"));
  // @ts-expect-error: nothing is not a module (`WebAssembly.Module` is an empty interface, so much else passes)
  await init(null);

  const agent = new UserAgent({ server: "ws://127.0.0.1/sip", aor: "sip:alice@localhost", webSocket: NodeWebSocket, media });
  // @ts-expect-error: an address-of-record is needed
  new UserAgent({ server: "ws://127.0.0.1/sip" });
  new UserAgent({ server: "ws://127.0.0.1/sip", aor: "sip:alice@localhost", ha1: "…", realm: "localhost" });
  agent.setCredentials({ ha1: { sha256: "…" }, realm: "localhost" });
  agent.setDisplayName();
  // @ts-expect-error: an HA1 holds in one realm
  agent.setCredentials({ ha1: "…" });
  // @ts-expect-error: one of them
  agent.setCredentials({ password: "…", ha1: "…", realm: "localhost" });
  // @ts-expect-error: of some algorithm
  agent.setCredentials({ ha1: {}, realm: "localhost" });
  // @ts-expect-error: read only
  agent.aor = "sip:bob@localhost";

  agent.on("connection", ({ state, retryIn, error }) => {
    assert<Equal<typeof state, "disconnected" | "connecting" | "connected" | "reconnecting">>();
    assert<Equal<typeof retryIn, number | undefined>>();
    assert<Equal<typeof error, TrapezoidError | undefined>>();
  });
  agent.on("incoming", (event) => {
    assert<Equal<typeof event.call, Call>>();
  });
  agent.on("notify", ({ package: name, from, messageSummary }) => {
    assert<Equal<typeof name, string>>();
    assert<Equal<typeof from, RemoteIdentity>>();
    assert<Equal<typeof messageSummary, MessageSummary | undefined>>();
  });
  // @ts-expect-error: there is no such event
  agent.on("ringing", () => undefined);

  try {
    const call = await agent.call("bob", { audio: { echoCancellation: true } });
    const off = call.on("ended", (end) => describe(end));
    call.on("stream", ({ stream }) => stream.getAudioTracks());
    off();
    assert<Equal<typeof call.state, "connecting" | "ringing" | "established" | "ended">>();
    const { end } = call;
    if (end?.cause === "failed") assert<Equal<typeof end.error, TrapezoidError>>();
  } catch (error) {
    assert<Equal<typeof error, unknown>>();
    if (isTrapezoidError(error)) {
      assert<Equal<typeof error.status, number | undefined>>();
      const kind: FailureKind = error.kind;
      // @ts-expect-error: no such kind
      const wrong: FailureKind = "oops";
      void [kind, wrong];
    }
  }
}

// Both browsers' and npm `ws`'s WebSockets fit, as do factories that ignore what they are told.
export const sockets: readonly WebSocketConstructor[] = [WebSocket, NodeWebSocket];
export const factory: MediaFactory = () => ({
  createOffer: async () => "v=0",
  createAnswer: async (offer) => offer,
  acceptAnswer: async () => undefined,
  setMuted: () => undefined,
  sendDtmf: () => undefined,
  close: () => undefined,
});

// @ts-expect-error: calls are made by `UserAgent.call`
export const call = new (null as unknown as typeof import("@trapezoid/client").Call)();
