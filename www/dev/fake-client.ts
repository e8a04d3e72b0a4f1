/**
 * A scripted stand-in for `@trapezoid/client`, for looking at the page without a gateway. Only `dev/vite.config.ts`
 * puts it in place of the client; it is never in a production build.
 */
import type * as api from "@trapezoid/client";

class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  on<K extends keyof Events>(type: K, listener: (event: Events[K]) => void): api.Unsubscribe {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  emit<K extends keyof Events>(type: K, event: Events[K]): void {
    for (const listener of this.#listeners.get(type) ?? []) (listener as (event: Events[K]) => void)(event);
  }
}

/** What the next sign-in and the next call do; scenes set it before they act. */
export const script: {
  signIn: "accept" | "wait" | api.TrapezoidError;
  call: "wait" | "ring" | "answer" | api.TrapezoidError;
  accept: "answer" | "wait" | api.TrapezoidError;
} = { signIn: "accept", call: "ring", accept: "answer" };

export function init(): Promise<void> {
  return Promise.resolve();
}

export function failed(kind: api.FailureKind, status?: number, reason?: string): api.TrapezoidError {
  const error = Object.assign(new Error(kind), { name: "TrapezoidError" as const, kind });
  if (status !== undefined) Object.assign(error, { status, reason });
  return error;
}

export function isTrapezoidError(value: unknown): value is api.TrapezoidError {
  return value instanceof Error && value.name === "TrapezoidError";
}

let calls = 0;

export class Call extends Emitter<api.CallEvents> {
  readonly id = `call-${++calls}`;
  readonly peerConnection = undefined;
  readonly remoteStream = undefined;
  state: api.CallState = "connecting";
  muted = false;
  end: api.CallEnd | undefined;
  establishedAt: number | undefined;
  /** Commands received, for tests. */
  readonly log: unknown[][] = [];

  constructor(
    readonly direction: api.CallDirection,
    readonly remote: api.RemoteIdentity,
  ) {
    super();
  }

  become(state: api.CallState): void {
    this.state = state;
    if (state === "established") this.establishedAt = Date.now();
    this.emit("state", { state });
  }

  finish(end: api.CallEnd): void {
    if (this.state === "ended") return;
    this.end = end;
    this.become("ended");
    this.emit("ended", end);
  }

  async accept(options?: api.CallOptions): Promise<void> {
    this.log.push(["accept", options]);
    if (script.accept === "wait") return new Promise(() => {});
    if (script.accept !== "answer") throw script.accept;
    this.become("established");
  }

  reject(status = 603): void {
    this.log.push(["reject", status]);
    this.finish({ cause: "rejected", status });
  }

  async hangup(): Promise<void> {
    this.log.push(["hangup"]);
    this.finish({ cause: "hangup", by: "local" });
  }

  cancel(): void {
    this.log.push(["cancel"]);
    this.finish({ cause: "canceled", by: "local" });
  }

  mute(muted = true): void {
    this.muted = muted;
    this.emit("muted", { muted });
  }

  sendDtmf(tones: string): void {
    this.log.push(["sendDtmf", tones]);
  }

  async setMicrophone(deviceId: string): Promise<void> {
    this.log.push(["setMicrophone", deviceId]);
  }
}

export class UserAgent extends Emitter<api.UserAgentEvents> {
  /** The agent of the page, for scenes. */
  static current: UserAgent | undefined;

  connectionState: api.ConnectionState = "disconnected";
  registrationState: api.RegistrationState = "unregistered";
  readonly aor: string;
  readonly instanceId = "urn:uuid:00000000-0000-4000-8000-000000000000";
  readonly calls: Call[] = [];

  constructor(options: api.UserAgentOptions) {
    super();
    this.aor = options.aor;
    UserAgent.current = this;
  }

  connection(state: api.ConnectionState, more: { error?: api.TrapezoidError; retryIn?: number } = {}): void {
    this.connectionState = state;
    this.emit("connection", { state, ...more });
  }

  registration(state: api.RegistrationState, error?: api.TrapezoidError): void {
    this.registrationState = state;
    this.emit("registration", error === undefined ? { state } : { state, error });
  }

  async connect(): Promise<void> {
    this.connection("connected");
  }

  async disconnect(): Promise<void> {
    this.connection("disconnected");
  }

  async register(): Promise<void> {
    this.connection("connecting");
    if (script.signIn === "wait") return new Promise(() => {});
    if (script.signIn !== "accept") throw script.signIn;
    this.connection("connected");
    this.registration("registering");
    this.registration("registered");
  }

  async unregister(): Promise<void> {
    this.registration("unregistered");
  }

  async call(target: string, options?: api.PlaceOptions): Promise<Call> {
    const step = script.call;
    if (step === "wait") return new Promise(() => {});
    if (typeof step !== "string" && step.status === undefined) throw step;
    const call = new Call("outgoing", remote(target.includes("@") ? target : `${target}@localhost`));
    call.log.push(["call", { audio: options?.audio }]);
    this.calls.push(call);
    window.setTimeout(() => {
      if (typeof step !== "string") return call.finish({ cause: "failed", error: step });
      call.become("ringing");
      if (step === "answer") call.become("established");
    });
    return call;
  }

  /** A call comes in. */
  ring(address: string, displayName?: string): Call {
    const call = new Call("incoming", remote(address, displayName));
    this.calls.push(call);
    call.state = "ringing";
    this.emit("incoming", { call: call as unknown as api.Call });
    return call;
  }

  free(): void {}
}

function remote(address: string, displayName?: string): api.RemoteIdentity {
  const identity = { uri: `sip:${address}`, user: address.replace(/@.*$/, "") };
  return displayName === undefined ? identity : { ...identity, displayName };
}
